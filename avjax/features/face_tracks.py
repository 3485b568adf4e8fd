"""Tracks of all faces of a clip: whose face is where, in every frame (ours).

Every known person is looked for around the place where the face is expected,
and the whole frame is searched five times a second for others. The faces of a
frame are then given to the persons so that places and sizes fit best together
(the assignment of least cost). A person who is away for less than a second, or
three seconds behind another face, remains the same person; two who cross are
told apart by their movement.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from avjax.clips import FRAME_RATE
from avjax.features.face_matching import SAME, assigned, grouped, shared
from avjax.features.landmarks import CONFIDENT, INNER, Detector, Face, filled
from avjax.shapes import Bool, Float

_SEARCHES = 5  # of the whole frame, a second
_ABSENT_S = 1.0  # seconds after which a person who is not seen is forgotten
_HIDDEN = 3  # times as long if somebody else is in front
_FOLLOW = 0.2  # share of a new movement in the expected movement
_SLOWING = 0.97  # expected movement of a hidden face, from frame to frame
_STATE = (
  'person', 'box', 'zoom', 'score', 'latest', 'velocity', 'absent', 'missed'
)  # fmt: skip
"""Arrays with a row a person, in the order of `_Person`."""


@dataclasses.dataclass(frozen=True)
class Track:
  """One person's face over the frames of a clip, or of a piece of it.

  Attributes:
    identity: number of the person, from 0 in the order of appearance; from left
      to right among those who appear together.
    points: (T, 49, 2) landmarks (x, y) in pixels; frames without the face have
      those of the last one before, or of the first.
    found: (T,) whether the face was found in the frame.
    box: (4,) mean left, top, right and bottom of the found faces, in pixels.
  """

  identity: int
  points: Float[np.ndarray, 'T 49 2']
  found: Bool[np.ndarray, ' T']
  box: Float[np.ndarray, '4']


@dataclasses.dataclass(frozen=True)
class _Sighting:
  """A person's face in one frame, and its landmarks."""

  face: Face
  points: Float[np.ndarray, '49 2']


@dataclasses.dataclass
class _Person:
  """Somebody who was seen, and how the face moves."""

  identity: int
  latest: _Sighting
  velocity: Float[np.ndarray, '2'] = dataclasses.field(
    default_factory=lambda: np.zeros(2)
  )  # pixels a frame
  absent: int = 0  # frames since the latest sighting
  missed: int = 0  # those of them in which nobody was in front

  def expected(self) -> Face:
    """Returns the face where it should be in the next frame."""
    # The sum of the velocities of the frames since.
    steps = (1 - _SLOWING ** (self.absent + 1)) / (1 - _SLOWING)
    face = self.latest.face
    return face._replace(box=face.box + np.tile(steps * self.velocity, 2))

  def meet(self, now: _Sighting, crowded: bool) -> None:
    """Takes over the face of the next frame.

    Args:
      now: the face.
      crowded: whether another person is so near that the landmarks may be
        partly those of the other; then the velocity stays.
    """
    moved = now.points.mean(axis=0) - self.latest.points.mean(axis=0)
    if not crowded:
      step = moved / (self.absent + 1)
      self.velocity = self.velocity + _FOLLOW * (step - self.velocity)
    self.latest, self.absent, self.missed = now, 0, 0


class FaceTracker:
  """Follows all faces of a recording, piece by piece; deterministic.

  Between two calls only the persons of the last seconds are kept.

  Args:
    detector: finds faces and fits landmarks.
    rate: frames a second that it is given.
  """

  def __init__(self, detector: Detector, rate: float = FRAME_RATE):
    self._detector = detector
    self._pause = max(1, round(rate / _SEARCHES))
    self._absent = max(1, round(_ABSENT_S * rate))
    self._persons: list[_Person] = []
    self._known = 0  # persons so far
    self._frame = 0  # number of the next frame

  def __call__(
    self, frames: np.ndarray | Sequence[np.ndarray]
  ) -> tuple[Track, ...]:
    """Returns the tracks of all persons who are seen in the next frames.

    Frames before a face was found are tracked backwards, as far as this piece
    goes. A piece may be one frame.

    Args:
      frames: (T, height, width, 3) uint8 RGB, or the grey levels of each.
    """
    seen = [self._forwards(self._detector.grey(frame)) for frame in frames]
    for t in reversed(range(len(frames) - 1)):
      if missing := {k: v for k, v in seen[t + 1].items() if k not in seen[t]}:
        grey = self._detector.grey(frames[t])
        self._backwards(grey, seen[t], missing)
    return tuple(_track(k, seen) for k in sorted(set().union(*seen)))

  @property
  def persons(self) -> frozenset[int]:
    """Identities of those who are not forgotten."""
    return frozenset(person.identity for person in self._persons)

  def state(self) -> dict[str, np.ndarray]:
    """Returns what is known after a piece; see `resume`."""
    every = self._persons
    faces = [person.latest.face for person in every]
    fitted = [person.latest.points for person in every]
    return {
      'counts': np.array([self._known, self._frame]),
      'person': np.array([p.identity for p in every], int),
      'box': np.array([face.box for face in faces]).reshape(-1, 4),
      'zoom': np.array([face.zoom for face in faces], float),
      'score': np.array([face.score for face in faces], float),
      'latest': np.array(fitted).reshape(-1, len(INNER), 2),
      'velocity': np.array([p.velocity for p in every]).reshape(-1, 2),
      'absent': np.array([p.absent for p in every], int),
      'missed': np.array([p.missed for p in every], int),
    }

  def resume(self, state: Mapping[str, np.ndarray]) -> None:
    """Takes over what another tracker knew; it then goes on as that one.

    Args:
      state: of the other tracker.
    """
    self._known, self._frame = state['counts'].tolist()
    self._persons = [
      _Person(
        int(identity),
        _Sighting(Face(box, float(zoom), float(score)), points),
        velocity,
        int(absent),
        int(missed),
      )
      for identity, box, zoom, score, points, velocity, absent, missed in zip(
        *(state[k] for k in _STATE), strict=True
      )
    ]

  def _forwards(self, grey: np.ndarray) -> dict[int, _Sighting]:
    """Returns identity -> face of the next frame."""
    expected = [person.expected() for person in self._persons]
    groups = self._search(grey, expected)
    pairs = assigned(expected, [group[0][1] for group in groups])
    seen = {}
    for row, column in pairs.items():
      own = [face for source, face in groups[column] if source == row]
      face = own[0] if own else groups[column][0][1]
      now = _Sighting(face, self._detector.fit(grey, face))
      others = [box for k, box in enumerate(expected) if k != row]
      crowded = any(shared(face, other) > 0 for other in others)
      self._persons[row].meet(now, crowded)
      seen[self._persons[row].identity] = now
    missing = [k for k in range(len(expected)) if k not in pairs]
    self._miss([(self._persons[k], expected[k]) for k in missing], seen)
    rest = [g for k, g in enumerate(groups) if k not in pairs.values()]
    return seen | self._newcomers(grey, rest)

  def _search(self, grey, expected) -> list[list[tuple[int, Face]]]:
    """Returns the detections of each face, the best one first.

    Each has the row of the person near whom it was found, or -1.
    """
    found: list[tuple[int, Face]] = []
    for row, person in enumerate(self._persons):
      # A face that was just seen is looked for where it was, as Detector does.
      place = expected[row] if person.absent else person.latest.face
      found += [(row, face) for face in self._detector.near(grey, place)]
    if self._frame % self._pause == 0:
      found += [(-1, face) for face in self._detector.everywhere(grey)]
    self._frame += 1
    return grouped(found)

  def _miss(self, missing, seen) -> None:
    """Counts a frame without these persons; forgets who is away too long."""
    for person, face in missing:
      hidden = any(shared(face, other.face) > 0 for other in seen.values())
      person.absent += 1
      person.missed += not hidden
    longest = _HIDDEN * self._absent
    self._persons = [
      person
      for person in self._persons
      if person.missed < self._absent and person.absent < longest
    ]

  def _newcomers(self, grey, groups) -> dict[int, _Sighting]:
    """Returns identity -> face of the persons who appear in this frame."""
    faces = [
      group[0][1]
      for group in groups
      if group[0][1].score >= CONFIDENT or any(k < 0 for k, _ in group)
    ]
    seen = {}
    for face in sorted(faces, key=lambda face: face.box[0] + face.box[2]):
      now = _Sighting(face, self._detector.fit(grey, face))
      self._persons.append(_Person(self._known, now))
      seen[self._known] = now
      self._known += 1
    return seen

  def _backwards(self, grey, seen, missing) -> None:
    """Adds to a frame who is missing there and was seen in the next one."""
    for identity, after in missing.items():
      faces = [
        face
        for face in self._detector.near(grey, after.face)
        if not any(shared(face, other.face) > SAME for other in seen.values())
      ]
      if pairs := assigned([after.face], faces):
        face = faces[pairs[0]]
        seen[identity] = _Sighting(face, self._detector.fit(grey, face))


def tracks(frames: np.ndarray, detector: Detector) -> tuple[Track, ...]:
  """Returns the tracks of all faces of a clip, false ones included.

  Args:
    frames: (T, height, width, 3) uint8 RGB.
    detector: finds faces and fits landmarks.
  """
  return FaceTracker(detector)(frames)


def _track(identity: int, seen: Sequence[dict[int, _Sighting]]) -> Track:
  """Returns the track of a person who was seen in some frame."""
  found = np.array([identity in faces for faces in seen], bool)
  points = np.zeros((len(seen), len(INNER), 2))
  points[found] = [f[identity].points for f in seen if identity in f]
  boxes = [f[identity].face.box for f in seen if identity in f]
  return Track(identity, filled(points, found), found, np.mean(boxes, axis=0))
