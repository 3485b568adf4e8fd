"""Timing of functions that are called in turns."""

import jax
import jax.numpy as jnp
import pytest

from avjax.benchmarks import timing
from avjax.benchmarks.timing import Implementation


def test_turns():
  """Law: in each round every function is called one by one, then pipelined."""
  events = []

  def function(name):
    return Implementation(
      call=lambda: events.append(name),
      results=lambda: ((), ()),
      wait=lambda results: events.append(str(len(results))),
    )

  functions = {name: function(name) for name in 'ab'}
  timings = timing.in_turns(functions, rounds=3, calls=2, turn=0.0, settle=0.0)
  begins = 'a1b1' + 3 * 'a1' + 3 * 'b1'  # first calls, and three to estimate
  assert ''.join(events) == begins + 3 * 'a1a1aa2b1b1bb2'
  for name in 'ab':
    assert (len(timings[name].calls), len(timings[name].pipelined)) == (6, 3)
    assert min(timings[name].calls) > 0 and min(timings[name].pipelined) > 0


def test_statistics():
  """Equation: median, least, compilation and spread of known times."""
  calls = 4.0, 1.0, 2.0, 3.0, 5.0
  known = timing.Timing(first=10.0, calls=calls, pipelined=(1.0, 9.0, 2.0))
  assert (known.median, known.least, known.compilation) == (3, 1, 7)
  assert known.spread == pytest.approx((4.5 - 1.5) / 3)
  assert known.throughput == 2
  assert known.throughput_spread == pytest.approx((9 - 1) / 2)


def test_too_few_rounds():
  """Law: fewer than three rounds are refused."""
  with pytest.raises(ValueError, match='2 rounds of 1 calls'):
    timing.in_turns({}, rounds=2, calls=1)


def test_compiled():
  """Law: the compiled function gives the same result; figures are numbers."""
  function = jax.jit(lambda x: (x @ x).sum())
  x = jnp.ones((64, 64))
  program, seconds, peak_bytes = timing.compiled(function, x)
  assert program(x) == function(x) == 64**3
  assert seconds > 0
  assert peak_bytes() >= 0
