"""Times of functions that are called in turns."""

import jax.numpy as jnp
import pytest

from avjax.benchmarks import timing


def test_turns():
  """Law: one call first, then rounds in which each has its turn."""
  called = []

  def function(name):
    return lambda: (called.append(name), jnp.zeros(1))[1]

  timings = timing.in_turns({n: function(n) for n in 'ab'}, rounds=3, calls=2)
  assert ''.join(called) == 'ab' + 3 * 'aabb'
  assert all(len(timings[name].calls) == 6 for name in 'ab')
  assert all(min(timings[name].calls) > 0 for name in 'ab')


def test_statistics():
  """Equation: median, least, compilation and spread of known times."""
  known = timing.Timing(first=10.0, calls=(4.0, 1.0, 2.0, 3.0, 5.0))
  assert (known.median, known.least, known.compilation) == (3, 1, 7)
  assert known.spread == pytest.approx((4.5 - 1.5) / 3)


def test_too_few_rounds():
  """Law: fewer than three rounds have no spread."""
  with pytest.raises(ValueError, match='2 rounds of 1 calls'):
    timing.in_turns({}, rounds=2, calls=1)
