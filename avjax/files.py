"""Files that are whole or not there, and folders that belong to one request.

What runs, stores, extractions and reproductions leave on disk goes through
here: a file is written beside its place and moved into it, a folder is locked
by one process at a time, and a folder that was begun for one request refuses
another.
"""

import contextlib
import fcntl
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from avjax.errors import CheckpointError


def put(path: pathlib.Path, data: bytes) -> None:
  """Writes a file that is there whole or not at all, however the process ends.

  Raises:
    OSError: there is no room, or no permission; the file before is untouched.
  """
  # Not the file's own name with a suffix, which could be too long.
  part = path.with_name(f'.{os.getpid()}.part')
  try:
    with open(part, 'wb') as file:
      file.write(data)
      file.flush()
      os.fsync(file.fileno())
    part.replace(path)
  except OSError:
    part.unlink(missing_ok=True)
    raise


def write(path: pathlib.Path, text: str) -> None:
  """Writes a text file of a run as `put` does; makes its folder if need be.

  Raises:
    CheckpointError: there is no room, or no permission.
  """
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path, text.encode())
  except OSError as error:
    raise CheckpointError(
      f'{path} cannot be written: {error.strerror}; mend that and run again'
      ' to resume'
    ) from None


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
  """Writes a JSON file as `write` does."""
  write(path, json.dumps(content, indent=2, sort_keys=False) + '\n')


def read_json(path: pathlib.Path) -> dict[str, Any]:
  """Returns one of the JSON files that a run leaves.

  Raises:
    CheckpointError: there is none, or it is damaged.
  """
  try:
    content = json.loads(path.read_text(encoding='utf-8'))
  except FileNotFoundError:
    raise CheckpointError(
      f'{path} does not exist; give a folder that bin/train has made'
    ) from None
  except (OSError, ValueError) as error:
    raise CheckpointError(
      f'{path} cannot be read ({error}); restore it, or train into another'
      ' folder'
    ) from None
  if not isinstance(content, dict):
    raise CheckpointError(
      f'{path} does not hold a JSON object; restore it, or train into another'
      ' folder'
    )
  return content


def as_json(value: Any) -> Any:
  """Returns a value as it reads back from a JSON file: tuples become lists."""
  return json.loads(json.dumps(value))


def differences(before: Any, now: Any, key: str = '') -> Iterator[str]:
  """Yields 'key was X and is Y' for every leaf of two JSON values that differs.

  Args:
    before: what a folder was begun with.
    now: what is asked for.
    key: of the values themselves, for nested ones.
  """
  if isinstance(before, dict) and isinstance(now, dict):
    for name in sorted(before.keys() | now.keys()):
      inner = f'{key}.{name}' if key else name
      yield from differences(before.get(name), now.get(name), inner)
  elif before != now:
    yield f'{key} was {before!r} and is {now!r}'


@contextlib.contextmanager
def lock(folder: str | pathlib.Path) -> Iterator[None]:
  """Holds a folder for this process; it is made if need be.

  The system releases the lock when the process ends, however it ends, so the
  file `lock` that stays behind means nothing by itself.

  Raises:
    CheckpointError: another process holds it, or it cannot be written to.
  """
  path = pathlib.Path(folder).absolute() / 'lock'
  with contextlib.ExitStack() as stack:
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      file = stack.enter_context(open(path, 'a+'))
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      file.truncate(0)
      file.write(f'{os.getpid()}\n')
      file.flush()
    except BlockingIOError:
      raise CheckpointError(
        f'another run is using {path.parent} (process'
        f' {path.read_text().strip()}); wait for it, or use another folder'
      ) from None
    except OSError as error:
      raise CheckpointError(
        f'{path.parent} cannot be locked: {error.strerror}; use a folder that'
        ' can be written to'
      ) from None
    yield
