"""Significance of the difference between two runs, and intervals."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from avjax.shapes import Array, Bool, Float


class McNemarTest(NamedTuple):
  """Exact McNemar test of two runs on the same clips.

  Attributes:
    first_only: number of clips that only the first run classifies correctly.
    second_only: number of clips that only the second run classifies correctly.
    p: two-sided p-value; the null hypothesis is that both are equally likely.
  """

  first_only: int
  second_only: int
  p: float


class PairedTTest(NamedTuple):
  """Paired t-test of two runs over the same seeds or folds.

  Attributes:
    difference: mean of first minus second.
    t: the statistic; NaN if all differences are equal.
    p: two-sided p-value; NaN if `t` is.
  """

  difference: float
  t: float
  p: float


def mcnemar(first: Bool[Array, ' n'], second: Bool[Array, ' n']) -> McNemarTest:
  """Returns the exact McNemar test of two runs on the same n clips.

  Args:
    first: whether the first run classifies each clip correctly.
    second: whether the second run does, for the same clips.
  """
  first, second = np.asarray(first), np.asarray(second)
  one = int(np.sum(first & ~second))
  other = int(np.sum(second & ~first))
  from scipy import stats  # slow to load

  p = stats.binomtest(one, one + other).pvalue if one + other else 1.0
  return McNemarTest(one, other, float(p))


def clustered_bootstrap(
  values: Float[Array, ' n'] | Bool[Array, ' n'],
  clusters: Sequence[Any],
  level: float = 0.95,
  resamples: int = 9999,
  seed: int = 0,
) -> tuple[float, float]:
  """Returns a bootstrap percentile interval of the mean over clips: low, high.

  Clusters are resampled as a whole, since the clips of one speaker are
  dependent; resampling single clips would give too narrow an interval.

  Args:
    values: one per clip: 1 if it is classified correctly, or the difference of
      two runs.
    clusters: one per clip: its speaker, or another cluster.
    level: confidence level, in (0, 1).
    resamples: number of bootstrap samples.
    seed: of the random numbers.
  """
  _, number = np.unique(np.asarray(clusters), return_inverse=True)
  sums = np.bincount(number, np.asarray(values, np.float64))
  sizes = np.bincount(number)
  random = np.random.default_rng(seed)
  drawn = random.integers(0, len(sizes), (resamples, len(sizes)))
  means = sums[drawn].sum(1) / sizes[drawn].sum(1)
  low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2))
  return float(low), float(high)


def clustered_difference(
  values: Float[Array, ' n'] | Bool[Array, ' n'],
  inside: Bool[Array, ' n'],
  clusters: Sequence[Any],
  level: float = 0.95,
  resamples: int = 9999,
  seed: int = 0,
) -> tuple[float, float]:
  """Returns a bootstrap percentile interval of a difference: low, high.

  The difference is the mean over the clips of a group less that over the other
  clips. A cluster with clips in both is drawn with both, so that they are
  compared within it. Clusters of the group alone, and of the others alone, are
  drawn among themselves, so that neither side is ever empty.

  Args:
    values: one per clip.
    inside: whether each clip is in the group; at least one is, one is not.
    clusters: one per clip: its speaker, or another cluster.
    level: confidence level, in (0, 1).
    resamples: number of bootstrap samples.
    seed: of the random numbers.
  """
  inside = np.asarray(inside)
  names, number = np.unique(np.asarray(clusters), return_inverse=True)
  sides = [inside, ~inside]
  # Sums of the values and numbers of clips: side, cluster.
  sums, sizes = (
    np.stack([np.bincount(number, w * s, len(names)) for s in sides])
    for w in (np.asarray(values, np.float64), np.ones(len(inside)))
  )
  kind = (sizes[0] > 0) + 2 * (sizes[1] > 0)
  random = np.random.default_rng(seed)
  sum_drawn, size_drawn = np.zeros((2, 2, resamples))
  for one in (1, 2, 3):
    members = np.flatnonzero(kind == one)
    if not len(members):
      continue
    drawn = members[random.integers(0, len(members), (resamples, len(members)))]
    sum_drawn += sums[:, drawn].sum(2)
    size_drawn += sizes[:, drawn].sum(2)
  first, second = sum_drawn / size_drawn
  low, high = np.quantile(first - second, ((1 - level) / 2, (1 + level) / 2))
  return float(low), float(high)


def mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
  """Returns mean and standard deviation (n - 1) over seeds or folds.

  The standard deviation of a single value is None.
  """
  each = np.asarray(values, np.float64)
  std = float(each.std(ddof=1)) if len(each) > 1 else None
  return float(each.mean()), std


def paired_t(first: Sequence[float], second: Sequence[float]) -> PairedTTest:
  """Returns the paired t-test of two runs' scores over seeds or folds.

  Args:
    first: one score per seed or fold, two or more.
    second: scores of the same seeds or folds, in the same order.

  Raises:
    ValueError: there are fewer than two pairs.
  """
  gaps = np.asarray(first, np.float64) - np.asarray(second, np.float64)
  if len(gaps) < 2:
    raise ValueError(f'{len(gaps)} pairs; a t-test wants two or more')
  if np.ptp(gaps) == 0:  # SciPy would warn, and divide by 0
    return PairedTTest(float(gaps.mean()), math.nan, math.nan)
  from scipy import stats  # slow to load

  t, p = stats.ttest_1samp(gaps, 0)
  return PairedTTest(float(gaps.mean()), float(t), float(p))
