"""The cells of a row: accuracies, intervals and scores, also the paper's."""

from collections.abc import Sequence

from avjax.metrics import classification, significance
from avjax.reporting import published
from avjax.reporting.comparisons import (
  NONE,
  fraction_correct,
  speaker_interval,
)
from avjax.runs.finished import Group

SPLITS = tuple(published.CLIPS)
SCORES = 'test, by speaker', 'UAR', 'F1', 'ECE'


def paper(variant: str) -> tuple[str, ...]:
  """Returns the paper's three cells of a row; dashes where it has none."""
  shares = published.TABLE_1.get(variant)
  if shares is None:
    return (NONE,) * 3
  return tuple(
    _interval(f'{share:.2f}', round(share * n / 100), n)
    for share, n in zip(shares, published.CLIPS.values(), strict=True)
  )


def scores(group: Group) -> tuple[str, ...]:
  """Returns the interval by speaker, UAR, F1 and ECE of the test clips."""
  tests = [r.predictions['test'] for r in group.runs if 'test' in r.predictions]
  if not tests:
    return (NONE,) * len(SCORES)
  each = [
    [100 * classification.unweighted_recall(t.counts) for t in tests],
    [100 * classification.macro_f1(t.counts) for t in tests],
    [
      100 * classification.calibration_error(t.probabilities, t.label)
      for t in tests
    ],
  ]
  interval = speaker_interval(group, fraction_correct(group))
  return (interval, *map(_mean_and_std, each))


def accuracy_cell(group: Group, split: str) -> str:
  """Returns the accuracy cell of one split."""
  found = [r.predictions[split] for r in group.runs if split in r.predictions]
  if not found:
    folds = group.first.results.get('folds', {}).get(split)
    if folds is None:
      return NONE
    return _mean_and_std([100 * x for x in folds['each']]) + ' (folds)'
  if len(found) > 1:
    text = _mean_and_std([100 * float(one.right.mean()) for one in found])
    return f'{text} ({len(found)} seeds)'
  correct, total = int(found[0].right.sum()), len(found[0].right)
  return _interval(f'{100 * correct / total:.1f}', correct, total)


def _interval(share: str, correct: int, total: int) -> str:
  low, high = classification.wilson_interval(correct, total)
  return f'{share} [{100 * low:.1f}, {100 * high:.1f}] {correct}/{total}'


def _mean_and_std(values: Sequence[float]) -> str:
  mean, std = significance.mean_and_std(values)
  return f'{mean:.1f}' + ('' if std is None else f' ± {std:.1f}')
