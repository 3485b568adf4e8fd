"""A suite for a device that is not here, in small, on this machine.

So that a typo is found before a GPU is at hand: everything but the device's own
compiler and cuDNN runs.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence

from avjax.benchmarks.suites import BenchmarkEntry
from avjax.kernels.lstm import IMPLEMENTATIONS

MOST = {'batch': 2, 'frames': 4, 'cells': 8}
"""What a shape has at most, since interpreted kernels take seconds a step."""


def entries(suite: Sequence[BenchmarkEntry]) -> list[BenchmarkEntry]:
  """Returns the suite with small shapes in float32, each of them once."""
  small = []
  for entry in suite:
    sizes = {k: min(getattr(entry.shape, k), v) for k, v in MOST.items()}
    shape = dataclasses.replace(entry.shape, precision='float32', **sizes)
    small.append(BenchmarkEntry(entry.case, shape))
  return list(dict.fromkeys(small))


def divided(peers: Sequence[str]) -> tuple[list[str], list[str]]:
  """Returns the peers that this machine checks itself, and Pallas kernels.

  cuDNN has nothing to be rehearsed with.
  """
  kernels = [
    name
    for name in peers
    if name in IMPLEMENTATIONS and name.startswith('pallas')
  ]
  return [x for x in peers if x != 'cudnn' and x not in kernels], kernels


@contextlib.contextmanager
def interpreted() -> Iterator[None]:
  """Runs the Pallas kernels as XLA's own operations within the context."""
  kept = dict(IMPLEMENTATIONS)
  for name, scan in kept.items():
    if name.startswith('pallas'):
      IMPLEMENTATIONS[name] = functools.partial(scan, interpret=True)
  try:
    yield
  finally:
    IMPLEMENTATIONS.update(kept)
