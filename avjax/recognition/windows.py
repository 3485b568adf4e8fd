"""What is recognised in a recording of any length, window after window.

Every window is a clip of its own for the model: a few seconds of the
recording's features, which are measured once (`features.long_recordings`).
"""

import csv
import dataclasses
import io
import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.clips import FRAME_RATE, Clip, Note
from avjax.data import standardising
from avjax.errors import ConfigError
from avjax.features import long_recordings
from avjax.features.long_recordings import Recorded
from avjax.recognition import remarks
from avjax.recognition.recognised import printable
from avjax.recognition.recogniser import Recogniser
from avjax.reporting.over_time import OverTime
from avjax.shapes import Float

_TOGETHER = 256  # windows that are predicted at once

BY_RECORDING = {
  'speaker': 'the whole recording stands for the speaker',
  'recording': 'standardised by the whole recording',
  'enrolment': 'the whole recording stands for other recordings of the speaker',
}
"""How a model standardises -> the note on what that is for a window."""


@dataclasses.dataclass(frozen=True)
class RecordedTimeline:
  """The emotions of a recording over time.

  Attributes:
    path: of its file.
    emotions: names of the N classes.
    window: seconds of a window.
    hop: seconds from one window to the next.
    time: centre of each window, in seconds, to the nearest frame.
    probabilities: of the emotions in each window; each row sums to one.
    face: share of each window's frames with a face.
    audible: share of each window in which the file has sound.
    caveats: what makes the answer doubtful.
    notes: further remarks on the recording and its features.
    picture: the data of its picture.
  """

  path: str
  emotions: tuple[str, ...]
  window: float
  hop: float
  time: Float[np.ndarray, ' W']
  probabilities: Float[np.ndarray, 'W N']
  face: Float[np.ndarray, ' W']
  audible: Float[np.ndarray, ' W']
  caveats: tuple[str, ...]
  notes: tuple[Note, ...]
  picture: OverTime

  @property
  def seconds(self) -> float:
    """Duration of the recording."""
    return self.picture.seconds

  @property
  def rows(self) -> list[dict[str, Any]]:
    """A row a window: time, predicted emotion, probabilities, face, audible."""
    each = zip(
      self.time.tolist(),
      self.probabilities.tolist(),
      self.face.tolist(),
      self.audible.tolist(),
      strict=True,
    )
    return [
      {
        'time': round(time, 3),
        'predicted': self.emotions[int(np.argmax(shares))],
        **dict(zip(self.emotions, shares, strict=True)),
        'face': face,
        'audible': audible,
      }
      for time, shares, face, audible in each
    ]

  @property
  def mean(self) -> dict[str, float]:
    """Emotion -> mean probability over the recording."""
    shares = self.probabilities.mean(axis=0)
    return dict(zip(self.emotions, map(float, shares), strict=True))

  def to_dict(self) -> dict[str, Any]:
    """Returns the time line as bin/predict --json prints it."""
    return {
      'clip': self.path,
      'seconds': self.seconds,
      'window': self.window,
      'hop': self.hop,
      'caveats': list(self.caveats),
      'mean': self.mean,
      'notes': [note.text for note in self.notes],
      'timeline': self.rows,
    }

  def to_frame(self):
    """Returns the time line as a pandas DataFrame, a row a window.

    Raises:
      ConfigError: pandas is not installed.
    """
    try:
      import pandas
    except ImportError:
      raise ConfigError(
        'to_frame needs the package pandas; pip install pandas, or use to_dict'
      ) from None
    return pandas.DataFrame(self.rows)

  def to_csv(self, path: str | os.PathLike) -> None:
    """Writes the time line as a CSV file, a row a window.

    Raises:
      CheckpointError: the file cannot be written.
    """
    files.write_text(pathlib.Path(path), table(self.rows))

  def __str__(self) -> str:
    lines = [
      f'{printable(self.path)}: {self.seconds:.0f} s,'
      f' {len(self.time)} windows of {self.window:g} s'
    ]
    if self.caveats:
      lines[0] += f' - but {", ".join(self.caveats)}'
    most = self.probabilities.argmax(axis=1)
    for k, (name, share) in enumerate(self.mean.items()):
      first = np.count_nonzero(most == k) / len(most)
      lines.append(
        f'  {name:<10} {100 * share:5.1f} % on average, the most probable in'
        f' {100 * first:.0f} % of the windows'
      )
    lines += [f'  note: {note.text}' for note in self.notes]
    return '\n'.join(lines)


def table(rows: list[dict[str, Any]]) -> str:
  """Returns rows as CSV; numbers have six digits after the point."""
  text = io.StringIO()
  writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
  writer.writeheader()
  for row in rows:
    writer.writerow(
      {k: f'{v:.6f}' if isinstance(v, float) else v for k, v in row.items()}
    )
  return text.getvalue()


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
) -> RecordedTimeline:
  """Returns the emotions of a recording over time.

  Windows begin every `hop` seconds, as long as they are whole; a recording that
  is shorter than a window is one. A model whose clips are standardised takes
  the statistics of the whole recording.

  Args:
    recogniser: with an extractor.
    recorded: a recording, measured with that.
    window: seconds.
    hop: seconds from one window to the next.
    enrolled: other recordings of the speaker; then their statistics count.
  """
  fitted = recogniser.extractor
  assert fitted is not None
  size = min(round(window * FRAME_RATE), recorded.length)
  count = int((recorded.length - size) / (hop * FRAME_RATE) + 1e-9) + 1
  starts = [round(k * hop * FRAME_RATE) for k in range(count)]
  starts = [start for start in starts if start + size <= recorded.length]

  def clip(start: int) -> Clip:
    streams = long_recordings.window(recorded, fitted, start, start + size)
    return Clip(f'{start / FRAME_RATE:.2f} s', streams, speaker=recorded.path)

  how = recogniser.standardise
  apart = list(enrolled)
  if how != 'none' and not apart:
    tiles = range(0, recorded.length - size + 1, size)
    apart = [clip(start) for start in tiles]
  ready = standardising.windows(
    map(clip, starts), how, apart, recogniser.average
  )
  shares = [recogniser.outcome(some).probabilities for some in _batches(ready)]
  spans = [slice(start, start + size) for start in starts]
  notes = [*recorded.notes, *remarks.of_features(fitted, recogniser.streams)]
  notes += _face_notes(recorded)
  if enrolled:
    notes += remarks.of_standardising(how, len(enrolled))
  elif how in BY_RECORDING:
    notes.append(Note('recording', BY_RECORDING[how]))
  caveats, rest = remarks.divided(notes, recogniser.streams)
  time = np.arange(len(starts)) * hop + size / 2 / FRAME_RATE
  probabilities = np.concatenate(shares)
  picture = OverTime(
    name=pathlib.Path(recorded.path).name,
    seconds=recorded.length / FRAME_RATE,
    emotions=recogniser.emotions,
    window=size / FRAME_RATE,
    hop=hop,
    time=time,
    probabilities=probabilities,
    numbers=recorded.numbers,
    pictures=recorded.pictures,
    found=recorded.found if recorded.looked else recorded.found[:0],
    level=recorded.level,
    audible=recorded.audible,
    caveats=caveats,
    notes=tuple(note.text for note in rest),
  )
  return RecordedTimeline(
    recorded.path,
    recogniser.emotions,
    picture.window,
    hop,
    time,
    probabilities,
    np.array([recorded.found[span].mean() for span in spans]),
    np.array([recorded.audible[span].mean() for span in spans], float),
    caveats,
    rest,
    picture,
  )


def _batches(clips: Iterator[Clip]) -> Iterator[list[Clip]]:
  while some := list(itertools.islice(clips, _TOGETHER)):
    yield some


def _face_notes(recorded: Recorded) -> list[Note]:
  """Returns in how much of the recording there is a face, if not in all."""
  share = recorded.found.mean()
  if not recorded.looked or share == 1:
    return []
  if not share:
    return [Note('no face', 'no face in any frame')]
  text = f'a face in {100 * share:.0f} % of the frames'
  return [Note('no face' if share < 0.5 else 'face', text)]
