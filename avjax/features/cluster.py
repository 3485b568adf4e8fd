"""Raw features computed by the workers of a Dask cluster, a task a clip.

A worker hands each clip to the process that a local extraction has
(`workers.MeasuringProcess`), with the same environment, so that the results are
the same bytes; columns go into the shared work folder. If that process or the
worker dies, Dask runs the task again, elsewhere if it must.
"""

import contextlib
import dataclasses
import logging
import os
import pathlib
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import avjax
from avjax.errors import ConfigError, DataError
from avjax.features import work_folder
from avjax.features.workers import MeasureOutcome, MeasuringProcess, Task
from avjax.settings import FeaturesConfig

if TYPE_CHECKING:
  import distributed

CONNECT_S = 30
"""Seconds in which the scheduler must answer."""
LAG_S = 60
"""Seconds after which a file must be seen everywhere; NFS may keep for so long
in mind that there was none."""
_RETRIES = 2  # of a clip whose process died
_CALL = f"__import__('{__name__}', fromlist=['x']).measure_one(common, task)"
"""What a worker evaluates. It is a text, with arguments of plain types, since a
worker that cannot load what it gets would end, without a word to us."""
_idle: list[tuple[Mapping[str, Any], MeasuringProcess]] = []
"""On a worker: processes that wait for a clip, with their settings."""


class DiedError(Exception):
  """The process that measured a clip died; Dask runs the task again."""


@dataclasses.dataclass(frozen=True)
class Common:
  """What all tasks of an extraction have in common.

  Attributes:
    version: of avjax, which a worker must have.
    folder: in which the program was started, for paths that are relative.
    work: the work folder, absolute.
    begun: content of its settings.json.
    settings: of the features, as JSON.
  """

  version: str
  folder: str
  work: str
  begun: bytes
  settings: Mapping[str, Any]


def measure_all(
  tasks: Mapping[int, Task],
  settings: FeaturesConfig,
  work: pathlib.Path,
  address: str,
  tell: Callable[[str], None],
) -> Iterator[tuple[int, MeasureOutcome]]:
  """Yields (key, outcome) of every task, in the order in which they end.

  Args:
    tasks: key -> clip.
    settings: of the features.
    work: the work folder.
    address: of the scheduler, such as 'tcp://node:8786'.
    tell: called with a line for the user.

  Raises:
    ConfigError: the scheduler cannot be reached or is lost, or a worker has
      another version, lacks a package or does not see the folders.
    DataError: the columns of a clip cannot be written, or are not seen here.
  """
  if not tasks:
    return
  begun = (work / work_folder.SETTINGS).read_bytes()
  common = Common(
    avjax.__version__,
    os.getcwd(),
    str(work.absolute()),
    begun,
    dataclasses.asdict(settings),
  )
  with _client(address) as client:
    from distributed import as_completed

    if not client.scheduler_info(n_workers=1)['workers']:
      tell(f'the scheduler at {address} has no worker yet; waiting for one')
    name = f'measure-{uuid.uuid4().hex}'
    futures = [
      client.submit(
        eval, _CALL, content(common, task), key=f'{name}-{k}', retries=_RETRIES
      )
      for k, task in tasks.items()
    ]
    keys = dict(zip((str(f.key) for f in futures), tasks, strict=True))
    for future in as_completed(futures):
      key = keys[str(future.key)]
      yield key, _outcome(future, tasks[key], address)
      future.release()
    client.run(release, on_error='ignore')


def content(common: Common, task: Task) -> dict[str, Any]:
  """Returns the arguments of `measure_one` as plain types."""
  return {
    'common': dataclasses.asdict(common),
    'task': dataclasses.asdict(task),
  }


def measure_one(
  common: Mapping[str, Any], task: Mapping[str, Any]
) -> dict[str, Any]:
  """Measures a clip on a worker; returns an answer as `measuring_process`.

  Args:
    common: a `Common`, as `content` has it.
    task: the clip.

  Raises:
    DiedError: the process that measured it died.
  """
  return _measure(Common(**common), Task(**task))


def _measure(common: Common, task: Task) -> dict[str, Any]:
  """Returns what `measure_one` does."""
  if why := _unfit(common, task):
    return {'refused': why}
  for k, (settings, _) in enumerate(_idle):
    if settings == common.settings:
      process = _idle.pop(k)[1]
      break
  else:
    process = MeasuringProcess(common.settings, common.folder)
    answer = process.answer()
    if 'ready' not in answer:
      process.kill()
      if 'refused' in answer:
        return {'refused': f'{_here()}: {answer["refused"]}'}
      raise DiedError(answer['died'])
  process.measure(0, task)
  answer = process.answer()
  if 'outcome' not in answer:
    process.kill()
    if 'died' in answer:
      raise DiedError(answer['died'])
    return answer
  _idle.append((common.settings, process))
  return answer


def release() -> None:
  """Ends the processes of a worker that wait for a clip."""
  while _idle:
    _idle.pop()[1].kill()


def _here() -> str:
  """Returns the name of this worker."""
  from distributed import get_worker

  return f'the worker {get_worker().address} on {platform.node()}'


def _unfit(common: Common, task: Task) -> str:
  """Returns why this worker cannot do the task, or ''."""
  if avjax.__version__ != common.version:
    return (
      f'{_here()} has avjax {avjax.__version__}, and this is'
      f' {common.version}; start it from the same environment'
    )
  settings = pathlib.Path(common.work) / work_folder.SETTINGS
  try:
    same = settings.read_bytes() == common.begun
  except OSError:
    same = False
  if not same:
    return (
      f'{_here()} does not see the work folder {common.work}; give an OUT that'
      ' all machines share under one name'
    )
  needed = common.folder, os.path.join(common.folder, task.source)
  unseen = [path for path in needed if not os.path.exists(path)]
  if unseen:
    return (
      f'{_here()} does not see {unseen[0]}; start bin/extract in, and with, a'
      ' folder that all machines share under one name'
    )
  return ''


@contextlib.contextmanager
def _client(address: str) -> Iterator['distributed.Client']:
  """Yields the client of a scheduler.

  Raises:
    ConfigError: it cannot be reached, or the package is missing.
  """
  try:
    import distributed
  except ImportError as error:
    raise ConfigError(
      "--cluster needs the package distributed; pip install 'avjax[cluster]'"
    ) from error
  for name in logging.root.manager.loggerDict:  # told in our words
    if name.startswith('distributed'):
      logging.getLogger(name).setLevel(logging.CRITICAL)
  try:
    client = distributed.Client(address, timeout=CONNECT_S)
  except (OSError, ValueError, TypeError) as error:
    why = ' '.join(str(error).split())
    raise ConfigError(
      f'no Dask scheduler answers at {address!r} ({why:.120}); start one with'
      ' `dask scheduler`, and give the address that it prints'
    ) from error
  with client:
    yield client


def _outcome(
  future: 'distributed.Future', task: Task, address: str
) -> MeasureOutcome:
  """Returns the outcome of a task that has ended.

  Raises:
    ConfigError, DataError: as `measure_all`.
  """
  from distributed.scheduler import KilledWorker

  if future.cancelled():
    raise ConfigError(
      f'the scheduler at {address} was lost; what is measured is kept: start'
      ' it and its workers, then run the same command again to go on'
    )
  error = future.exception()
  if isinstance(error, DiedError | KilledWorker):
    return MeasureOutcome('the process that measured it died')
  if error is not None:
    why = ' '.join(f'{type(error).__name__}: {error}'.split())
    raise ConfigError(
      f'a worker of {address} cannot measure clips ({why:.200}); start the'
      ' scheduler and its workers from the same environment, with avjax'
      f' {avjax.__version__}'
    )
  answer = future.result()
  if 'refused' in answer:
    raise ConfigError(answer['refused'])
  if 'unwritten' in answer:
    raise DataError(answer['unwritten'])
  outcome = MeasureOutcome(**answer['outcome'])
  if not outcome.failure:
    _await(pathlib.Path(task.target))
  return outcome


def _await(path: pathlib.Path) -> None:
  """Waits until this machine sees a file that another has written.

  Raises:
    DataError: it does not.
  """
  end = time.monotonic() + LAG_S
  while not path.exists():
    os.listdir(path.parent)  # makes NFS look again
    if time.monotonic() > end:
      raise DataError(
        f'a worker has written {path}, which is not seen here after {LAG_S} s;'
        ' give an OUT that all machines share under one name'
      )
    time.sleep(0.2)
