"""Aligned face crops: upright and of one size (Section 3.2)."""

import numpy as np

from avjax.errors import ConfigError
from avjax.features.landmarks import EYES
from avjax.shapes import Float, Int

SIDE = 227  # pixels; Section 3.2
_MOUTH = slice(31, 49)  # of the 49 landmarks
# Target positions of the centres of both eyes and the mouth, relative to the
# side of the crop. Ours: the crop shows brows and chin but little hair.
_TARGETS = np.array([0.31 + 0.38j, 0.69 + 0.38j, 0.5 + 0.76j])


def aligned(
  frames: np.ndarray,
  points: Float[np.ndarray, 'T 49 2'],
  chosen: Int[np.ndarray, ' n'],
  side: int = SIDE,
  margin: float = 0.0,
) -> np.ndarray:
  """Returns the face crops (n, side, side, 3) uint8 RGB.

  Each frame is warped by the similarity transform that brings eyes and mouth
  closest to fixed positions, by least squares. Outside the frame, its edge is
  repeated.

  Args:
    frames: (T, height, width, 3) uint8 RGB.
    points: landmarks, x and y in pixels.
    chosen: indices of the frames, which have a face.
    side: of a crop, in pixels.
    margin: share of its side by which a crop is wider at each edge.

  Raises:
    ConfigError: OpenCV is not installed.
  """
  try:
    import cv2
  except ImportError as error:
    raise ConfigError(
      'face crops need the package opencv-python-headless;'
      " pip install 'avjax[features]'"
    ) from error
  crops = np.zeros((len(chosen), side, side, 3), np.uint8)
  for crop, t in zip(crops, chosen, strict=True):
    crop[:] = cv2.warpAffine(
      frames[t],
      similarity(points[t], side, margin),
      (side, side),
      flags=cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REPLICATE,
    )
  return crops


def similarity(
  points: Float[np.ndarray, '49 2'], side: int = SIDE, margin: float = 0.0
) -> Float[np.ndarray, '2 3']:
  """Returns the affine matrix from pixels of a frame to pixels of the crop."""
  centres = [points[part].mean(0) for part in (*EYES, _MOUTH)]
  z = np.array([complex(*centre) for centre in centres])
  w = (_TARGETS + complex(margin, margin)) / (1 + 2 * margin) * side
  centred = z - z.mean()
  # In complex numbers a similarity transform is w = a z + b.
  size = max(float((np.abs(centred) ** 2).sum()), 1e-9)
  a = (np.conj(centred) * (w - w.mean())).sum() / size
  b = w.mean() - a * z.mean()
  return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])
