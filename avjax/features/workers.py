"""A pool of processes that compute raw features, one clip at a time.

A failing clip does not stop the others: it is reported with the reason, and a
process that dies is replaced.
"""

import concurrent.futures
import concurrent.futures.process
import contextlib
import dataclasses
import json
import multiprocessing
import os
import pathlib
import threading
import time
from collections.abc import Iterator, Mapping

import numpy as np

from avjax import files
from avjax.data import npy
from avjax.data.corpora.tree import digest
from avjax.errors import ConfigError, DataError
from avjax.features import columns, extractor
from avjax.settings import FeaturesConfig

_THREADS = {
  'OMP_NUM_THREADS': '1',
  'OPENBLAS_NUM_THREADS': '1',
  'XLA_FLAGS': '--xla_cpu_multi_thread_eigen=false',
}


@dataclasses.dataclass(frozen=True)
class Task:
  """One clip to measure.

  Attributes:
    name: of the clip.
    source: file of the clip.
    corpus: folder of the corpus.
    target: file to write the columns to.
  """

  name: str
  source: str
  corpus: str
  target: str


@dataclasses.dataclass(frozen=True)
class MeasureOutcome:
  """The outcome of a task.

  Attributes:
    failure: why it failed, or ''.
    seconds: stage -> seconds that it took.
  """

  failure: str
  seconds: Mapping[str, float]


def measure(settings: FeaturesConfig) -> columns.Measure:
  """Returns a `Measure` with the network that the settings need.

  Raises:
    AvjaxError: a package or a file that the settings need is missing.
  """
  network = None
  if 'appearance' in settings.streams:
    network = extractor.network(settings)
  return columns.Measure(settings, network)


def measure_all(
  tasks: Mapping[int, Task], settings: FeaturesConfig, workers: int
) -> Iterator[tuple[int, MeasureOutcome]]:
  """Yields (key, outcome) of every task, in the order in which they end."""
  waiting = dict(tasks)
  while waiting:
    for key, outcome in _measure_in_pool(waiting, settings, workers):
      del waiting[key]
      yield key, outcome
    # If tasks are left, a process has died. Its task is among the first that
    # are left: each worker had one, and the queue one more. Running these
    # alone shows which.
    for key in list(waiting)[: workers + 1]:
      alone = {key: waiting.pop(key)}
      died = (key, MeasureOutcome('the process that measured it died', {}))
      yield next(_measure_in_pool(alone, settings, 1), died)


def _measure_in_pool(
  tasks: Mapping[int, Task], settings: FeaturesConfig, workers: int
) -> Iterator[tuple[int, MeasureOutcome]]:
  """Yields (key, outcome) until all tasks are done or a process has died."""
  with (
    _one_thread_each(),
    concurrent.futures.ProcessPoolExecutor(
      min(workers, len(tasks)),
      multiprocessing.get_context('spawn'),
      initializer=_begin,
      initargs=(settings, os.getpid()),
    ) as pool,
  ):
    futures = {pool.submit(_work, task): k for k, task in tasks.items()}
    try:
      for future in concurrent.futures.as_completed(futures):
        yield futures[future], future.result()
    except concurrent.futures.process.BrokenProcessPool:
      pass
    finally:
      pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
  """Limits processes that are started in the block to one thread each."""
  before = {name: os.environ.get(name) for name in _THREADS}
  os.environ.update(_THREADS)
  try:
    yield
  finally:
    for name, value in before.items():
      if value is None:
        del os.environ[name]
      else:
        os.environ[name] = value


_measure: columns.Measure | None = None


def _begin(settings: FeaturesConfig, parent: int) -> None:
  """Initialises a process of the pool."""
  global _measure
  threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
  _measure = measure(settings)


def _end_with(parent: int) -> None:
  """Ends this process soon after its parent has ended."""
  while os.getppid() == parent:
    time.sleep(0.5)
  os._exit(1)


def _work(task: Task) -> MeasureOutcome:
  """Measures one clip, writes the task's file and returns the outcome."""
  assert _measure is not None
  try:
    start = time.perf_counter()
    raw = _measure.decode(task.source, task.name)
    decoding = time.perf_counter() - start
    measured = _measure(raw, task.corpus)
  except ConfigError:
    raise  # a package is missing: every other clip would fail too
  except (DataError, OSError) as error:
    return MeasureOutcome(' '.join(str(error).split()), {})
  arrays = {
    **measured.arrays,
    'found': measured.found,
    'notes': np.frombuffer(json.dumps(measured.notes).encode(), np.uint8),
    'sha256': np.frombuffer(bytes.fromhex(digest(task.source)), np.uint8),
  }
  files.put(pathlib.Path(task.target), npy.pack(arrays))
  return MeasureOutcome('', {'decode': decoding, **measured.seconds})
