"""A face of a recording, and the landmarks of the largest one.

They are kept minute by minute, in memory and, to resume, on disk. `every_face`
has those of all faces.
"""

import dataclasses

import numpy as np

from avjax.clips import FRAME_RATE
from avjax.features import landmarks
from avjax.features.kept_landmarks import KeptLandmarks
from avjax.features.landmarks import INNER, Detector, Face
from avjax.features.media import RecordingPiece
from avjax.shapes import Bool, Float

MINUTE = 60 * FRAME_RATE
"""Frames from one file of kept landmarks to the next."""

ROOM = 48 * 2**20
"""Bytes of the frames that are kept to be tracked backwards."""


@dataclasses.dataclass(frozen=True)
class RecordedFace:
  """The landmarks of a face in a recording.

  Attributes:
    first: number of the frame of the first row.
    points: (T, 49, 2) landmarks in pixels; zeros without the face.
    found: (T,) whether the face was found.
  """

  first: int
  points: Float[np.ndarray, 'T 49 2']
  found: Bool[np.ndarray, ' T']

  def part(
    self, start: int, stop: int
  ) -> tuple[Float[np.ndarray, 'P 49 2'], Bool[np.ndarray, ' P']]:
    """Returns landmarks in some frames of the recording, and whether found."""
    points = np.zeros((stop - start, len(INNER), 2))
    found = np.zeros(stop - start, bool)
    rows = slice(max(start - self.first, 0), max(stop - self.first, 0))
    own = self.found[rows]
    at = max(self.first - start, 0)
    points[at : at + len(own)] = self.points[rows]
    found[at : at + len(own)] = own
    return points, found

  @property
  def middle(self) -> float:
    """Mean x of the landmarks, in pixels."""
    return float(self.points[..., 0].mean(axis=1)[self.found].mean())


class LargestFace:
  """The landmarks of the face that `landmarks.Follower` follows.

  Args:
    detector: finds it.
    every: every how many frames are searched.
  """

  def __init__(self, detector: Detector, every: int):
    self._every = every
    self._detector = detector
    self._follower = landmarks.Follower(detector, ROOM)
    self._points: list[np.ndarray] = []
    self._found: list[np.ndarray] = []
    self._searched: list[np.ndarray] = []
    self._kept: KeptLandmarks | None = None
    self._known = 0  # frames whose faces are known from before
    self._new: list[tuple[int, np.ndarray]] = []

  def resume(self, kept: KeptLandmarks) -> None:
    """Takes what is kept of an earlier measurement."""
    for minute in kept.read():
      numbers = minute['numbers'].tolist()
      self._put(list(zip(numbers, minute['points'], strict=True)))
      self._known, self._follower.next_search = minute['end'].tolist()
      self._follower.latest = None
      if 'box' in minute:
        face = Face(minute['box'], *map(float, minute['face']))
        self._follower.latest = face
    self._kept = kept

  def _put(self, rows: list[tuple[int, np.ndarray]]) -> None:
    for number, fitted in rows:
      minute, second = divmod(number, MINUTE)
      self._room(minute)
      self._points[minute][second] = fitted
      self._found[minute][second] = True

  def _room(self, minute: int) -> None:
    while len(self._points) <= minute:
      self._points.append(np.zeros((MINUTE, len(INNER), 2)))
      self._found.append(np.zeros(MINUTE, bool))
      self._searched.append(np.zeros(MINUTE, bool))

  def add(self, piece: RecordingPiece, first: int) -> None:
    """Adds a piece whose first frame has a number."""
    if piece.images is None:
      return
    for k, image in zip(piece.shown, piece.images, strict=True):
      self._see(first + k, self._detector.grey(image))
    end = first + piece.frames
    if self._kept is not None and end >= self._known + MINUTE:
      self._kept.write(self._minute(end))
      self._new, self._known = [], end

  def _minute(self, end: int) -> dict[str, np.ndarray]:
    """Returns what was found since the last minute."""
    latest = self._follower.latest
    points = np.array([fitted for _, fitted in self._new])
    arrays = {
      'numbers': np.array([number for number, _ in self._new], np.int64),
      'points': points.reshape(-1, len(INNER), 2),
      'end': np.array([end, self._follower.next_search], np.int64),
    }
    if latest is not None:
      arrays['box'] = np.asarray(latest.box)
      arrays['face'] = np.array([latest.zoom, latest.score])
    return arrays

  def _see(self, number: int, grey: np.ndarray) -> None:
    """Looks for the face in a frame, unless it is known from before."""
    minute, second = divmod(number, MINUTE)
    self._room(minute)
    self._searched[minute][second] = True
    if number < self._known:
      found = self._found[minute][second]
      self._follower.pass_by(number, None if found else grey)
      return
    rows = self._follower.add(number, grey)
    self._put(rows)
    if self._kept is not None:
      self._new += rows

  def finish(self, length: int) -> tuple[RecordedFace, ...]:
    """Returns the face, in all frames of the recording."""
    self._room(max(length - 1, 0) // MINUTE)
    found = np.concatenate(self._found)[:length]
    searched = np.concatenate(self._searched)[:length]
    points = np.zeros((length, len(INNER), 2))
    for first in range(0, length, MINUTE):  # no copy of all at once
      rows = points[first : first + MINUTE]
      rows[:] = self._points[first // MINUTE][: len(rows)]
      self._points[first // MINUTE] = rows
    if self._every > 1 and searched.any():
      found = interpolate(points, found, searched, self._every)
    return (RecordedFace(0, points, found),)


def interpolate(
  points: Float[np.ndarray, 'T 49 2'],
  found: Bool[np.ndarray, ' T'],
  searched: Bool[np.ndarray, ' T'],
  every: int,
) -> Bool[np.ndarray, ' T']:
  """Fills in the landmarks between frames that were searched, linearly.

  A frame in between has a face where both neighbours have one; those after the
  last one are like it.

  Args:
    points: landmarks, which are changed.
    found: whether there is a face in the frames that were searched.
    searched: which frames were searched, the first one of all at least.
    every: the largest distance of two of them to interpolate between.

  Returns:
    (T,) whether there is a face.
  """
  numbers, frame = np.flatnonzero(searched), np.arange(len(points))
  row = np.searchsorted(numbers, frame, side='right') - 1
  before = numbers[np.maximum(row, 0)]
  after = numbers[np.minimum(row + 1, len(numbers) - 1)]
  after = np.where(searched | (after < before), before, after)
  near = (row >= 0) & (after - before <= every) & (frame - before < every)
  both = near & found[before] & found[after]
  for t in np.flatnonzero(both & ~searched):
    share = (t - before[t]) / max(after[t] - before[t], 1)
    share *= after[t] > before[t]
    step = points[after[t]] - points[before[t]]
    points[t] = points[before[t]] + share * step
  return both
