"""Two runs compared: against SciPy and statsmodels."""

import math

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats import contingency_tables, weightstats

from avjax.metrics import significance


@pytest.mark.parametrize('seed', range(4))
def test_mcnemar(seed):
  """Agreement: the exact test with statsmodels."""
  random = np.random.default_rng(seed)
  first = random.random(60) < 0.8
  second = np.where(random.random(60) < 0.3, random.random(60) < 0.4, first)
  table = [
    [np.sum(first & second), np.sum(first & ~second)],
    [np.sum(~first & second), np.sum(~first & ~second)],
  ]
  got = significance.mcnemar(first, second)
  assert (got.first_only, got.second_only) == (table[0][1], table[1][0])
  wanted = contingency_tables.mcnemar(table, exact=True).pvalue
  assert got.p == pytest.approx(min(1, wanted), rel=1e-9)
  assert significance.mcnemar(second, first).p == pytest.approx(got.p, rel=1e-9)
  assert significance.mcnemar(first, first) == (0, 0, 1)


def test_clustered_bootstrap():
  """Agreement: SciPy's paired bootstrap of each cluster's sum and size."""
  random = np.random.default_rng(0)
  clusters = random.choice(list('abcdefg'), 90)
  values = random.random(90) < 0.3 + 0.5 * (clusters < 'd')
  names = sorted(set(clusters))
  sums = np.array([values[clusters == name].sum() for name in names])
  sizes = np.array([np.sum(clusters == name) for name in names])
  wanted = scipy.stats.bootstrap(
    (sums, sizes),
    lambda a, b, axis: a.sum(axis) / b.sum(axis),
    paired=True,
    vectorized=True,
    n_resamples=500,
    method='percentile',
    confidence_level=0.9,
    random_state=np.random.default_rng(5),
  ).confidence_interval
  got = significance.clustered_bootstrap(values, list(clusters), 0.9, 500, 5)
  np.testing.assert_allclose(got, wanted, rtol=1e-9)
  # Clips alike within a speaker: drawing single clips would be too sure.
  single = significance.clustered_bootstrap(values, range(90), 0.9, 500, 5)
  assert single[1] - single[0] < got[1] - got[0]


@pytest.mark.parametrize('shared', [True, False])
def test_clustered_difference(shared):
  """Agreement: SciPy's bootstrap, paired where clusters are on both sides."""
  random = np.random.default_rng(1)
  clusters = np.array(list('abcdefgh') * 12)
  inside = random.random(96) < 0.4 if shared else clusters < 'd'
  values = random.random(96) < 0.3 + 0.4 * inside
  sides = [
    [values[side & (clusters == name)] for name in np.unique(clusters[side])]
    for side in (inside, ~inside)
  ]
  sums = [np.array([x.sum() for x in side]) for side in sides]
  sizes = [np.array([len(x) for x in side]) for side in sides]

  def difference(first, second, axis):
    one, other = (
      sums[k][drawn].sum(axis) / sizes[k][drawn].sum(axis)
      for k, drawn in enumerate((first, second))
    )
    return one - other

  wanted = scipy.stats.bootstrap(
    [np.arange(len(side)) for side in sums],
    difference,
    paired=shared,
    vectorized=True,
    n_resamples=500,
    method='percentile',
    random_state=np.random.default_rng(5),
  ).confidence_interval
  got = significance.clustered_difference(
    values, inside, list(clusters), 0.95, 500, 5
  )
  np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_bootstrap_of_one_value():
  """Law: where every clip is the same, the interval has no width."""
  got = significance.clustered_bootstrap(np.ones(6), list('aabbcc'))
  assert got == (1, 1)


def test_paired_t():
  """Agreement: the paired test with statsmodels; README's ten seeds."""
  proposed = [95.6, 95.4, 94.0, 96.6, 93.4, 94.8, 93.2, 92.6, 92.6, 93.8]
  average = [94.0, 94.0, 92.8, 93.8, 91.2, 91.8, 91.6, 95.0, 91.0, 93.4]
  got = significance.paired_t(proposed, average)
  gaps = weightstats.DescrStatsW(np.subtract(proposed, average))
  t, p, _ = gaps.ttest_mean(0)
  np.testing.assert_allclose(got, (gaps.mean, t, p), rtol=1e-9)
  assert (round(got.t, 2), round(got.p, 3)) == (2.79, 0.021)
  same = significance.paired_t([1.0, 2.0], [0.0, 1.0])
  assert same.difference == 1 and math.isnan(same.p)
  with pytest.raises(ValueError, match='two or more'):
    significance.paired_t([1.0], [2.0])


def test_mean_and_std():
  """Agreement: mean and deviation over seeds with statsmodels."""
  values = [0.956, 0.954, 0.94, 0.966]
  wanted = weightstats.DescrStatsW(values, ddof=1)
  got = significance.mean_and_std(values)
  np.testing.assert_allclose(got, (wanted.mean, wanted.std), rtol=1e-9)
  assert significance.mean_and_std([0.5]) == (0.5, None)
