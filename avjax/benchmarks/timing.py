"""Wall-clock times of several functions, taken in turns."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from avjax.training import records


@dataclasses.dataclass(frozen=True)
class Timing:
  """The times of one function, in seconds.

  Attributes:
    first: of the first call, which compiles.
    calls: of all the calls after it.
  """

  first: float
  calls: tuple[float, ...]

  @property
  def median(self) -> float:
    return statistics.median(self.calls)

  @property
  def least(self) -> float:
    return min(self.calls)

  @property
  def compilation(self) -> float:
    """The first call without the time of an ordinary one."""
    return max(self.first - self.median, 0.0)

  @property
  def spread(self) -> float:
    """The middle half of the calls, as a fraction of the median."""
    if len(self.calls) < 2:
      return 0.0
    lower, _, upper = statistics.quantiles(self.calls, n=4)
    return (upper - lower) / self.median


def in_turns(
  functions: Mapping[str, Callable[[], Any]], rounds: int = 10, calls: int = 3
) -> dict[str, Timing]:
  """Returns the timing of each function, under its name.

  Every round calls each function in its turn, so that a machine that slows
  down for a while slows all of them. A call ends when its result is there.

  Args:
    functions: without arguments; what they return is waited for.
    rounds: three or more, so that there is a spread.
    calls: of one function in a row, each timed.

  Raises:
    ValueError: too few rounds or calls.
  """
  if rounds < 3 or calls < 1:
    raise ValueError(
      f'{rounds} rounds of {calls} calls; it must be 3 rounds or more of 1'
      ' call or more'
    )
  first = {name: _seconds(function) for name, function in functions.items()}
  times: dict[str, list[float]] = {name: [] for name in functions}
  for _ in range(rounds):
    for name, function in functions.items():
      times[name] += [_seconds(function) for _ in range(calls)]
  return {name: Timing(first[name], tuple(times[name])) for name in functions}


def lines(
  timings: Mapping[str, Timing], case: str, shape: Any
) -> list[dict[str, Any]]:
  """Returns what is printed of each timing: times, ratio, where and with what.

  `ratio` is the median over that of the first implementation, ours:
  above 1 where ours is faster.
  """
  ours = next(iter(timings.values())).median
  environment = records.environment()
  environment['versions']['numpy'] = np.__version__
  return [
    {
      'case': case,
      'implementation': name,
      **dataclasses.asdict(shape),
      'dtype': 'float32',
      'compile_seconds': round(timing.compilation, 3),
      'median_ms': round(1e3 * timing.median, 3),
      'min_ms': round(1e3 * timing.least, 3),
      'spread': round(timing.spread, 3),
      'ratio': round(timing.median / ours, 3),
      'calls': len(timing.calls),
      'device': jax.devices()[0].device_kind,
      **environment,
    }
    for name, timing in timings.items()
  ]


def _seconds(function: Callable[[], Any]) -> float:
  start = time.perf_counter()
  jax.block_until_ready(function())
  return time.perf_counter() - start
