"""Dropout: how much, how large, and who shares a mask with whom."""

import jax
import numpy as np
import pytest

from avjax.models.dropout import clip_keys, dropout

ONES = np.ones((4, 50, 41), np.float32)


def keys(seed=0, first_row=0):
  return clip_keys(jax.random.key(seed), first_row, 4)


@pytest.mark.parametrize('rate, kept', [(0.5, 128), (0.25, 192), (0.1, 230)])
def test_rate_and_scale(rate, kept):
  """Law: the share that is kept, scaled so that the mean stays."""
  y = np.asarray(dropout(ONES, rate, keys(), ('a',)))
  assert set(np.unique(y)) == {0, np.float32(256 / kept)}
  share = (y > 0).mean(axis=(1, 2))
  np.testing.assert_allclose(share, kept / 256, atol=4 * 0.5 / 2050**0.5)


def test_who_shares_a_mask():
  """Law: a mask belongs to a key, a layer and a row, and to no other."""
  base = dropout(ONES, 0.5, keys(), ('a',))
  again = dropout(ONES, 0.5, keys(), ('a',))
  np.testing.assert_array_equal(base, again)
  shifted = dropout(ONES, 0.5, keys(first_row=1), ('a',))
  np.testing.assert_array_equal(shifted[:3], base[1:])
  others = [
    dropout(ONES, 0.5, keys(), ('b',)),
    dropout(ONES, 0.5, keys(), ('a', 'a')),
    dropout(ONES, 0.5, keys(seed=1), ('a',)),
    base[np.array([1, 2, 3, 0])],
  ]
  for other in others:
    assert 0.45 < np.mean(np.asarray(other) == np.asarray(base)) < 0.55


def test_off():
  """Law: without keys, or at rate 0, nothing is dropped or scaled."""
  for y in (dropout(ONES, 0.5, None, ()), dropout(ONES, 0.0, keys(), ())):
    np.testing.assert_array_equal(y, ONES)


def test_gradient():
  """Gradient: the mask times the scale, once more."""
  slope = jax.grad(lambda x: dropout(x, 0.5, keys(), ('a',)).sum())(ONES)
  np.testing.assert_array_equal(slope, dropout(ONES, 0.5, keys(), ('a',)))
