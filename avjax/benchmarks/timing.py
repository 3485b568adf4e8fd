"""Wall-clock times of several implementations, which are called in turns.

Latency is measured by waiting for the result of each call; throughput by
starting many calls and waiting only for the last.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

MOST = 100
"""Maximum number of calls in one turn."""
SETTLE = 0.005
"""Seconds of untimed calls at the beginning of a turn: the threads of the
implementation called before may still spin, waiting for work."""


@dataclasses.dataclass(frozen=True)
class Implementation:
  """A function to time.

  Attributes:
    call: starts a call and returns its result, possibly before it is computed.
    results: returns value and gradients for `agreement.check`.
    wait: waits for a list of results.
    compile_seconds: time to compile, before the first call.
    peak_bytes: returns the memory of a call besides its arguments; None if
      unknown.
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
    calls: latency of each call.
    pipelined: time per call when waiting only for the last of a turn's calls;
      one number per turn.
  """

  first: float
  calls: tuple[float, ...]
  pipelined: tuple[float, ...]

  @property
  def median(self) -> float:
    """Median latency."""
    return statistics.median(self.calls)

  @property
  def least(self) -> float:
    """Minimum latency."""
    return min(self.calls)

  @property
  def throughput(self) -> float:
    """Median time per call when waiting only for the last."""
    return statistics.median(self.pipelined)

  @property
  def compilation(self) -> float:
    """Time of the first call minus the median latency."""
    return max(self.first - self.median, 0.0)

  @property
  def spread(self) -> float:
    """Interquartile range of the latencies, relative to the median."""
    return _spread(self.calls)

  @property
  def throughput_spread(self) -> float:
    """Interquartile range of the pipelined times, relative to the median."""
    return _spread(self.pipelined)


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
  """Returns name -> timing of each function.

  Every round calls each function in turn, so that a temporary slowdown of the
  machine affects all of them.

  Args:
    functions: name -> function to time.
    rounds: three or more, so that there is a spread.
    calls: minimum number of calls per turn, for latency and for throughput.
    turn: seconds that the calls of a turn should take, for latency and for
      throughput; short functions are called up to MOST times.
    settle: seconds of untimed calls at the beginning of each turn.

  Raises:
    ValueError: too few rounds or calls.
  """
  if rounds < 3 or calls < 1:
    raise ValueError(
      f'{rounds} rounds of {calls} calls were asked for; it must be at least 3'
      ' rounds of at least 1 call'
    )
  first = {name: _seconds(f, 1) for name, f in functions.items()}
  count = {}
  for name, function in functions.items():
    least = min(_seconds(function, 1) for _ in range(3))
    count[name] = max(calls, min(MOST, int(turn / least)))
  latency: dict[str, list[float]] = {name: [] for name in functions}
  pipelined: dict[str, list[float]] = {name: [] for name in functions}
  for _ in range(rounds):
    for name, function in functions.items():
      settled = time.perf_counter() + settle
      while time.perf_counter() < settled:
        _seconds(function, 1)
      latency[name] += [_seconds(function, 1) for _ in range(count[name])]
      pipelined[name].append(_seconds(function, count[name]) / count[name])
  return {
    name: Timing(first[name], tuple(latency[name]), tuple(pipelined[name]))
    for name in functions
  }


def compiled(
  function: Any, *arguments: Any
) -> tuple[Callable[..., Any], float, Callable[[], int | None]]:
  """Compiles a jitted function for its arguments.

  Returns:
    The compiled function, the seconds it took to compile, and a function that
    returns the bytes of the temporaries, or None if unknown.
  """
  start = time.perf_counter()
  program = function.lower(*arguments).compile()
  seconds = time.perf_counter() - start

  def peak_bytes():
    analysis = program.memory_analysis()
    return None if analysis is None else int(analysis.temp_size_in_bytes)

  return program, seconds, peak_bytes


def _seconds(function: Implementation, calls: int) -> float:
  """Returns the seconds of `calls` calls, waiting at the end."""
  start = time.perf_counter()
  function.wait([function.call() for _ in range(calls)])
  return time.perf_counter() - start
