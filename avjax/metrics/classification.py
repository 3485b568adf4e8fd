"""How well one run's predictions are: accuracy, recall, F1, calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from avjax.shapes import Array, Float, Int


def confusion(
  label: Int[Array, ' n'], predicted: Int[Array, ' n'], classes: int
) -> Int[Array, 'N N']:
  """Returns the counts of (true class, predicted class); rows are true."""
  counts = np.zeros((classes, classes), np.int64)
  np.add.at(counts, (np.asarray(label), np.asarray(predicted)), 1)
  return counts


def wilson_interval(
  correct: int, total: int, level: float = 0.95
) -> tuple[float, float]:
  """Returns the Wilson (1927) interval of a proportion.

  Args:
    correct: successes, 0 to `total`.
    total: trials, at least 1.
    level: coverage, in (0, 1).
  """
  if not 0 <= correct <= total or total < 1 or not 0 < level < 1:
    raise ValueError(
      f'{correct} of {total} at level {level}: wanted 0 <= correct <= total,'
      ' total >= 1 and 0 < level < 1'
    )
  found = stats.binomtest(correct, total).proportion_ci(level, 'wilson')
  return float(found.low), float(found.high)


def unweighted_recall(counts: Int[Array, 'N N']) -> float:
  """Returns the mean recall (UAR) over the classes that have clips.

  Args:
    counts: confusion, rows true.
  """
  counts = np.asarray(counts)
  rows = counts.sum(1)
  present = rows > 0
  return float(np.mean(np.diag(counts)[present] / rows[present]))


def macro_f1(counts: Int[Array, 'N N']) -> float:
  """Returns the mean F1 over the classes that were either true or predicted.

  Args:
    counts: confusion, rows true.
  """
  counts = np.asarray(counts)
  either = counts.sum(0) + counts.sum(1)
  present = either > 0
  return float(np.mean(2 * np.diag(counts)[present] / either[present]))


def row_percentages(counts: Int[Array, 'N N']) -> Float[Array, 'N N']:
  """Returns the confusion in percent of each true class, as Figure 5 has it.

  Args:
    counts: confusion, rows true; the row of a class without clips is 0.
  """
  counts = np.asarray(counts)
  return 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)


def calibration_error(
  probabilities: Float[Array, 'n N'], label: Int[Array, ' n'], bins: int = 15
) -> float:
  """Returns the expected calibration error of the predicted class.

  Clips go into bins of equal width by the probability of their predicted
  class; the error is the mean over clips of the distance between their bin's
  accuracy and its mean probability (Guo et al., 2017).

  Args:
    probabilities: of the classes; each row sums to one.
    label: true classes.
    bins: of (0, 1]; a bin holds its upper edge.
  """
  probabilities = np.asarray(probabilities, np.float64)
  sure = probabilities.max(1)
  right = probabilities.argmax(1) == np.asarray(label)
  place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
  gap = np.bincount(place, sure - right, bins)
  return float(np.abs(gap).sum() / len(sure))


def summary(
  counts: Int[Array, 'N N'], emotions: Sequence[str]
) -> dict[str, Any]:
  """Returns what results.json says of one split.

  Args:
    counts: confusion, rows true; at least one clip.
    emotions: names of the rows and columns.
  """
  total, correct = int(np.sum(counts)), int(np.trace(counts))
  return {
    'n': total,
    'correct': correct,
    'accuracy': correct / total,
    'accuracy_interval_95': list(wilson_interval(correct, total)),
    'uar': unweighted_recall(counts),
    'macro_f1': macro_f1(counts),
    'emotions': list(emotions),
    'confusion': np.asarray(counts).tolist(),
  }
