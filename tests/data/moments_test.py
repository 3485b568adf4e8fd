"""Moments of many arrays."""

import numpy as np
import pytest

from avjax.data import moments


@pytest.mark.parametrize('width', [1, 2, 7])
def test_moments_are_numpy_s(width):
  """Agreement: one array after another gives NumPy's bits for all in one."""
  rng = np.random.default_rng(width)
  scale = 10.0 ** rng.integers(-3, 4, width)
  arrays = [
    (rng.standard_normal((n, width)) * scale + 1).astype(np.float32)
    for n in (1, 300, 8, 129, 77)
  ]
  got = moments.gathered(lambda: iter(arrays))
  whole = np.concatenate(arrays).astype(np.float64)
  np.testing.assert_array_equal(got.mean, whole.mean(axis=0))
  np.testing.assert_array_equal(got.variance, whole.var(axis=0))
  np.testing.assert_array_equal(np.sqrt(got.variance), whole.std(axis=0))
  np.testing.assert_array_equal(got.largest, np.abs(whole).max(axis=0))
  assert got.frames == len(whole)
