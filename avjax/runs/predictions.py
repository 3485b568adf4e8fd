"""predictions.csv: one line for each clip of every evaluated split.

The names of clips and labels are written as they are.
"""

import csv
import dataclasses
import io
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.clips import Clip
from avjax.metrics import classification
from avjax.records import RUN, MismatchError
from avjax.runs.results import Scores
from avjax.shapes import Array, Int
from avjax.training.outcome import Outcome, without_maps

_HEAD = ['clip', 'split', 'label', 'predicted']
_ROUNDING = 0.5e-6  # the probabilities have six decimals


@dataclasses.dataclass(frozen=True)
class Predictions:
  """The labelled lines of one split.

  Attributes:
    clips: names of the clips.
    label: (clips,) index of the true emotion.
    predicted: (clips,) index of the most probable emotion.
    probabilities: (clips, N); each row sums to one.
  """

  clips: tuple[str, ...]
  label: np.ndarray
  predicted: np.ndarray
  probabilities: np.ndarray

  @property
  def right(self) -> np.ndarray:
    """(clips,) bool, whether each prediction is right."""
    return self.label == self.predicted

  @property
  def counts(self) -> Int[Array, 'N N']:
    """Confusion counts; rows are true classes."""
    classes = self.probabilities.shape[1]
    return classification.confusion(self.label, self.predicted, classes)


@dataclasses.dataclass(frozen=True)
class Line:
  """One line: a clip of a split.

  Attributes:
    clip: its name.
    split: its split.
    label: the true emotion, or '' if it is not known.
    predicted: the most probable emotion.
    shares: the probabilities as they are written.
  """

  clip: str
  split: str
  label: str
  predicted: str
  shares: tuple[str, ...]


def lines_of(outcomes: Mapping[str, Outcome]) -> list[Line]:
  """Returns the lines for split -> predictions for its clips."""
  return [
    Line(
      clip.name,
      split,
      clip.label or '',
      outcome.emotions[n],
      tuple(f'{share:.6f}' for share in row),
    )
    for split, outcome in outcomes.items()
    for clip, n, row in zip(
      outcome.clips, outcome.predicted, outcome.probabilities, strict=True
    )
  ]


def write(
  path: pathlib.Path, lines: Iterable[Line], emotions: Sequence[str]
) -> None:
  """Writes the lines as a CSV file."""
  rows: list[list[Any]] = [[*_HEAD, *emotions]]
  rows += [[x.clip, x.split, x.label, x.predicted, *x.shares] for x in lines]
  file = io.StringIO()
  csv.writer(file, lineterminator='\n').writerows(rows)
  files.write_text(path, file.getvalue())


def read(
  path: pathlib.Path,
  splits: Mapping[str, Scores],
  emotions: Sequence[str] | None,
) -> list[Line]:
  """Returns the lines, which agree with the scores of their splits.

  Args:
    path: of the file.
    splits: split -> its scores in results.json.
    emotions: names of the classes; None for those of the file.

  Raises:
    CheckpointError: the file is missing or damaged, or disagrees.
  """
  head, rows = RUN.table(path)
  try:
    names = head[len(_HEAD) :]
    emotions = list(names if emotions is None else emotions)
    if head != [*_HEAD, *emotions] or len(set(emotions)) < len(emotions):
      raise MismatchError('its head is not that of the predictions of the run')
    lines = []
    for number, (clip, split, label, predicted, *shares) in enumerate(rows, 2):
      line = Line(clip, split, label, predicted, tuple(shares))
      _check_line(line, splits, emotions, f'row {number}')
      lines.append(line)
    for split, scores in splits.items():
      own = [line for line in lines if line.split == split]
      _check_split(split, own, scores, emotions)
  except MismatchError as error:
    raise RUN.fault(path, error) from None
  return lines


def labelled(
  lines: Iterable[Line], split: str, emotions: Sequence[str]
) -> Predictions:
  """Returns the labelled lines of one split."""
  own = [line for line in lines if line.split == split and line.label]
  index = {name: k for k, name in enumerate(emotions)}
  shares = np.array([[float(x) for x in line.shares] for line in own])
  return Predictions(
    clips=tuple(line.clip for line in own),
    label=np.array([index[line.label] for line in own], np.int64),
    predicted=np.array([index[line.predicted] for line in own], np.int64),
    probabilities=shares.reshape(-1, len(emotions)),
  )


def averaged(
  members: Sequence[Sequence[Line]], emotions: Sequence[str]
) -> Outcome:
  """Returns the mean of several models' probabilities for the same clips.

  They are averaged as they are written, with six decimals, so that files and
  new predictions give the same mean.

  Args:
    members: the lines of each model, for the same clips in the same order.
    emotions: names of the classes.
  """
  shares = [[[float(x) for x in line.shares] for line in m] for m in members]
  return without_maps(
    [Clip(line.clip, {}, line.label or None) for line in members[0]],
    tuple(emotions),
    np.mean(shares, axis=0).reshape(-1, len(emotions)),
  )


def _check_line(
  line: Line, splits: Mapping[str, Scores], emotions: Sequence[str], where: str
) -> None:
  """Raises MismatchError unless a line may stand in the file."""
  if line.split not in splits:
    raise MismatchError(
      f'{where}: the split {line.split!r:.60} has no scores in results.json'
    )
  for name in (line.label, line.predicted):
    if name not in emotions and not (name == line.label == ''):
      raise MismatchError(f'{where}: {name!r:.60} is no emotion of the run')
  try:
    shares = [float(text) for text in line.shares]
    plain = [f'{share:.6f}' for share in shares] == list(line.shares)
  except ValueError:
    plain = False
  if not plain or not all(0 <= share <= 1 for share in shares):
    raise MismatchError(f'{where}: not probabilities with six decimals')
  if abs(math.fsum(shares) - 1) > _ROUNDING * len(shares) + 1e-9:
    raise MismatchError(f'{where}: its probabilities do not sum to 1')
  if shares[emotions.index(line.predicted)] < max(shares):
    raise MismatchError(
      f'{where}: {line.predicted!r:.60} is not its most probable emotion'
    )


def _check_split(
  split: str, lines: Sequence[Line], scores: Scores, emotions: Sequence[str]
) -> None:
  """Raises MismatchError unless lines and scores of a split agree."""
  seen = set()
  for line in lines:
    if line.clip in seen:
      raise MismatchError(f'the {split} clip {line.clip!r:.60} is there twice')
    seen.add(line.clip)
  known = labelled(lines, split, emotions)
  unlabelled = len(lines) - len(known.clips)
  if (len(known.clips), unlabelled) != (
    scores['n'],
    scores.get('unlabelled', unlabelled),
  ):
    raise MismatchError(
      f'it has {len(lines)} {split} clips, {unlabelled} of them without a'
      f' label, and results.json {scores["n"]} with and'
      f' {scores.get("unlabelled", 0)} without'
    )
  if not scores['n']:
    return
  if scores['confusion'] != known.counts.tolist():
    raise MismatchError(
      f'its {split} clips have other confusion counts than results.json'
    )
  for name, value in classification.summary(known.counts, emotions).items():
    if not _same(value, scores[name]):  # type: ignore[literal-required]
      raise MismatchError(f'{name} of {split} in results.json is another')


def _same(one: Any, other: Any) -> bool:
  """Returns whether two scores are the same, within rounding."""
  if isinstance(one, list):
    return len(one) == len(other) and all(map(_same, one, other))
  if isinstance(one, float):
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
  return one == other
