"""What two runs differ by, and how sure that is."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from avjax.shapes import Array, Bool, Float


class Disagreement(NamedTuple):
  """Exact McNemar test of two runs on the same clips.

  Attributes:
    first_only: clips that only the first run has right.
    second_only: clips that only the second run has right.
    p: two-sided, of the null hypothesis that both are as likely.
  """

  first_only: int
  second_only: int
  p: float


class Paired(NamedTuple):
  """Paired t-test of two runs over the same seeds or folds.

  Attributes:
    difference: mean of first less second.
    t: the statistic; NaN where every difference is the same.
    p: two-sided; NaN with `t`.
  """

  difference: float
  t: float
  p: float


def mcnemar(
  first: Bool[Array, ' n'], second: Bool[Array, ' n']
) -> Disagreement:
  """Returns the exact McNemar test of who has which clips right."""
  first, second = np.asarray(first), np.asarray(second)
  one = int(np.sum(first & ~second))
  other = int(np.sum(second & ~first))
  p = stats.binomtest(one, one + other).pvalue if one + other else 1.0
  return Disagreement(one, other, float(p))


def clustered_bootstrap(
  values: Float[Array, ' n'] | Bool[Array, ' n'],
  clusters: Sequence[Any],
  level: float = 0.95,
  resamples: int = 9999,
  seed: int = 0,
) -> tuple[float, float]:
  """Returns a percentile interval of the mean over clips.

  Whole clusters are drawn, since the clips of one speaker are alike: an
  interval over single clips would be too narrow.

  Args:
    values: one a clip: 1 where it is right, or the difference of two runs.
    clusters: each clip's speaker, or whatever else is drawn as one.
    level: coverage, in (0, 1).
    resamples: how often as many clusters as there are get drawn.
    seed: of the draws.
  """
  _, number = np.unique(np.asarray(clusters), return_inverse=True)
  sums = np.bincount(number, np.asarray(values, np.float64))
  sizes = np.bincount(number)
  random = np.random.default_rng(seed)
  drawn = random.integers(0, len(sizes), (resamples, len(sizes)))
  means = sums[drawn].sum(1) / sizes[drawn].sum(1)
  low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2))
  return float(low), float(high)


def spread(values: Sequence[float]) -> tuple[float, float | None]:
  """Returns mean and deviation (n - 1) over seeds or folds; None of one."""
  each = np.asarray(values, np.float64)
  deviation = float(each.std(ddof=1)) if len(each) > 1 else None
  return float(each.mean()), deviation


def paired_t(first: Sequence[float], second: Sequence[float]) -> Paired:
  """Returns the paired t-test of two runs' figures, a seed or fold each.

  Args:
    first: one figure a seed, two or more.
    second: of the same seeds, in the same order.
  """
  gaps = np.asarray(first, np.float64) - np.asarray(second, np.float64)
  if len(gaps) < 2:
    raise ValueError(f'{len(gaps)} pairs; a t-test wants two or more')
  if np.ptp(gaps) == 0:  # SciPy would warn, and divide by 0
    return Paired(float(gaps.mean()), math.nan, math.nan)
  t, p = stats.ttest_1samp(gaps, 0)
  return Paired(float(gaps.mean()), float(t), float(p))
