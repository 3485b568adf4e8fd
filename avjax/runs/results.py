"""The content of results.json and metrics.jsonl, as types."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from avjax.records import MismatchError


class AttentionScores(TypedDict):
  """See `metrics.attention.summary`."""

  mass_over_uniform: float  # of the salient segment; 1 if uniform


class AlignmentScores(TypedDict):
  """See `metrics.attention.summary`."""

  weight: float  # on the true position of an event
  error: float  # distance from it, in positions
  weight_uniform: float  # the same of uniform weights
  error_uniform: float  # the same of uniform weights


class Scores(TypedDict):
  """The scores of one split; see `training.outcome.Outcome.summary`.

  A split without a labelled clip has `n` = 0 and `unlabelled` only.
  """

  n: int  # labelled clips
  unlabelled: NotRequired[int]  # clips without a label, which are predicted
  correct: NotRequired[int]  # clips whose label is the most probable emotion
  accuracy: NotRequired[float]  # correct / n
  accuracy_interval_95: NotRequired[list[float]]  # by Wilson
  uar: NotRequired[float]  # mean recall of the emotions with clips
  macro_f1: NotRequired[float]  # mean F1 of true and predicted emotions
  emotions: NotRequired[list[str]]  # in the order of the confusion
  confusion: NotRequired[list[list[int]]]  # counts; rows are true emotions
  loss: NotRequired[float]  # mean cross-entropy
  attention: NotRequired[AttentionScores]
  alignment: NotRequired[AlignmentScores]


class Spread(TypedDict):
  """The accuracies of several folds or seeds."""

  mean: float
  deviation: float  # standard deviation
  each: list[float]  # in the order of the folds or seeds


class EnsembleScores(TypedDict):
  """The scores of the averaged probabilities of several seeds.

  With folds, `splits` has the test clips of all folds, `folds` the accuracies
  of the ensemble of each fold. `members` is the number of seeds.
  """

  members: int  # how many seeds are averaged
  splits: dict[str, Scores]  # split -> its scores
  folds: NotRequired[dict[str, Spread]]  # split -> the accuracies of all folds


class GroupScores(TypedDict):
  """The scores of a group of clips; see `metrics.groups.scores`."""

  n: int  # labelled clips of the group
  speakers: int  # how many they are of
  correct: int
  accuracy: float  # correct / n
  accuracy_interval_95: list[float]  # by Wilson
  uar: float  # mean recall of the emotions with clips
  calibration_error: float  # ECE
  by_speaker_95: NotRequired[list[float]]  # of the accuracy, by a bootstrap
  difference: NotRequired[float]  # accuracy less that of all other clips
  difference_by_speaker_95: NotRequired[list[float]]  # by a bootstrap


class AuditFinding(TypedDict):
  """What is read of a finding of the split audit; see `data.audit.Finding`."""

  status: str  # leak, allowed, documented, unchecked or warning
  text: str  # the finding as a sentence


class Results(TypedDict, total=False):
  """The content of results.json; a kind of model may add further entries.

  A run of several seeds has `seeds`, `runs` and `ensemble`, which older ones
  lack, in place of `splits`.
  """

  splits: dict[str, Scores]  # split -> its scores
  seen: dict[str, int]  # of bin/evaluate --split=all
  protocol: str  # of the division into splits
  standardised: str  # see `data.standardising.stamp`; absent before 0.2.0
  audit: list[AuditFinding | str]  # text in runs before 0.1.0
  warnings: list[str]  # see `training.progress.Progress.warnings`
  folds: dict[str, Spread]  # split -> the accuracies of all folds
  seeds: dict[str, Spread]  # split -> the accuracies of all seeds
  runs: dict[str, dict[str, Scores]]  # seed -> split -> its scores
  ensemble: EnsembleScores  # of the averaged probabilities of the seeds
  groups: dict[str, dict[str, GroupScores]]  # column -> word, of --by
  dropped: dict[str, int]  # label -> clips that bin/evaluate left out
  absent: list[str]  # emotions of the run that no clip of a store has
  members: int  # of bin/evaluate: how many runs were averaged
  weights: dict[str, float]  # of decision_fusion: member -> its weight
  best_epoch: int  # from 0, by validation accuracy
  epochs: int  # how many were trained
  seconds: float  # of training
  clips_per_second: float  # of training
  parameters: int  # how many there are
  device: str  # that computed it
  lstm: str  # its implementation; absent before 0.2.0
  digests: dict[str, str]  # file of the run -> its SHA-256
  sha256: str  # of all else in this file


class EpochLine(TypedDict):
  """A line of metrics.jsonl."""

  epoch: int  # from 0
  training_loss: float  # mean over the epoch, with dropout
  training_accuracy: float  # over the epoch, with dropout
  validation_loss: float
  validation_accuracy: float
  best: bool  # whether it was the best so far
  validation_uar: NotRequired[float]  # mean recall of the emotions
  seconds: NotRequired[float]  # of training, without evaluation
  clips_per_second: NotRequired[float]  # of training


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
