"""Which of the faces of a clip is measured, or all of them in turn.

  largest   the largest one first found, followed by `landmarks.Detector`
  all       every person, each as a clip of its own
  left      the person who is furthest left in the image, on average
  right     the person who is furthest right

All but the first follow every face (`face_tracks`). A face that is seen for
less than half a second is taken for a false detection. For `left` and `right`
somebody who is seen for less than half as long as the one who is seen longest
does not count: who walks by is not meant.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from avjax.clips import FRAME_RATE, Note, RawClip
from avjax.errors import ConfigError
from avjax.features.face_tracks import Track, tracks
from avjax.features.landmarks import INNER, Detector

LARGEST, ALL, LEFT, RIGHT = CHOICES = ('largest', 'all', 'left', 'right')
"""The values of --face."""

_LEAST_S = 0.5  # seconds with a face, or half of a shorter clip
_SHARE = 0.5  # of the frames of the person who is seen longest


@dataclasses.dataclass(frozen=True)
class ChosenFace:
  """Which of the persons in a clip was measured.

  Attributes:
    number: of the person, from 1 in the order of appearance.
    count: of the persons in the clip.
    where: 'left', 'middle' or 'right', the third of the image.
  """

  number: int
  count: int
  where: str

  def __str__(self) -> str:
    return f'face {self.number} of {self.count} ({self.where})'


def check(face: str) -> None:
  """Raises ConfigError if `face` is not one of `CHOICES`."""
  if face not in CHOICES:
    raise ConfigError(
      f'face is {face!r}; it must be one of {", ".join(CHOICES)}'
    )


def refuse(face: str, why: str) -> None:
  """Raises ConfigError if another face than the largest is asked for.

  Args:
    face: one of `CHOICES`.
    why: what the landmarks are, so that there are no faces to choose from.
  """
  if face != LARGEST:
    raise ConfigError(
      f'face is {face!r} and the landmarks {why}, so that there are no faces to'
      ' choose from; leave out --face'
    )


def lasts(seen: int, length: int) -> bool:
  """Returns whether a face is seen for long enough to be that of a person.

  Args:
    seen: frames with the face.
    length: frames in all.
  """
  return seen >= min(_LEAST_S * FRAME_RATE, length / 2)


def lasting(found: Sequence[Track]) -> tuple[Track, ...]:
  """Returns the tracks that are long enough to be those of a person."""
  return tuple(t for t in found if lasts(int(t.found.sum()), len(t.found)))


def choose(
  seen: Sequence[int], middles: Sequence[float], face: str
) -> list[int]:
  """Returns which persons are meant: 'all', or the one 'left' or 'right'.

  Args:
    seen: frames with each person's face.
    middles: mean x of each face.
    face: 'all', 'left' or 'right'.

  Returns:
    their indices.

  Raises:
    ConfigError: `face` is something else.
  """
  if face not in (ALL, LEFT, RIGHT):
    raise ConfigError(
      f'face is {face!r}; tracks are chosen by all, left, right'
    )
  if face == ALL or not seen:
    return [*range(len(seen))]
  settled = [k for k, n in enumerate(seen) if n >= _SHARE * max(seen)]
  outermost = min if face == LEFT else max
  return [outermost(settled, key=lambda k: middles[k])]


def third(middle: float, width: int) -> str:
  """Returns the third of an image, so many pixels wide, in which a face is."""
  return ('left', 'middle', 'right')[min(max(int(3 * middle / width), 0), 2)]


def persons(
  raw: RawClip, face: str, detector: Detector
) -> tuple[tuple[RawClip, ChosenFace | None], ...]:
  """Returns the clip with the landmarks of each chosen person in turn.

  A clip without a face is returned once, with None.

  Args:
    raw: a decoded clip without landmarks.
    face: 'all', 'left' or 'right'.
    detector: finds faces and fits landmarks.
  """
  if raw.frames is None:
    return ((raw, None),)
  every, width = tracks(raw.frames, detector), raw.frames.shape[2]
  there = lasting(every)
  if brief := len(every) - len(there):
    text = f'left out for under half a second: {brief} of {len(every)} faces'
    raw = dataclasses.replace(raw, notes=(*raw.notes, Note('brief', text)))
  if not there:
    points = np.zeros((raw.length, len(INNER), 2))
    found = np.zeros(raw.length, bool)
    return ((dataclasses.replace(raw, points=points, found=found), None),)
  each = []
  seen = [int(track.found.sum()) for track in there]
  middles = [float(track.box[0] + track.box[2]) / 2 for track in there]
  for k in choose(seen, middles, face):
    person = ChosenFace(k + 1, len(there), third(middles[k], width))
    placed = dataclasses.replace(
      raw, points=there[k].points, found=there[k].found
    )
    each.append((placed, person))
  return tuple(each)
