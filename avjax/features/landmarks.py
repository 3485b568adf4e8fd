"""Landmarks of the face in every frame, and their normalisation (Section 3.1).

49 points: dlib's 68 without the jaw and the inner corners of the mouth. A frame
without a face is marked and stays in its place.
"""

import importlib.util
import os
import pathlib

import numpy as np

from avjax.errors import ConfigError, DataError
from avjax.shapes import Bool, Float

INNER = np.array([k for k in range(17, 68) if k not in (60, 64)])
"""Of dlib's 68 points, the 49."""

LEFT_EYE, RIGHT_EYE, MOUTH = slice(19, 25), slice(25, 31), slice(31, 49)
"""Among the 49 points; left and right as seen."""

_HEIGHTS = (240, 480)  # pixels; the detector knows faces from 80 pixels on
_THRESHOLD = -0.1  # of the detector: a little more willing than its default
_MODEL = 'shape_predictor_68_face_landmarks.dat'
_OVERLAP = 0.3  # of two boxes, from which on they are the same face


class Detector:
  """Finds the landmarks of one face a frame, with dlib.

  A face is first looked for in a picture of 240 lines, where it must cover a
  third of the height; then, if there is none, in one of 480. Of several faces
  the one that overlaps most with the face before is taken, else the largest.
  The points are found on the full picture.

  Args:
    model: file of dlib's predictor of 68 points; that of the package
      face-recognition-models where None.

  Raises:
    ConfigError: the packages of the extra `face` are not installed.
    DataError: the file is missing or no predictor.
  """

  def __init__(self, model: str | os.PathLike | None = None):
    try:
      import dlib
    except ImportError as error:
      raise ConfigError(
        "landmarks need the package dlib-bin; pip install 'avjax[face]'"
      ) from error
    path = pathlib.Path(_installed() if model is None else model)
    if not path.is_file():
      raise DataError(
        f'{path} is not a file; give a dlib predictor of 68 points'
      )
    self._find = dlib.get_frontal_face_detector()
    self._rectangle = dlib.rectangle
    try:
      self._predict = dlib.shape_predictor(str(path))
    except RuntimeError as error:
      raise DataError(
        f'{path} is no predictor of dlib ({error}); give one of 68 points'
      ) from error

  def __call__(
    self, frames: np.ndarray
  ) -> tuple[Float[np.ndarray, 'T 49 2'], Bool[np.ndarray, ' T']]:
    """Returns the points in pixels, x and y, and where a face was found.

    A frame without a face has the points of the last one with a face, or of
    the first where there is none before; all are 0 in a clip without a face.

    Args:
      frames: (T, height, width, 3) uint8 RGB.
    """
    import cv2

    points = np.zeros((len(frames), len(INNER), 2))
    found = np.zeros(len(frames), bool)
    before = None
    for t, frame in enumerate(frames):
      grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
      box = self._box(grey, before)
      if box is None:
        continue
      shape = self._predict(grey, self._rectangle(*(round(v) for v in box)))
      if shape.num_parts != 68:
        raise DataError(
          f'the predictor finds {shape.num_parts} points; give one of 68'
        )
      parts = (shape.part(int(k)) for k in INNER)
      points[t] = [(part.x, part.y) for part in parts]
      found[t], before = True, box
    return points[_carried(found)], found

  def _box(
    self, grey: np.ndarray, before: tuple[float, ...] | None
  ) -> tuple[float, ...] | None:
    """Returns left, top, right and bottom of the face, in pixels."""
    import cv2

    height, width = grey.shape
    for lines in _HEIGHTS:
      scale = min(1.0, lines / height)
      small = grey
      if scale < 1:
        size = (max(1, round(width * scale)), lines)
        small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
      rectangles, _, _ = self._find.run(small, 0, _THRESHOLD)
      boxes: list[tuple[float, ...]] = [
        (
          r.left() / scale,
          r.top() / scale,
          r.right() / scale,
          r.bottom() / scale,
        )
        for r in rectangles
      ]
      if boxes:
        return _chosen(boxes, before)
      if scale == 1:
        break
    return None


def _chosen(
  boxes: list[tuple[float, ...]], before: tuple[float, ...] | None
) -> tuple[float, ...]:
  """Returns the box of the face before, if it is there, else the largest."""
  largest = max(boxes, key=_area)
  if before is None:
    return largest
  same = max(boxes, key=lambda box: _overlap(box, before))
  return same if _overlap(same, before) >= _OVERLAP else largest


def _area(box: tuple[float, ...]) -> float:
  return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
  """Returns the shared area over that of both together."""
  shared = _area(
    (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
  )
  return shared / max(_area(a) + _area(b) - shared, 1e-9)


def _carried(found: Bool[np.ndarray, ' T']) -> np.ndarray:
  """Returns for every frame the frame whose points it has."""
  last = np.maximum.accumulate(np.where(found, np.arange(len(found)), -1))
  return np.where(last < 0, found.argmax() if len(found) else 0, last)


def _installed() -> pathlib.Path:
  """Returns the predictor's file in the package, which is not imported.

  The package itself needs pkg_resources, which is gone from new Pythons.
  """
  spec = importlib.util.find_spec('face_recognition_models')
  if spec is None or not spec.submodule_search_locations:
    raise ConfigError(
      'landmarks need the package face-recognition-models;'
      " pip install 'avjax[face]'"
    )
  return pathlib.Path(spec.submodule_search_locations[0]) / 'models' / _MODEL


def normalise(
  points: Float[np.ndarray, 'T 49 2'], found: Bool[np.ndarray, ' T']
) -> Float[np.ndarray, 'T 98']:
  """Returns the landmarks without the face's place and size in the picture.

  Section 3.1 says "normalised" only. Ours: every frame loses the mean of its
  own points, and the clip is divided by one number, the median distance of the
  eyes; so the face may turn, nod and come nearer. Columns are x and y of the
  first point, of the second and so on; float32. Frames without a face are 0.
  """
  if not found.any():
    return np.zeros((len(points), 2 * points.shape[1]), np.float32)
  eyes = points[:, LEFT_EYE].mean(1) - points[:, RIGHT_EYE].mean(1)
  distance = np.median(np.hypot(*eyes[found].T))
  centred = points - points.mean(1, keepdims=True)
  scaled = centred / (distance if distance > 0 else 1)
  scaled[~found] = 0
  return scaled.reshape(len(points), -1).astype(np.float32)
