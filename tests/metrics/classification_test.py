"""Statistics against scikit-learn, SciPy and the paper's own counts."""

import numpy as np
import pytest
import sklearn.metrics
from statsmodels.stats import proportion

from avjax.metrics import classification


def labels(seed, classes=5, n=40):
  random = np.random.default_rng(seed)
  # The last class is never true, and the first hardly ever predicted.
  return random.integers(0, classes - 1, n), random.integers(1, classes, n)


@pytest.mark.parametrize('seed', range(5))
def test_scores(seed):
  """Agreement: confusion, UAR and macro-F1 with scikit-learn."""
  true, predicted = labels(seed)
  counts = classification.confusion(true, predicted, 5)
  np.testing.assert_array_equal(
    counts, sklearn.metrics.confusion_matrix(true, predicted, labels=range(5))
  )
  wanted = sklearn.metrics.recall_score(
    true, predicted, labels=np.unique(true), average='macro'
  )
  assert classification.unweighted_recall(counts) == pytest.approx(
    wanted, 1e-12
  )
  wanted = sklearn.metrics.f1_score(
    true, predicted, average='macro', zero_division=0
  )
  assert classification.macro_f1(counts) == pytest.approx(wanted, 1e-12)


@pytest.mark.parametrize('correct, total', [(0, 7), (7, 7), (3, 8), (222, 539)])
@pytest.mark.parametrize('level', [0.9, 0.95])
def test_wilson(correct, total, level):
  """Agreement: the interval of a proportion with statsmodels."""
  wanted = proportion.proportion_confint(
    correct, total, alpha=1 - level, method='wilson'
  )
  got = classification.wilson_interval(correct, total, level)
  np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


def test_the_papers_interval():
  """Golden: 242 of 539, the paper's test clips, are [40.7497, 49.1184] %."""
  got = classification.wilson_interval(242, 539)
  np.testing.assert_allclose(got, [0.407497, 0.491184], atol=5e-7)


@pytest.mark.parametrize('arguments', [(3, 2), (-1, 2), (0, 0), (1, 2, 1.0)])
def test_wilson_refuses(arguments):
  """Law: no proportion, no interval."""
  with pytest.raises(ValueError, match='wanted 0 <= correct <= total'):
    classification.wilson_interval(*arguments)


def test_summary():
  """Law: what results.json says fits together."""
  true, predicted = labels(0)
  counts = classification.confusion(true, predicted, 5)
  one = classification.summary(counts, list('abcde'))
  assert one['n'] == 40
  assert one['correct'] == np.sum(true == predicted)
  assert one['accuracy'] == one['correct'] / 40
  low, high = one['accuracy_interval_95']
  assert low < one['accuracy'] < high


def test_row_percentages():
  """Agreement: percent of each true class with scikit-learn."""
  true, predicted = labels(1)
  counts = classification.confusion(true, predicted, 5)
  wanted = sklearn.metrics.confusion_matrix(
    true, predicted, labels=range(4), normalize='true'
  )
  got = classification.row_percentages(counts)
  # The last class is predicted, so only scikit-learn's rows lack its column.
  rows = counts[:4, :4].sum(1, keepdims=True) / counts[:4].sum(1, keepdims=True)
  np.testing.assert_allclose(got[:4, :4], 100 * wanted * rows, rtol=1e-12)
  assert (got[4] == 0).all()


def test_what_figure_5_must_hold():
  """Golden: the share of the largest class, and the row that is misprinted."""
  rows = np.array([79, 29, 66, 109, 159, 72, 27])
  counts = np.diag(rows)
  counts[1, :2] = 26, 3
  assert round(classification.row_percentages(counts)[1, 1], 1) == 10.3
  assert round(100 * rows.max() / 539, 1) == 29.5


def test_calibration():
  """Equation: the mean distance of accuracy and confidence, bin by bin."""
  random = np.random.default_rng(3)
  shares = random.dirichlet(np.full(4, 0.4), 200)
  shares[0] = [1, 0, 0, 0]
  shares[1] = [0.4, 0.2, 0.2, 0.2]  # at the edge of two bins of 15 and of 5
  label = random.integers(0, 4, 200)
  for bins in (1, 5, 15):
    error = 0.0
    for k in range(bins):
      inside = [
        i for i in range(200) if k / bins < max(shares[i]) <= (k + 1) / bins
      ]
      if inside:
        right = np.mean([np.argmax(shares[i]) == label[i] for i in inside])
        sure = np.mean([max(shares[i]) for i in inside])
        error += len(inside) / 200 * abs(right - sure)
    got = classification.calibration_error(shares, label, bins)
    assert got == pytest.approx(error, abs=1e-12)
