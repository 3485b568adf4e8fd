"""What is recognised in a recording of any length, window after window.

Every window is a clip of its own for the model: a few seconds of the
recording's features, which are measured once (`features.long_recordings`).
"""

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from avjax.clips import AUDIO, FRAME_RATE, SOUND, Clip, Note
from avjax.data import standardising
from avjax.errors import ConfigError
from avjax.features import face_choice, long_recordings
from avjax.features.face_choice import ChosenFace
from avjax.features.long_recordings import Recorded
from avjax.features.recorded_faces import RecordedFace
from avjax.recognition import remarks
from avjax.recognition.recogniser import Recogniser
from avjax.recognition.recorded_timeline import FaceTimelines, RecordedTimeline
from avjax.reporting.over_time import FaceOverTime, OverTime
from avjax.shapes import Bool, Float, Int

_TOGETHER = 256  # windows that are predicted at once
_THERE = 0.5  # of the frames of a window, to be one of a face
_AROUND = 0.2  # of the extent of the landmarks, on each side of a drawn face

BY_RECORDING = {
  'speaker': '{} stands for the speaker',
  'recording': 'standardised by {}',
  'enrolment': '{} stands for other recordings of the speaker',
}
"""How a model standardises -> the note on what that is for a window, with room
for what is meant."""


def check(window: float, hop: float, every: int) -> None:
  """Raises ConfigError for a window, a hop or a distance that makes no sense.

  Args:
    window: in seconds.
    hop: in seconds.
    every: every how many frames are searched for a face.
  """
  if not 1 / FRAME_RATE <= window <= 600:
    raise ConfigError(
      f'the window is {window:g} s; give 0.04 to 600 s, such as 4'
    )
  if not 1 / FRAME_RATE <= hop <= 600:
    raise ConfigError(f'the hop is {hop:g} s; give 0.04 to 600 s, such as 0.5')
  if not 1 <= every <= 10:
    raise ConfigError(
      f'landmarks are asked for in every {every}-th frame; give 1 to 10'
    )


def timeline(
  recogniser: Recogniser,
  recorded: Recorded,
  window: float = 4.0,
  hop: float = 0.5,
  enrolled: Sequence[Clip] = (),
  face: str = face_choice.LARGEST,
) -> RecordedTimeline | FaceTimelines:
  """Returns the emotions of a recording over time; for 'all', of every face.

  Windows begin every `hop` seconds, as long as they are whole; a recording that
  is shorter than a window is one. Another face than the largest has those in
  which it is in half of the frames or more. A model whose clips are
  standardised takes the statistics of the whole recording, or of the face.

  Args:
    recogniser: with an extractor.
    recorded: a recording, measured with that, for this face.
    window: seconds.
    hop: seconds from one window to the next.
    enrolled: other recordings of the speaker; then their statistics count.
    face: one of `face_choice.CHOICES`.
  """
  size = min(frames(window), recorded.length)
  asked = _Windows(recogniser, recorded, size, hop, tuple(enrolled))
  if face == face_choice.LARGEST:
    largest = next(iter(recorded.faces), None)
    notes = [*asked.notes('the whole recording'), *remarks.of_share(recorded)]
    return asked.line(largest, None, notes)
  there = [one for one in recorded.faces if asked.with_face(one).any()]
  notes = asked.notes('all that shows the face')
  notes += remarks.of_left_out(recorded, len(there), size)
  if len(there) > 1 and {AUDIO, SOUND} & set(recogniser.streams):
    notes.append(Note('voices', 'no voice is attributed to one of the faces'))
  seen = [int(one.found.sum()) for one in there]
  middles = [one.middle for one in there]
  chosen = [
    (
      there[k],
      ChosenFace(
        k + 1, len(there), face_choice.third(middles[k], recorded.size[0])
      ),
    )
    for k in face_choice.choose(seen, middles, face)
  ]
  if face == face_choice.ALL:
    return _together(asked, chosen, notes)
  for one, which in chosen:
    return asked.line(one, which, [*notes, remarks.of_span(one)])
  return asked.line(None, None, [*notes, *remarks.of_nobody(recorded)])


def frames(window: float) -> int:
  """Returns the number of frames of a window of some seconds."""
  return round(window * FRAME_RATE)


@dataclasses.dataclass(frozen=True)
class _Windows:
  """The windows of a recording, to be recognised in each of its faces."""

  recogniser: Recogniser
  recorded: Recorded
  size: int
  hop: float
  enrolled: tuple[Clip, ...]

  @functools.cached_property
  def starts(self) -> Int[np.ndarray, ' W']:
    """Numbers of the first frame of each window."""
    step, last = self.hop * FRAME_RATE, self.recorded.length - self.size
    count = int(last / step + 1e-9) + 1
    starts = np.array([round(k * step) for k in range(count)])
    return starts[starts <= last]

  def with_face(
    self, face: RecordedFace, starts: Int[np.ndarray, ' W'] | None = None
  ) -> Bool[np.ndarray, ' W']:
    """Returns in which windows a face is; None: of all `starts`."""
    starts = self.starts if starts is None else starts
    seen = np.append(0, np.cumsum(face.found))
    first, end = (
      np.clip(at - face.first, 0, len(face.found))
      for at in (starts, starts + self.size)
    )
    return seen[end] - seen[first] >= _THERE * self.size

  def notes(self, whole: str) -> list[Note]:
    """Returns the remarks that hold for every face.

    Args:
      whole: by what windows are standardised, in words.
    """
    recogniser, fitted = self.recogniser, self.recogniser.extractor
    assert fitted is not None
    notes = [*self.recorded.notes]
    notes += remarks.of_features(fitted, recogniser.streams)
    how = recogniser.standardise
    if self.enrolled:
      notes += remarks.of_standardising(how, len(self.enrolled))
    elif how in BY_RECORDING:
      notes.append(Note('recording', BY_RECORDING[how].format(whole)))
    return notes

  def line(
    self,
    face: RecordedFace | None,
    which: ChosenFace | None,
    notes: Sequence[Note],
  ) -> RecordedTimeline:
    """Returns the time line of a face.

    Args:
      face: whose landmarks count; None: of nobody.
      which: the face, if it was chosen; its time line has the windows with it.
      notes: remarks on it.
    """
    recogniser, recorded, size = self.recogniser, self.recorded, self.size
    fitted = recogniser.extractor
    assert fitted is not None
    chosen = np.ones(len(self.starts), bool)
    if face is not None and which is not None:
      chosen = self.with_face(face)
    starts = self.starts[chosen].tolist()

    def clip(start: int) -> Clip:
      streams = long_recordings.window(
        recorded, fitted, start, start + size, face
      )
      return Clip(f'{start / FRAME_RATE:.2f} s', streams, speaker=recorded.path)

    how, apart = recogniser.standardise, list(self.enrolled)
    if how != 'none' and not apart:
      tiles = np.arange(starts[0], recorded.length - size + 1, size)
      if face is not None and which is not None:
        tiles = tiles[self.with_face(face, tiles)]
      apart = [clip(start) for start in tiles.tolist()]
    ready = standardising.windows(
      map(clip, starts), how, apart, recogniser.average
    )
    shares = [
      recogniser.outcome(some).probabilities for some in _batches(ready)
    ]
    caveats, rest = remarks.divided(notes, recogniser.streams)
    time = np.flatnonzero(chosen) * self.hop + size / 2 / FRAME_RATE
    probabilities = np.concatenate(shares)
    found = _found(recorded, face)
    spans = [slice(start, start + size) for start in starts]
    seen = FaceOverTime(
      str(which or ''),
      time,
      probabilities,
      found if recorded.looked else found[:0],
      _boxes(recorded, face),
    )
    return RecordedTimeline(
      recorded.path,
      recogniser.emotions,
      size / FRAME_RATE,
      self.hop,
      time,
      probabilities,
      np.array([found[span].mean() for span in spans]),
      np.array([recorded.audible[span].mean() for span in spans], float),
      caveats,
      rest,
      self._picture(seen, caveats, rest),
      which,
    )

  def _picture(self, face: FaceOverTime, caveats, notes) -> OverTime:
    recorded = self.recorded
    return OverTime(
      name=pathlib.Path(recorded.path).name,
      seconds=recorded.length / FRAME_RATE,
      emotions=self.recogniser.emotions,
      window=self.size / FRAME_RATE,
      hop=self.hop,
      faces=(face,),
      numbers=recorded.numbers,
      pictures=recorded.pictures,
      level=recorded.level,
      audible=recorded.audible,
      caveats=caveats,
      notes=tuple(note.text for note in notes),
    )


def _together(
  asked: _Windows,
  chosen: Sequence[tuple[RecordedFace, ChosenFace]],
  notes: Sequence[Note],
) -> FaceTimelines:
  """Returns the time lines of all faces, or of nobody's where there is none."""
  if chosen:
    lines = tuple(
      asked.line(one, who, [remarks.of_span(one)]) for one, who in chosen
    )
  else:
    lines = (asked.line(None, None, []),)
    notes = [*notes, *remarks.of_nobody(asked.recorded)]
  caveats, rest = remarks.divided(notes, asked.recogniser.streams)
  picture = dataclasses.replace(
    lines[0].picture,
    faces=tuple(line.picture.faces[0] for line in lines),
    caveats=caveats,
    notes=tuple(note.text for note in rest),
  )
  path = asked.recorded.path
  return FaceTimelines(path, len(chosen), lines, caveats, rest, picture)


def _batches(clips: Iterator[Clip]) -> Iterator[list[Clip]]:
  while some := list(itertools.islice(clips, _TOGETHER)):
    yield some


def _found(
  recorded: Recorded, face: RecordedFace | None
) -> Bool[np.ndarray, ' T']:
  """Returns in which frames of the recording a face was found."""
  found = np.zeros(recorded.length, bool)
  if face is not None:
    found[face.first : face.first + len(face.found)] = face.found
  return found


def _boxes(
  recorded: Recorded, face: RecordedFace | None
) -> Float[np.ndarray, 'K 4']:
  """Returns the place of a face in each small picture, see `FaceOverTime`."""
  boxes = np.full((len(recorded.numbers), 4), np.nan)
  if face is None:
    return boxes
  for k, number in enumerate(recorded.numbers):
    points, found = face.part(number, number + 1)
    if found[0]:
      low, high = points[0].min(axis=0), points[0].max(axis=0)
      edge = _AROUND * (high - low)
      boxes[k] = np.append(low - edge, high + edge)
  return boxes / np.tile(np.maximum(recorded.size, 1), 2)
