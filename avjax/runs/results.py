"""The content of results.json and metrics.jsonl, as types."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from avjax.records import MismatchError


class AttentionScores(TypedDict):
  """See `metrics.attention.summary`."""

  mass_over_uniform: float


class AlignmentScores(TypedDict):
  """See `metrics.attention.summary`."""

  weight: float
  error: float
  weight_uniform: float
  error_uniform: float


class Scores(TypedDict):
  """The scores of one split; see `training.outcome.Outcome.summary`.

  A split without a labelled clip has `n` = 0 and `unlabelled` only.
  """

  n: int
  unlabelled: NotRequired[int]
  correct: NotRequired[int]
  accuracy: NotRequired[float]
  accuracy_interval_95: NotRequired[list[float]]
  uar: NotRequired[float]
  macro_f1: NotRequired[float]
  emotions: NotRequired[list[str]]
  confusion: NotRequired[list[list[int]]]
  loss: NotRequired[float]
  attention: NotRequired[AttentionScores]
  alignment: NotRequired[AlignmentScores]


class Spread(TypedDict):
  """The accuracies of several folds or seeds."""

  mean: float
  deviation: float
  each: list[float]


class EnsembleScores(TypedDict):
  """The scores of the averaged probabilities of several seeds.

  With folds, `splits` has the test clips of all folds, `folds` the accuracies
  of the ensemble of each fold. `members` is the number of seeds.
  """

  members: int
  splits: dict[str, Scores]
  folds: NotRequired[dict[str, Spread]]


class GroupScores(TypedDict):
  """The scores of a group of clips; see `metrics.groups.scores`."""

  n: int
  speakers: int
  correct: int
  accuracy: float
  accuracy_interval_95: list[float]
  uar: float
  calibration_error: float
  by_speaker_95: NotRequired[list[float]]
  difference: NotRequired[float]
  difference_by_speaker_95: NotRequired[list[float]]


class AuditFinding(TypedDict):
  """What is read of a finding of the split audit; see `data.audit.Finding`."""

  status: str
  text: str


class Results(TypedDict, total=False):
  """The content of results.json; a kind of model may add further entries.

  A run of several seeds has `seeds`, `runs` and `ensemble`, which older ones
  lack, in place of `splits`.
  """

  splits: dict[str, Scores]
  seen: dict[str, int]  # of bin/evaluate --split=all
  protocol: str
  standardised: str  # see `data.standardising.stamp`; absent before 0.2.0
  audit: list[AuditFinding | str]  # text in runs before 0.1.0
  warnings: list[str]  # see `training.progress.Progress.warnings`
  folds: dict[str, Spread]
  seeds: dict[str, Spread]
  runs: dict[str, dict[str, Scores]]
  ensemble: EnsembleScores
  groups: dict[str, dict[str, GroupScores]]  # column -> word, of --by
  dropped: dict[str, int]  # label -> clips that bin/evaluate left out
  absent: list[str]  # emotions of the run that no clip of a store has
  members: int  # of bin/evaluate: how many runs were averaged
  weights: dict[str, float]
  best_epoch: int
  epochs: int
  seconds: float
  clips_per_second: float
  parameters: int
  device: str
  lstm: str  # its implementation; absent before 0.2.0
  digests: dict[str, str]
  sha256: str


class EpochLine(TypedDict):
  """A line of metrics.jsonl."""

  epoch: int
  training_loss: float
  training_accuracy: float
  validation_loss: float
  validation_accuracy: float
  best: bool
  validation_uar: NotRequired[float]
  seconds: NotRequired[float]
  clips_per_second: NotRequired[float]


_SCORED = {
  'correct',
  'accuracy',
  'accuracy_interval_95',
  'uar',
  'macro_f1',
  'emotions',
  'confusion',
}
"""What a split has if it has a labelled clip."""


def check(results: Results) -> None:
  """Raises MismatchError unless the results have all that is read of them."""
  if ('seeds' in results) != ('runs' in results):
    raise MismatchError('one of seeds and runs is missing')
  if ('seeds' in results) == ('splits' in results):
    raise MismatchError('wanted either splits or seeds')
  if 'ensemble' in results and 'seeds' not in results:
    raise MismatchError('an ensemble without seeds')
  for split, scores in scored(results).items():
    absent = sorted(_SCORED - set(scores))
    if scores['n'] and absent:
      raise MismatchError(f'splits.{split}: {absent[0]} is missing')


def scored(results: Results) -> dict[str, Scores]:
  """Returns split -> scores of the predictions beside results.json."""
  if 'ensemble' in results:
    return results['ensemble']['splits']
  return results.get('splits', {})


def check_epochs(lines: Sequence[EpochLine], results: Results) -> None:
  """Raises MismatchError unless every epoch has its line, and the best one.

  Args:
    lines: of metrics.jsonl.
    results: of the run; {} if it has not finished.
  """
  for number, line in enumerate(lines):
    if line['epoch'] != number:
      raise MismatchError(
        f'line {number + 1} is of epoch {line["epoch"]}, not {number}'
      )
  if results.get('epochs', len(lines)) != len(lines):
    raise MismatchError(
      f'it has {len(lines)} lines, and the run {results["epochs"]} epochs'
    )
  best = [line['epoch'] for line in lines if line['best']]
  if 'best_epoch' in results and best[-1:] != [results['best_epoch']]:
    raise MismatchError('its best epoch is not that of results.json')
