"""Several processes that compute raw features, each one clip at a time.

A failing clip does not stop the others: it is reported with the reason, and a
process that dies is replaced. The processes are started as programs
(`measuring_process`), so that a script needs no guard of its main module.
"""

import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from avjax import files, interrupts
from avjax.errors import ConfigError, DataError
from avjax.settings import FeaturesConfig

_THREADS = {
  'OMP_NUM_THREADS': '1',
  'OPENBLAS_NUM_THREADS': '1',
  'XLA_FLAGS': '--xla_cpu_multi_thread_eigen=false',
}
_TRIES = 2  # of a clip; its process may have died for another reason
_STARTS = 5  # of processes in a row that end before they are ready


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
  seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)


def measure_all(
  tasks: Mapping[int, Task], settings: FeaturesConfig, workers: int
) -> Iterator[tuple[int, MeasureOutcome]]:
  """Yields (key, outcome) of every task, in the order in which they end.

  Raises:
    ConfigError: the processes do not start, or lack a package or a file.
    DataError: the columns of a clip cannot be written.
  """
  waiting = collections.deque(tasks)
  tries: collections.Counter[int] = collections.Counter()
  dead_starts = 0
  with _Crew(settings) as crew:
    while waiting or crew.busy:
      crew.assign(waiting, tasks)
      crew.start(min(workers, len(waiting) + crew.busy))
      for worker in crew.answering():
        key, ready = worker.key, worker.ready
        answer = worker.answer()
        if 'refused' in answer:
          raise ConfigError(answer['refused'])
        if 'unwritten' in answer:
          raise DataError(answer['unwritten'])
        if 'died' in answer:
          crew.remove(worker)
          dead_starts = 0 if ready else dead_starts + 1
          if dead_starts == _STARTS:
            raise ConfigError(
              f'{_STARTS} processes that measure clips ended as they started'
              f' ({answer["died"]}); free memory, or give fewer --workers'
            )
        if key is None:
          continue
        tries[key] += 1
        if 'outcome' in answer:
          yield key, MeasureOutcome(**answer['outcome'])
        elif tries[key] < _TRIES:
          waiting.appendleft(key)
        else:
          yield key, MeasureOutcome('the process that measured it died')


class _Crew:
  """The processes; a context, at whose end they are killed."""

  def __init__(self, settings: FeaturesConfig):
    self._settings = settings
    self._selector = selectors.DefaultSelector()
    self._workers: list[MeasuringProcess] = []

  def __enter__(self) -> '_Crew':
    return self

  def __exit__(self, *error: object) -> None:
    for worker in list(self._workers):
      self.remove(worker)
    self._selector.close()

  @property
  def busy(self) -> int:
    """Number of processes that are measuring a clip."""
    return sum(worker.key is not None for worker in self._workers)

  def assign(
    self, waiting: collections.deque[int], tasks: Mapping[int, Task]
  ) -> None:
    """Gives the processes that wait for a clip one each."""
    for worker in self._workers:
      if waiting and worker.ready and worker.key is None:
        key = waiting.popleft()
        worker.measure(key, tasks[key])

  def start(self, count: int) -> None:
    """Starts processes until there are `count`."""
    while len(self._workers) < count:
      worker = MeasuringProcess(dataclasses.asdict(self._settings))
      self._workers.append(worker)
      self._selector.register(worker.answers, selectors.EVENT_READ, worker)

  def answering(self) -> list['MeasuringProcess']:
    """Waits for, and returns, processes that have answered or ended."""
    return [key.data for key, _ in self._selector.select()]

  def remove(self, worker: 'MeasuringProcess') -> None:
    """Kills a process."""
    self._selector.unregister(worker.answers)
    self._workers.remove(worker)
    worker.kill()


class MeasuringProcess:
  """A process that runs `measuring_process`.

  Args:
    settings: of the features, as JSON.
    folder: in which it runs; None for that of this process.

  Attributes:
    key: of the clip that it is measuring, or None.
    ready: whether it has answered once.
    answers: the pipe to wait for.
  """

  def __init__(self, settings: Mapping[str, Any], folder: str | None = None):
    self.key: int | None = None
    self.ready = False
    self._target = ''
    program = (
      f'import sys; sys.path[:] = {sys.path!r};'
      ' from avjax.features import measuring_process; measuring_process.main()'
    )
    self._child = subprocess.Popen(
      [sys.executable, '-P', '-c', program],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      env=os.environ | _THREADS,
      cwd=folder,
      process_group=0,
    )
    interrupts.groups.add(self._child.pid)
    assert self._child.stdin and self._child.stdout  # for the type checker
    self._requests, self.answers = self._child.stdin, self._child.stdout
    self._send(settings)

  def measure(self, key: int, task: Task) -> None:
    """Hands over a clip."""
    self.key, self._target = key, task.target
    self._send(dataclasses.asdict(task))

  def answer(self) -> dict[str, Any]:
    """Returns the answer; with the key 'died' if the process has ended."""
    line = self.answers.readline()
    if not line.endswith(b'\n'):
      code = self._child.wait()
      return {'died': signal.Signals(-code).name if code < 0 else code}
    self.key, self.ready = None, True
    return json.loads(line)

  def kill(self) -> None:
    """Ends the process, and the one that decodes for it."""
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self._child.pid, signal.SIGKILL)
    interrupts.groups.discard(self._child.pid)
    self._child.wait()
    for pipe in (self._requests, self.answers):
      with contextlib.suppress(BrokenPipeError):  # of what it did not read
        pipe.close()
    if self._target:
      target = pathlib.Path(self._target)
      files.temporary(target, self._child.pid).unlink(missing_ok=True)

  def _send(self, content: Mapping[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # `answer` tells that it died
      self._requests.write(json.dumps(content).encode() + b'\n')
      self._requests.flush()
