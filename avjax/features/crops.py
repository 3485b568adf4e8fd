"""The face of every frame, upright and of one size (Section 3.2)."""

import numpy as np

from avjax.errors import ConfigError
from avjax.features.landmarks import EYES
from avjax.shapes import Bool, Float

SIDE = 227  # pixels; Section 3.2
_MOUTH = slice(31, 49)  # among the 49 points
# Where the middles of the eyes and of the mouth go, of the side. Ours: brows
# and chin are within, little of the hair is.
_PLACES = np.array([0.31 + 0.38j, 0.69 + 0.38j, 0.5 + 0.76j])


def aligned(
  frames: np.ndarray,
  points: Float[np.ndarray, 'T 49 2'],
  found: Bool[np.ndarray, ' T'],
) -> np.ndarray:
  """Returns (T, 227, 227, 3) uint8 RGB faces; black where there is none.

  The similarity (turn, size, place) that brings eyes and mouth nearest to
  their places, by least squares; what lies outside the frame repeats its edge.

  Args:
    frames: (T, height, width, 3) uint8 RGB.
    points: landmarks, x and y in pixels.
    found: where there is a face.

  Raises:
    ConfigError: OpenCV is not installed.
  """
  try:
    import cv2
  except ImportError as error:
    raise ConfigError(
      'faces need the package opencv-python-headless;'
      " pip install 'avjax[features]'"
    ) from error
  crops = np.zeros((len(frames), SIDE, SIDE, 3), np.uint8)
  for t in np.flatnonzero(found):
    crops[t] = cv2.warpAffine(
      frames[t],
      similarity(points[t]),
      (SIDE, SIDE),
      flags=cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REPLICATE,
    )
  return crops


def similarity(points: Float[np.ndarray, '49 2']) -> Float[np.ndarray, '2 3']:
  """Returns the matrix that takes pixels of a frame to pixels of the crop."""
  seen = [points[part].mean(0) for part in (*EYES, _MOUTH)]
  z = np.array([complex(*point) for point in seen])
  w = _PLACES * SIDE
  apart = z - z.mean()
  # In complex numbers a similarity is w = a z + b.
  size = max(float((np.abs(apart) ** 2).sum()), 1e-9)
  a = (np.conj(apart) * (w - w.mean())).sum() / size
  b = w.mean() - a * z.mean()
  return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])
