"""The numbers of Figures 2 to 4."""

import math

import numpy as np
import pytest
import scipy.stats
from sklearn.decomposition import PCA

from avjax.metrics import maps

T, W, TA = 24, 4, 30


def weights(seed=0, frames=T, audio=TA):
  """Returns weights that are 0 where there is no audio frame."""
  random = np.random.default_rng(seed)
  _, exists = maps.window(frames, W, audio)
  shares = np.where(exists, random.random((frames, W)) + 0.1, 0)
  return shares / shares.sum(1, keepdims=True)


def uniform(frames=T, audio=TA):
  _, exists = maps.window(frames, W, audio)
  return exists / exists.sum(1, keepdims=True)


def test_entropy():
  """Agreement: SciPy's entropy, over the logarithm of the places there are."""
  shares = weights()
  wanted = np.mean(
    [scipy.stats.entropy(row) / math.log((row > 0).sum()) for row in shares]
  )
  assert maps.entropy(shares, TA) == pytest.approx(wanted, rel=1e-9)
  assert maps.entropy(uniform(), TA) == pytest.approx(1)
  assert maps.entropy(np.eye(W)[np.full(T, 2)], TA) == 0
  assert math.isnan(maps.entropy(np.array([[0.0, 0, 1, 0]]), 1))


def test_slope():
  """Agreement: SciPy's regression of the expected audio frame."""
  shares = weights()
  expected = [
    sum(
      shares[t, i] * ((2 * t + 1) * TA // (2 * T) - W // 2 + i)
      for i in range(W)
    )
    for t in range(T)
  ]
  fitted = scipy.stats.linregress(np.arange(T), expected).slope
  wanted = fitted / (TA / T)
  assert maps.slope(shares, TA) == pytest.approx(wanted, rel=1e-9)
  long = uniform(400, 500)
  assert maps.slope(long, 500) == pytest.approx(1, abs=1e-3)
  # Weights that run through the window from its start to its end are steeper.
  first = np.eye(W)[np.arange(400) * W // 400]
  assert maps.slope(first, 500) > 1.005
  assert math.isnan(maps.slope(shares[:1], 2))


def test_offset():
  """Equation: the expected place less p_t, its mean and deviation."""
  shares = weights()
  each = [sum(row[i] * (i - 2) for i in range(W)) for row in shares]
  got = maps.offset(shares, TA)
  np.testing.assert_allclose(got, (np.mean(each), np.std(each)), rtol=1e-9)
  assert maps.offset(np.eye(W)[np.full(T, 3)], TA) == (1, 0)


def test_correlation():
  """Agreement: NumPy's coefficients; a flat map has none."""
  random = np.random.default_rng(0)
  attention = random.dirichlet(np.ones(T), 5)
  got = maps.correlation(attention)
  np.testing.assert_allclose(got, np.corrcoef(attention), rtol=1e-9)
  attention[2] = 1 / T
  got = maps.correlation(attention)
  assert np.isnan(got[2]).all() and np.isfinite(got[0, [0, 1, 3, 4]]).all()


def test_movement():
  """Equation: the way of each, over the mean distance of two at the start."""
  random = np.random.default_rng(1)
  before, after = random.standard_normal((2, 4, 3))
  gaps = [math.dist(before[i], before[j]) for i in range(4) for j in range(i)]
  wanted = [math.dist(a, b) / np.mean(gaps) for a, b in zip(before, after)]  # noqa: B905
  np.testing.assert_allclose(maps.movement(before, after), wanted, rtol=1e-9)
  assert (maps.movement(before, before) == 0).all()


def test_plane():
  """Agreement: scikit-learn's two components, up to their sign."""
  random = np.random.default_rng(2)
  before, after = random.standard_normal((2, 7, 8)) * np.arange(8)
  first, last, share = maps.plane(before, after)
  both = np.concatenate([before, after])
  model = PCA(2).fit(both)
  wanted = model.transform(both)
  got = np.concatenate([first, last])
  np.testing.assert_allclose(np.abs(got), np.abs(wanted), rtol=1e-9)
  assert share == pytest.approx(model.explained_variance_ratio_.sum())
  again, _, _ = maps.plane(before, after)
  np.testing.assert_array_equal(first, again)
  assert maps.plane(before[:, :1], after[:, :1])[0].shape == (7, 2)
