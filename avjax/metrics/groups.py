"""Scores of groups of clips, such as those of women and of men."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax.metrics import classification, significance
from avjax.shapes import Array, Bool, Float, Int


def scores(
  group_of: Sequence[str],
  names: Sequence[str],
  probabilities: Float[Array, 'n N'],
  label: Int[Array, ' n'],
  speakers: Sequence[str],
) -> dict[str, dict[str, Any]]:
  """Returns group -> its scores, as JSON; fractions in [0, 1].

  'by_speaker_95' is an interval of the accuracy, by a bootstrap over the
  speakers. With several groups, 'difference' is the accuracy less that of all
  other clips, and 'difference_by_speaker_95' its interval. They are left out
  where a speaker is unknown, or fewer than two speakers are on a side.

  Args:
    group_of: the group of each clip.
    names: of the groups, in the order of the result; each has a clip.
    probabilities: n clips, N classes; each row sums to one.
    label: index of the true class of every clip.
    speakers: of each clip; '' if unknown.
  """
  groups, persons = np.asarray(group_of), np.asarray(speakers)
  return {
    name: _one(groups == name, np.asarray(probabilities), label, persons)
    for name in names
  }


def _one(
  inside: Bool[Array, ' n'],
  probabilities: Float[Array, 'n N'],
  label: Int[Array, ' n'],
  speakers: np.ndarray,
) -> dict[str, Any]:
  """Returns the scores of the clips `inside`, and their difference."""
  predicted, classes = probabilities.argmax(1), probabilities.shape[1]
  right = predicted == label
  counts = classification.confusion(label[inside], predicted[inside], classes)
  n, correct = int(inside.sum()), int(right[inside].sum())
  own, others = (np.unique(speakers[side]) for side in (inside, ~inside))
  result: dict[str, Any] = {
    'n': n,
    'speakers': int((own != '').sum()),
    'correct': correct,
    'accuracy': correct / n,
    'accuracy_interval_95': [*classification.wilson_interval(correct, n)],
    'uar': classification.unweighted_recall(counts),
    'calibration_error': classification.calibration_error(
      probabilities[inside], label[inside]
    ),
  }
  known = '' not in own
  if known and len(own) > 1:
    result['by_speaker_95'] = [
      *significance.clustered_bootstrap(right[inside], list(speakers[inside]))
    ]
  if len(others):
    result['difference'] = correct / n - float(right[~inside].mean())
    if known and '' not in others and min(len(own), len(others)) > 1:
      result['difference_by_speaker_95'] = [
        *significance.clustered_difference(right, inside, list(speakers))
      ]
  return result
