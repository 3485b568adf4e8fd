"""Complete files, and folders that belong to one request.

Runs, stores, extractions and reproductions write through this module. A file
is written under a temporary name and then renamed, so that it is complete or
absent. A folder is locked by one process at a time. `differences` lists how the
request that a folder was begun with differs from the present one.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import platform
from collections.abc import Iterator, Mapping
from typing import Any

from avjax.errors import BusyError, CheckpointError


def put(path: pathlib.Path, data: bytes) -> None:
  """Writes a file completely or not at all, however the process ends.

  Raises:
    OSError: no space or no permission; an earlier file is left as it was.
  """
  part = temporary(path, os.getpid())
  try:
    with open(part, 'wb') as file:
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    part.replace(path)
  except BaseException:
    part.unlink(missing_ok=True)
    raise


def temporary(path: pathlib.Path, process: int) -> pathlib.Path:
  """Returns the file that a process writes before it becomes `path`."""
  # Not the file's own name with a suffix, which could be too long. Two machines
  # that share the folder may have a process of the same number.
  return path.with_name(f'.{platform.node()}.{process}.part')


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes a text file as `put` does, and creates its folder.

  Raises:
    CheckpointError: no space or no permission.
  """
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path, text.encode())
  except OSError as error:
    raise CheckpointError(
      f'{path} cannot be written: {error.strerror}; fix that, then run it'
      ' again to resume'
    ) from None


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
  """Writes a JSON file as `write_text` does."""
  write_text(path, json.dumps(content, indent=2, sort_keys=False) + '\n')


def check_output(folder: pathlib.Path) -> None:
  """Raises CheckpointError if a program could not write into its --output.

  Nothing is created, so that a program may call it before its work.
  """
  existing = next(p for p in (folder, *folder.parents) if p.exists())
  if not existing.is_dir() or not os.access(existing, os.W_OK):
    raise CheckpointError(
      f'{folder} cannot be written to; give a folder with --output that can'
    )


def as_json(value: Any) -> Any:
  """Returns a value as a JSON file would return it: tuples become lists."""
  return json.loads(json.dumps(value))


def differences(before: Any, now: Any, key: str = '') -> Iterator[str]:
  """Yields 'key was X and is Y' for every leaf that differs.

  Args:
    before: the request that a folder was begun with, as JSON.
    now: the present request, as JSON.
    key: of these two values within the requests; '' for the whole.
  """
  if isinstance(before, dict) and isinstance(now, dict):
    for name in sorted(before.keys() | now.keys()):
      inner = f'{key}.{name}' if key else name
      yield from differences(before.get(name), now.get(name), inner)
  elif before != now:
    yield f'{key} was {before!r} and is {now!r}'


@contextlib.contextmanager
def lock(folder: str | pathlib.Path, shared: bool = False) -> Iterator[None]:
  """Locks a folder for this process, and creates it if it is missing.

  The system releases the lock when the process ends, for whatever reason. The
  file `lock` stays behind and means nothing by itself.

  Args:
    folder: the folder.
    shared: whether others may have it too, if they share it as well.

  Raises:
    BusyError: another process has the lock.
    CheckpointError: the folder cannot be written to.
  """
  path = pathlib.Path(folder).absolute() / 'lock'
  with contextlib.ExitStack() as stack:
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      file = stack.enter_context(open(path, 'a+'))
      kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
      fcntl.flock(file, kind | fcntl.LOCK_NB)
      file.truncate(0)
      file.write(f'{os.getpid()}\n')
      file.flush()
    except BlockingIOError:
      raise BusyError(
        f'another run is using {path.parent} (process'
        f' {path.read_text().strip()}); wait for it, or use another folder'
      ) from None
    except OSError as error:
      raise CheckpointError(
        f'{path.parent} cannot be locked: {error.strerror}; use a folder that'
        ' can be written to'
      ) from None
    yield
