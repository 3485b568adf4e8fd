"""Wall-clock times of several implementations, taken in turns.

Two timers. Latency: a call ends when its result is there. Throughput: many
calls are begun, and the last one's end is waited for.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

MOST = 100
"""Calls in one turn."""
SETTLE = 0.005
"""Seconds of calls at the beginning of a turn that are not timed: the threads
of whoever was called before wait for work and keep the cores busy meanwhile."""


@dataclasses.dataclass(frozen=True)
class Implementation:
  """One function to be timed.

  Attributes:
    call: begins one call and returns its result, which need not be there.
    results: what it computes, for the check: value and gradients, as
      `agreement.check` takes them.
    wait: returns when a list of results is there.
    compile_seconds: spent on it before the first call.
    peak_bytes: that one call needs beside its arguments; None if unknown.
  """

  call: Callable[[], Any]
  results: Callable[[], tuple[Any, Any]]
  wait: Callable[[Any], Any] = jax.block_until_ready
  compile_seconds: float = 0.0
  peak_bytes: Callable[[], int | None] = lambda: None


@dataclasses.dataclass(frozen=True)
class Timing:
  """The times of one function, in seconds.

  Attributes:
    first: of the first call, which may compile.
    calls: of all the calls that were waited for one by one.
    begun: of a call where many are begun; one number a turn.
  """

  first: float
  calls: tuple[float, ...]
  begun: tuple[float, ...]

  @property
  def median(self) -> float:
    return statistics.median(self.calls)

  @property
  def least(self) -> float:
    return min(self.calls)

  @property
  def throughput(self) -> float:
    """Seconds a call where many are begun."""
    return statistics.median(self.begun)

  @property
  def compilation(self) -> float:
    """The first call without the time of an ordinary one."""
    return max(self.first - self.median, 0.0)

  @property
  def spread(self) -> float:
    """The middle half of the calls, as a fraction of the median."""
    return _spread(self.calls)

  @property
  def throughput_spread(self) -> float:
    """The same of the turns in which many are begun."""
    return _spread(self.begun)


def _spread(times: Sequence[float]) -> float:
  if len(times) < 2:
    return 0.0
  lower, middle, upper = statistics.quantiles(times, n=4)
  return (upper - lower) / middle


def in_turns(
  functions: Mapping[str, Implementation],
  rounds: int = 10,
  calls: int = 3,
  turn: float = 0.05,
  settle: float = SETTLE,
) -> dict[str, Timing]:
  """Returns the timing of each function, under its name.

  Every round calls each function in its turn, so that a machine that slows
  down for a while slows all of them.

  Args:
    functions: name -> what is called.
    rounds: three or more, so that there is a spread.
    calls: at least, of one function in a turn, for each of the timers.
    turn: seconds that a turn's calls should fill for each of the timers, so
      that short calls are many, though not above MOST.
    settle: seconds of calls before each turn.

  Raises:
    ValueError: too few rounds or calls.
  """
  if rounds < 3 or calls < 1:
    raise ValueError(
      f'{rounds} rounds of {calls} calls; it must be 3 rounds or more of 1'
      ' call or more'
    )
  first = {name: _seconds(f, 1) for name, f in functions.items()}
  count = {}
  for name, function in functions.items():
    least = min(_seconds(function, 1) for _ in range(3))
    count[name] = max(calls, min(MOST, int(turn / least)))
  each: dict[str, list[float]] = {name: [] for name in functions}
  begun: dict[str, list[float]] = {name: [] for name in functions}
  for _ in range(rounds):
    for name, function in functions.items():
      settled = time.perf_counter() + settle
      while time.perf_counter() < settled:
        _seconds(function, 1)
      each[name] += [_seconds(function, 1) for _ in range(count[name])]
      begun[name].append(_seconds(function, count[name]) / count[name])
  return {
    name: Timing(first[name], tuple(each[name]), tuple(begun[name]))
    for name in functions
  }


def compiled(
  function: Any, *arguments: Any
) -> tuple[Callable[..., Any], float, Callable[[], int | None]]:
  """Returns a jitted function compiled for its arguments, and two figures.

  These are the seconds it took and, when called, the bytes of its temporaries.
  """
  start = time.perf_counter()
  program = function.lower(*arguments).compile()
  seconds = time.perf_counter() - start

  def peak_bytes():
    analysis = program.memory_analysis()
    return None if analysis is None else int(analysis.temp_size_in_bytes)

  return program, seconds, peak_bytes


def _seconds(function: Implementation, calls: int) -> float:
  start = time.perf_counter()
  function.wait([function.call() for _ in range(calls)])
  return time.perf_counter() - start
