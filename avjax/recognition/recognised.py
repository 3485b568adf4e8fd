"""What a recogniser says of one clip."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from avjax.clips import FRAME_RATE, Note, RawClip
from avjax.errors import ConfigError
from avjax.features.face_choice import ChosenFace
from avjax.recognition.ablation import ABLATED
from avjax.reporting.timeline import Timeline
from avjax.shapes import Array, Bool, Float
from avjax.training.outcome import Outcome


@dataclasses.dataclass(frozen=True)
class Recognised:
  """The emotion that was recognised in one clip.

  Attributes:
    path: of the clip, or the name of one that was no file.
    probabilities: emotion -> probability.
    ablated: 'audio off' and 'vision off' -> probabilities; empty if they were
      not asked for, and for a model without an audio stream.
    caveats: what makes the answer doubtful.
    notes: further remarks on the clip and its features.
    timeline: the data of its picture.
    face: which face it is of several; None if it was not chosen, or none found.
  """

  path: str
  probabilities: dict[str, float]
  ablated: dict[str, dict[str, float]]
  caveats: tuple[str, ...]
  notes: tuple[Note, ...]
  timeline: Timeline
  face: ChosenFace | None = None

  @classmethod
  def of(
    cls,
    name: str,
    raw: RawClip | None,
    found: Bool[np.ndarray, ' T'] | None,
    outcome: Outcome,
    divided: tuple[tuple[str, ...], tuple[Note, ...]],
  ) -> 'Recognised':
    """Returns what is said of one clip.

    Args:
      name: of the clip, or its path.
      raw: the decoded clip, with the frames to show; None of features.
      found: whether a face was found in each frame; None if none was looked
        for.
      outcome: of the clip and its ablations.
      divided: caveats and notes.
    """
    shares = [
      dict(zip(outcome.emotions, map(float, row), strict=True))
      for row in outcome.probabilities
    ]
    caveats, notes = divided
    timeline = Timeline(
      name=pathlib.Path(name).name,
      emotions=outcome.emotions,
      probabilities=outcome.probabilities[0],
      frames=raw.frames if raw else None,
      length=raw.length if raw else 0,
      waveform=raw.waveform if raw and raw.audible.any() else None,
      found=found,
      attention=outcome.attention[0],
      alignment=outcome.alignment[0],
      label=None,
      caveats=caveats,
      notes=tuple(note.text for note in notes),
    )
    ablated = dict(zip(ABLATED, shares[1:], strict=False))
    return cls(name, shares[0], ablated, caveats, notes, timeline)

  @property
  def emotion(self) -> str:
    """The most probable emotion."""
    return max(self.probabilities, key=lambda k: self.probabilities[k])

  @property
  def headline(self) -> str:
    """The clip, its emotion and the caveats, on one line."""
    which = f', {self.face}' if self.face else ''
    text = f'{printable(self.path)}{which}: {self.emotion}'
    return text + (f' - but {", ".join(self.caveats)}' if self.caveats else '')

  @property
  def attention(self) -> Float[Array, 'N T'] | None:
    """The attention of every emotion to every video frame (Eq. 10).

    None for a model without attention.
    """
    return self.timeline.attention

  @property
  def alignment(self) -> Float[Array, 'T W'] | None:
    """The alignment weights of every video frame (Eq. 4).

    None for a model without alignment.
    """
    return self.timeline.alignment

  @property
  def found(self) -> Bool[Array, ' T'] | None:
    """Whether a face was found in each frame; None if none was looked for."""
    return self.timeline.found

  def of_face(self, path: str, face: ChosenFace | None) -> 'Recognised':
    """Returns the same as the answer for one face of a clip.

    Args:
      path: of the clip.
      face: which one it is; None if the clip has no face.
    """
    which = f', {face}' if face else ''
    name = f'{pathlib.Path(path).name}{which}'
    timeline = dataclasses.replace(self.timeline, name=name)
    return dataclasses.replace(self, path=path, face=face, timeline=timeline)

  def to_dict(self) -> dict[str, Any]:
    """Returns the answer as bin/predict --json prints it."""
    face = {'face': dataclasses.asdict(self.face)} if self.face else {}
    return {
      'clip': self.path,
      **face,
      'headline': self.headline,
      'predicted': self.emotion,
      'caveats': list(self.caveats),
      'probabilities': self.probabilities,
      'ablated': self.ablated,
      'notes': [note.text for note in self.notes],
    }

  def to_frame(self, by: str = 'clip'):
    """Returns the answer as a pandas DataFrame.

    Args:
      by: 'clip' for one row, with a column an emotion; `pandas.concat` makes a
        table of many. 'frame' for a row a video frame: 'time' in seconds,
        'face' if one was looked for, and the attention of every emotion.

    Raises:
      ConfigError: pandas is not installed, or `by` is something else.
    """
    if by not in ('clip', 'frame'):
      raise ConfigError(f"by is {by!r}; it must be 'clip' or 'frame'")
    try:
      import pandas
    except ImportError:
      raise ConfigError(
        'to_frame needs the package pandas; pip install pandas, or use to_dict'
      ) from None
    if by == 'clip':
      row = {'clip': self.path, 'predicted': self.emotion, **self.probabilities}
      if self.face:
        row['face'] = str(self.face)
      return pandas.DataFrame([row | {'caveats': ', '.join(self.caveats)}])
    columns: dict[str, Any] = {}
    if self.found is not None:
      columns['face'] = self.found
    if self.attention is not None:
      columns |= dict(zip(self.probabilities, self.attention, strict=True))
    frames = len(next(iter(columns.values()), ()))
    return pandas.DataFrame({'time': np.arange(frames) / FRAME_RATE} | columns)

  def __str__(self) -> str:
    lines = [self.headline]
    for name, share in self.probabilities.items():
      lines.append(f'  {name:<10} {100 * share:5.1f} %')
    for name, shares in self.ablated.items():
      best = max(shares, key=lambda k: shares[k])
      lines.append(f'  {name}: {best} {100 * shares[best]:.1f} %')
    lines += [f'  note: {note.text}' for note in self.notes]
    return '\n'.join(lines)


@dataclasses.dataclass(frozen=True)
class Unrecognised:
  """A clip in which nothing can be recognised, and the reason."""

  path: str
  reason: str

  def __str__(self) -> str:
    return f'left out {printable(self.path)}: {printable(self.reason)}'


def printable(text: str) -> str:
  """Returns the text with escapes for what a terminal would obey or refuse."""
  return ''.join(
    c if c.isprintable() else c.encode('unicode_escape').decode() for c in text
  )
