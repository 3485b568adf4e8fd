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


def lasting(found: Sequence[Track]) -> tuple[Track, ...]:
  """Returns the tracks that are long enough to be those of a person."""
  return tuple(
    track
    for track in found
    if track.found.sum() >= min(_LEAST_S * FRAME_RATE, len(track.found) / 2)
  )


def choose(found: Sequence[Track], face: str) -> tuple[Track, ...]:
  """Returns the chosen tracks: 'all', or the one on the 'left' or 'right'.

  Args:
    found: those of persons; see `lasting`.
    face: 'all', 'left' or 'right'.

  Raises:
    ConfigError: `face` is something else.
  """
  if face not in (ALL, LEFT, RIGHT):
    raise ConfigError(
      f'face is {face!r}; tracks are chosen by all, left, right'
    )
  if face == ALL or not found:
    return tuple(found)
  longest = max(track.found.sum() for track in found)
  settled = [t for t in found if t.found.sum() >= _SHARE * longest]
  outermost = min if face == LEFT else max
  return (outermost(settled, key=_middle),)


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
  for track in choose(there, face):
    third = min(max(int(3 * _middle(track) / width), 0), 2)
    person = ChosenFace(
      there.index(track) + 1, len(there), ('left', 'middle', 'right')[third]
    )
    placed = dataclasses.replace(raw, points=track.points, found=track.found)
    each.append((placed, person))
  return tuple(each)


def _middle(track: Track) -> float:
  """Returns the mean x of a face, in pixels."""
  return float(track.box[0] + track.box[2]) / 2
