"""What a recogniser says of a recording: time lines of one face, or of all."""

import abc
import csv
import dataclasses
import io
import os
import pathlib
from typing import Any

import numpy as np

from avjax import files
from avjax.clips import Note
from avjax.errors import ConfigError
from avjax.features.face_choice import ChosenFace
from avjax.recognition.recognised import printable
from avjax.reporting.over_time import OverTime
from avjax.shapes import Float


class _Table(abc.ABC):
  """What has rows of a table."""

  @property
  @abc.abstractmethod
  def rows(self) -> list[dict[str, Any]]:
    """One row per window."""

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


@dataclasses.dataclass(frozen=True)
class RecordedTimeline(_Table):
  """The emotions of a recording over time, in one face.

  Attributes:
    path: of its file.
    emotions: names of the N classes.
    window: seconds of a window.
    hop: seconds from one window to the next.
    time: centre of each window, in seconds, to the nearest frame.
    probabilities: of the emotions in each window; each row sums to one.
    found: share of each window's frames with the face.
    audible: share of each window in which the file has sound.
    caveats: what makes the answer doubtful.
    notes: further remarks on the recording and its features.
    picture: the data of its picture.
    face: which face it is of several; None if it was not chosen, or none found.
  """

  path: str
  emotions: tuple[str, ...]
  window: float
  hop: float
  time: Float[np.ndarray, ' W']
  probabilities: Float[np.ndarray, 'W N']
  found: Float[np.ndarray, ' W']
  audible: Float[np.ndarray, ' W']
  caveats: tuple[str, ...]
  notes: tuple[Note, ...]
  picture: OverTime
  face: ChosenFace | None = None

  @property
  def seconds(self) -> float:
    """Duration of the recording."""
    return self.picture.seconds

  @property
  def rows(self) -> list[dict[str, Any]]:
    """A row a window: time, emotion, probabilities, shares found and audible.

    That of a chosen face begins with its number.
    """
    number = {'face': self.face.number} if self.face else {}
    each = zip(
      self.time.tolist(),
      self.probabilities.tolist(),
      self.found.tolist(),
      self.audible.tolist(),
      strict=True,
    )
    return [
      {
        **number,
        'time': round(time, 3),
        'predicted': self.emotions[int(np.argmax(shares))],
        **dict(zip(self.emotions, shares, strict=True)),
        'found': found,
        'audible': audible,
      }
      for time, shares, found, audible in each
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
      **({'face': dataclasses.asdict(self.face)} if self.face else {}),
      'seconds': self.seconds,
      'window': self.window,
      'hop': self.hop,
      'caveats': list(self.caveats),
      'mean': self.mean,
      'notes': [note.text for note in self.notes],
      'timeline': self.rows,
    }

  def __str__(self) -> str:
    which = f', {self.face}' if self.face else ''
    about = f'{printable(self.path)}{which}: {self.seconds:.0f} s, '
    return about + self.summary()

  def summary(self) -> str:
    """Returns what is recognised, in some lines."""
    lines = [f'{len(self.time)} windows of {self.window:g} s']
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


@dataclasses.dataclass(frozen=True)
class FaceTimelines(_Table):
  """The emotions of a recording over time, in every face.

  Attributes:
    path: of its file.
    count: number of faces with a time line; 0 if there is none. Then the only
      time line is that of nobody, by the sound.
    faces: the time line of each.
    caveats: what makes all of it doubtful.
    notes: further remarks on the recording and its features.
    picture: the data of its picture.
  """

  path: str
  count: int
  faces: tuple[RecordedTimeline, ...]
  caveats: tuple[str, ...]
  notes: tuple[Note, ...]
  picture: OverTime

  @property
  def rows(self) -> list[dict[str, Any]]:
    """The rows of each face in turn, that begin with its number, or with ''."""
    return [{'face': ''} | row for face in self.faces for row in face.rows]

  def to_dict(self) -> dict[str, Any]:
    """Returns the time lines as bin/predict --json prints them."""
    return {
      'clip': self.path,
      'seconds': self.picture.seconds,
      'window': self.picture.window,
      'hop': self.picture.hop,
      'count': self.count,
      'caveats': list(self.caveats),
      'notes': [note.text for note in self.notes],
      'faces': [
        {
          **(dataclasses.asdict(line.face) if line.face else {}),
          'mean': line.mean,
          'caveats': list(line.caveats),
          'notes': [note.text for note in line.notes],
        }
        for line in self.faces
      ],
      'timeline': self.rows,
    }

  def __str__(self) -> str:
    faces = f'{self.count} face{"s" if self.count != 1 else ""}'
    lines = [f'{printable(self.path)}: {self.picture.seconds:.0f} s, {faces}']
    if self.caveats:
      lines[0] += f' - but {", ".join(self.caveats)}'
    for line in self.faces:
      lines.append(f'{line.face or "no face"}: {line.summary()}')
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
