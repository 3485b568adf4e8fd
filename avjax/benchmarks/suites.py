"""The suites of cases and shapes, and running one within a time budget."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from avjax.benchmarks import agreement, cases, lines, timing
from avjax.benchmarks.case import OURS
from avjax.benchmarks.inputs import Shape


@dataclasses.dataclass(frozen=True)
class BenchmarkEntry:
  """A case and its shape."""

  case: str
  shape: Shape


@dataclasses.dataclass(frozen=True)
class Effort:
  """The number of rounds and calls per entry; see `timing.in_turns`."""

  rounds: int = 10
  calls: int = 3
  turn: float = 0.05


def time_suite(
  entries: Sequence[BenchmarkEntry],
  peers: Sequence[str],
  effort: Effort,
  budget: float,
  revision: str | None = None,
  clock: Callable[[], float] = time.monotonic,
) -> Iterator[dict[str, Any]]:
  """Yields the lines of all entries, each as soon as it is done.

  A line without a timing has 'failed' with the reason, or 'left_out' if the
  budget did not suffice.

  Args:
    entries: to run, the most important first.
    peers: names of the peers.
    effort: of each timing.
    budget: in seconds. An entry starts only if it would fit into the budget,
      assuming the longest time of its case so far, or of any case if it is the
      first of its case.
    revision: see `lines.environment`.
    clock: returns the time in seconds.
  """
  about = lines.environment(revision, torch='torch' in peers)
  start = clock()
  took: dict[str, float] = {}  # case -> seconds of its longest entry
  for entry in entries:
    layer = entry.case in cases.LAYERS
    head = lines.head(entry.case, entry.shape, layer)
    began = clock()
    likely = took.get(entry.case, max(took.values(), default=0.0))
    if began - start + likely >= budget:
      body = [{'left_out': f'the budget of {budget:g} s did not suffice'}]
    else:
      body = _run(entry, peers, effort)
      took[entry.case] = max(took.get(entry.case, 0.0), clock() - began)
    yield from (head | line | about for line in body)


def _run(entry: BenchmarkEntry, peers: Sequence[str], effort: Effort):
  """Returns the lines of one entry, without head and environment."""
  made, errors, failed = {}, {}, []
  precision = entry.shape.precision
  # Any error, including out of memory, only excludes one implementation and is
  # reported; the others and the remaining entries still run.
  with agreement.matmul_precision(precision):
    try:
      case = cases.CASES[entry.case](entry.shape, peers)
      for name, make in case.makers.items():
        try:
          made[name] = make()
          got = made[name].results()
          errors[name] = agreement.check(name, got, case.wanted, precision)
        except Exception as error:
          made.pop(name, None)
          failed.append({'implementation': name, 'failed': _reason(error)})
      timings = timing.in_turns(made, **dataclasses.asdict(effort))
      return lines.timed(made, timings, errors, OURS) + failed
    except Exception as error:
      return [*failed, {'failed': _reason(error)}]


def _reason(error: Exception) -> str:
  text = ' '.join(str(error).split())[:300]
  return (
    text if isinstance(error, ValueError) else f'{type(error).__name__}: {text}'
  )


def _layers(case: str, precision: str, *sizes: tuple) -> list[BenchmarkEntry]:
  return [
    BenchmarkEntry(case, Shape(batch, frames, hidden_size, ragged, precision))
    for batch, frames, hidden_size, ragged in sizes
  ]


def _networks(case: str, precision: str, *sizes: tuple) -> list[BenchmarkEntry]:
  return [
    BenchmarkEntry(case, Shape(batch, frames, precision=precision))
    for batch, frames in sizes
  ]


RAGGED, FULL = True, False
SUITES = {
  'cpu': [
    *_networks('train_step', 'float32', (32, 60)),
    *_networks('inference', 'float32', (32, 60), (1, 60)),
    *_layers(
      'lstm',
      'float32',
      (64, 150, 64, RAGGED),
      (64, 150, 64, FULL),
      (64, 40, 64, RAGGED),
      (16, 150, 64, RAGGED),
      (16, 150, 32, RAGGED),
      (16, 150, 8, RAGGED),
      (1, 150, 64, FULL),
      (256, 150, 64, RAGGED),
    ),
    *_layers(
      'lstm_forward',
      'float32',
      (64, 150, 64, RAGGED),
      (64, 150, 64, FULL),
      (1, 150, 64, FULL),
    ),
    *_networks('train_step', 'float32', (32, 150), (8, 60)),
    *_networks('epoch', 'float32', (32, 60)),
    *_networks('seeds', 'float32', (32, 60)),
  ],
  'gpu': [
    *_networks('train_step', 'tf32', (32, 60)),
    *_layers('lstm', 'tf32', (64, 150, 64, RAGGED), (64, 150, 64, FULL)),
    *_layers('lstm_forward', 'tf32', (64, 150, 64, RAGGED)),
    *_networks('inference', 'tf32', (32, 60)),
    *_networks('epoch', 'tf32', (32, 60)),
    *_networks('seeds', 'tf32', (32, 60)),
    *_layers('lstm', 'float32', (64, 150, 64, RAGGED)),
    *_layers(
      'lstm',
      'tf32',
      (64, 40, 64, RAGGED),
      (16, 150, 32, RAGGED),
      (16, 150, 8, RAGGED),
      (1024, 150, 64, RAGGED),
      (1, 150, 64, FULL),
      (4096, 150, 64, RAGGED),
      (256, 150, 64, RAGGED),
      (16, 150, 64, RAGGED),
      (16, 1024, 64, FULL),  # the shape in the FlashRNN paper
    ),
    *_layers('lstm_forward', 'tf32', (64, 150, 64, FULL), (16, 1024, 64, FULL)),
    *_networks('train_step', 'tf32', (256, 150)),
    *_networks('train_step', 'float32', (32, 60)),
    *_networks('inference', 'tf32', (1, 60)),
  ],
}
"""Name -> entries, the most important first."""
