"""Scores of a run's predictions: accuracy, recall, F1, calibration."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from avjax.shapes import Array, Float, Int


def confusion(
  label: Int[Array, ' n'], predicted: Int[Array, ' n'], classes: int
) -> Int[Array, 'N N']:
  """Returns the confusion counts; rows are true, columns predicted classes.

  Args:
    label: index of the true class of every clip.
    predicted: index of the predicted class of every clip.
    classes: number of classes N.
  """
  counts = np.zeros((classes, classes), np.int64)
  np.add.at(counts, (np.asarray(label), np.asarray(predicted)), 1)
  return counts


def wilson_interval(
  correct: int, total: int, level: float = 0.95
) -> tuple[float, float]:
  """Returns the Wilson (1927) interval of a proportion: low, high in [0, 1].

  Args:
    correct: number of successes, 0 to `total`.
    total: number of trials, at least 1.
    level: confidence level, in (0, 1).

  Raises:
    ValueError: an argument is outside its range.
  """
  if not 0 <= correct <= total or total < 1 or not 0 < level < 1:
    raise ValueError(
      f'{correct} of {total} at level {level}: wanted 0 <= correct <= total,'
      ' total >= 1 and 0 < level < 1'
    )
  # scipy.stats would take 46 MB and half a second to load.
  share, square = correct / total, ndtri((1 + level) / 2) ** 2
  middle = share + square / (2 * total)
  spread = np.sqrt(square * (share * (1 - share) + square / 4 / total) / total)
  scale = 1 + square / total
  # Where no success or no failure is seen, rounding must not move the end.
  low = (middle - spread) / scale if correct else 0.0
  high = (middle + spread) / scale if correct < total else 1.0
  return float(low), float(high)


def unweighted_recall(counts: Int[Array, 'N N']) -> float:
  """Returns the mean recall (UAR, in [0, 1]) over the classes with clips.

  Args:
    counts: confusion counts; rows are true classes.
  """
  counts = np.asarray(counts)
  rows = counts.sum(1)
  present = rows > 0
  return float(np.mean(np.diag(counts)[present] / rows[present]))


def macro_f1(counts: Int[Array, 'N N']) -> float:
  """Returns the mean F1, in [0, 1], over the true and the predicted classes.

  Args:
    counts: confusion counts; rows are true classes.
  """
  counts = np.asarray(counts)
  either = counts.sum(0) + counts.sum(1)
  present = either > 0
  return float(np.mean(2 * np.diag(counts)[present] / either[present]))


def row_percentages(counts: Int[Array, 'N N']) -> Float[Array, 'N N']:
  """Returns the confusion in percent of each true class, as in Figure 5.

  The row of a class without clips is 0.

  Args:
    counts: confusion counts; rows are true classes.
  """
  counts = np.asarray(counts)
  return 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)


class Reliability(NamedTuple):
  """The clips in bins of equal width by their confidence, as in Guo et al.

  Attributes:
    edges: (M + 1,) from 0 to 1; a bin includes its upper edge.
    counts: (M,) number of clips.
    confidence: (M,) mean of each bin; 0 without clips.
    accuracy: (M,) of each bin; 0 without clips.
  """

  edges: Float[Array, ' E']
  counts: Int[Array, ' M']
  confidence: Float[Array, ' M']
  accuracy: Float[Array, ' M']


def reliability(
  probabilities: Float[Array, 'n N'], label: Int[Array, ' n'], bins: int = 15
) -> Reliability:
  """Returns the clips in the bins of `calibration_error`; see there."""
  confidence, correct, bin_of = _binned(probabilities, label, bins)
  counts = np.bincount(bin_of, minlength=bins)
  each = np.maximum(counts, 1)
  return Reliability(
    np.arange(bins + 1) / bins,
    counts,
    np.bincount(bin_of, confidence, bins) / each,
    np.bincount(bin_of, correct, bins) / each,
  )


def calibration_error(
  probabilities: Float[Array, 'n N'], label: Int[Array, ' n'], bins: int = 15
) -> float:
  """Returns the expected calibration error (Guo et al., 2017), in [0, 1].

  The clips are divided into bins of equal width by their confidence, the
  probability of the predicted class. The error is the difference between
  accuracy and mean confidence of a bin, averaged over the clips.

  Args:
    probabilities: n clips, N classes; each row sums to one.
    label: index of the true class of every clip.
    bins: number of bins of (0, 1]; each includes its upper edge.
  """
  confidence, correct, bin_of = _binned(probabilities, label, bins)
  gap = np.bincount(bin_of, confidence - correct, bins)
  return float(np.abs(gap).sum() / len(confidence))


def _binned(
  probabilities: Float[Array, 'n N'], label: Int[Array, ' n'], bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns confidence, whether it is right, and the bin of each clip."""
  probabilities = np.asarray(probabilities, np.float64)
  confidence = probabilities.max(1)
  correct = probabilities.argmax(1) == np.asarray(label)
  bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
  return confidence, correct, bin_of


def summary(
  counts: Int[Array, 'N N'], emotions: Sequence[str]
) -> dict[str, Any]:
  """Returns the scores of one split for results.json; fractions in [0, 1].

  Args:
    counts: confusion counts of at least one clip; rows are true classes.
    emotions: names of the N classes.
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
