"""Several processes that measure clips, one clip at a time.

A clip cannot stop the others: what fails is reported with its reason, and a
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
    source: its file.
    corpus: the folder of the corpus.
    target: the file that gets the columns.
  """

  name: str
  source: str
  corpus: str
  target: str


@dataclasses.dataclass(frozen=True)
class MeasureOutcome:
  """How it went: why it failed, or '', and the seconds of every stage."""

  failure: str
  seconds: Mapping[str, float]


def measure(settings: FeaturesConfig) -> columns.Measure:
  """Returns what measures the clips.

  Raises:
    AvjaxError: a package or a file that the settings need is not there.
  """
  network = None
  if 'appearance' in settings.streams:
    network = extractor.network(settings)
  return columns.Measure(settings, network)


def measure_all(
  tasks: Mapping[int, Task], settings: FeaturesConfig, workers: int
) -> Iterator[tuple[int, MeasureOutcome]]:
  """Yields (key, outcome) of every task, as they end."""
  waiting = dict(tasks)
  while waiting:
    for key, outcome in _together(waiting, settings, workers):
      del waiting[key]
      yield key, outcome
    # If some are left, a process has died. It is among the first that are not
    # done, of which each worker had one and the queue one more: alone, they
    # show which.
    for key in list(waiting)[: workers + 1]:
      alone = {key: waiting.pop(key)}
      died = (key, MeasureOutcome('the process that measured it died', {}))
      yield next(_together(alone, settings, 1), died)


def _together(
  tasks: Mapping[int, Task], settings: FeaturesConfig, workers: int
) -> Iterator[tuple[int, MeasureOutcome]]:
  """Yields outcomes until all are there or a process has died."""
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
  """Makes processes that are started meanwhile use one thread each."""
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
  """Prepares a process of the pool."""
  global _measure
  threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
  _measure = measure(settings)


def _end_with(parent: int) -> None:
  """Ends this process soon after its parent was killed."""
  while os.getppid() == parent:
    time.sleep(0.5)
  os._exit(1)


def _work(task: Task) -> MeasureOutcome:
  """Returns the outcome; the columns are in the task's file."""
  assert _measure is not None
  try:
    start = time.perf_counter()
    raw = _measure.decode(task.source, task.name)
    decoding = time.perf_counter() - start
    measured = _measure(raw, task.corpus)
  except ConfigError:
    raise  # a package is missing: no clip will fare better
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
