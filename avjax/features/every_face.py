"""The landmarks of every face of a recording, as tracks (`face_tracks`).

They are kept minute by minute, in memory and, to resume, on disk. A track that
ended and is too short for a time line is counted and forgotten, so that a film
of many cuts stays small.
"""

import dataclasses

import numpy as np

from avjax.clips import FRAME_RATE
from avjax.features import face_choice, recorded_faces
from avjax.features.face_tracks import FaceTracker
from avjax.features.kept_landmarks import KeptLandmarks
from avjax.features.landmarks import INNER, Detector
from avjax.features.media import RecordingPiece
from avjax.features.recorded_faces import ROOM, RecordedFace, interpolate

_BLOCK = 50  # the most frames that are given to the tracker at once


@dataclasses.dataclass
class _Sightings:
  """Where a face was seen so far, block by block."""

  numbers: list[np.ndarray] = dataclasses.field(default_factory=list)
  points: list[np.ndarray] = dataclasses.field(default_factory=list)


class EveryFace:
  """The landmarks of all faces of a recording, as tracks.

  The tracker is given blocks of a set number of frames, however the recording
  is cut into pieces. So the same is found each time.

  Args:
    detector: finds faces.
    every: every how many frames are searched.
    least: frames from the first to the last sighting for which a face is kept,
      unless the whole recording is not longer.

  Attributes:
    brief: number of faces left out that were seen for under half a second.
    short: number of further ones that were seen for less than `least`.
  """

  def __init__(self, detector: Detector, every: int, least: int):
    self.brief = self.short = 0
    self._every, self._least = every, least
    self._detector = detector
    self._tracker = FaceTracker(detector, FRAME_RATE / every)
    self._waiting: list[tuple[int, np.ndarray]] = []
    self._tracks: dict[int, _Sightings] = {}
    self._searched: list[int] = []
    self._kept: KeptLandmarks | None = None
    self._known = 0  # frames whose faces are known from before
    self._new: list[tuple[int, np.ndarray, np.ndarray]] = []

  def resume(self, kept: KeptLandmarks) -> None:
    """Takes what is kept of an earlier measurement."""
    for minute in kept.read():
      for identity in np.unique(minute['identities']).tolist():
        own = minute['identities'] == identity
        self._put(identity, minute['numbers'][own], minute['points'][own])
      self._known = int(minute['end'][0])
      self._tracker.resume(minute)
      self._forget(self._known)
    self._kept = kept

  def _put(self, identity: int, numbers, points) -> None:
    track = self._tracks.setdefault(identity, _Sightings())
    track.numbers.append(numbers)
    track.points.append(points)

  def add(self, piece: RecordingPiece, first: int) -> None:
    """Adds a piece whose first frame has a number."""
    if piece.images is None:
      return
    for k, image in zip(piece.shown, piece.images, strict=True):
      self._searched.append(first + k)
      if first + k < self._known:
        continue
      grey = self._detector.grey(image)
      self._waiting.append((first + k, grey))
      if len(self._waiting) >= min(_BLOCK, max(ROOM // grey.nbytes, 1)):
        self._search()

  def _search(self) -> None:
    """Gives the frames that wait to the tracker."""
    if not self._waiting:
      return
    numbers = np.array([number for number, _ in self._waiting], np.int32)
    found = self._tracker([grey for _, grey in self._waiting])
    self._waiting = []
    for track in found:
      own = numbers[track.found]
      points = track.points[track.found].astype(np.float32)
      self._put(track.identity, own, points)
      if self._kept is not None:
        self._new.append((track.identity, own, points))
    end = int(numbers[-1]) + 1
    self._forget(end)
    if self._kept is not None and end >= self._known + recorded_faces.MINUTE:
      self._kept.write(self._minute(end))
      self._new, self._known = [], end

  def _minute(self, end: int) -> dict[str, np.ndarray]:
    """Returns what was found since the last minute, and where faces are."""
    numbers = [own for _, own, _ in self._new]
    points = [rows for _, _, rows in self._new]
    empty = np.zeros((0, len(INNER), 2), np.float32)
    whose = [np.full(len(own), k, np.int32) for k, own, _ in self._new]
    return {
      'identities': np.concatenate([np.zeros(0, np.int32), *whose]),
      'numbers': np.concatenate([np.zeros(0, np.int32), *numbers]),
      'points': np.concatenate([empty, *points]),
      'end': np.array([end]),
      **self._tracker.state(),
    }

  def _forget(self, end: int) -> None:
    """Leaves out faces that are gone and have no time line.

    Args:
      end: number of the next frame.
    """
    if end > self._least:
      for identity in self._tracks.keys() - self._tracker.persons:
        if not self._lasts(self._tracks[identity], end):
          del self._tracks[identity]

  def _lasts(self, track: _Sightings, length: int) -> bool:
    """Returns whether a track has a time line, and counts it if it has none."""
    count = sum(map(len, track.numbers)) * self._every
    first, last = track.numbers[0][0], track.numbers[-1][-1]
    if not face_choice.lasts(count, length):
      self.brief += 1
      return False
    if length > self._least > last + self._every - first:
      self.short += 1
      return False
    return True

  def finish(self, length: int) -> tuple[RecordedFace, ...]:
    """Returns the faces with a time line, in the order of appearance."""
    self._search()
    searched = np.zeros(length + 1, bool)
    searched[self._searched] = True
    faces = []
    for identity in sorted(self._tracks):
      track = self._tracks.pop(identity)
      if self._lasts(track, length):
        faces.append(self._joined(track, searched))
    return tuple(faces)

  def _joined(self, track: _Sightings, searched: np.ndarray) -> RecordedFace:
    """Returns the face from the first to the last sighting."""
    numbers = np.concatenate(track.numbers)
    first = int(numbers[0])
    stop = min(int(numbers[-1]) + self._every, len(searched) - 1)
    # One frame more tells whether the face is there after the last sighting.
    points = np.zeros((stop + 1 - first, len(INNER), 2), np.float32)
    found = np.zeros(len(points), bool)
    points[numbers - first] = np.concatenate(track.points)
    found[numbers - first] = True
    if self._every > 1:
      near = searched[first : stop + 1]
      found = interpolate(points, found, near, self._every)
    return RecordedFace(first, points[:-1], found[:-1])
