"""A run's folder belongs to one process at a time."""

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterator

from avjax.errors import CheckpointError


@contextlib.contextmanager
def lock(folder: str | pathlib.Path) -> Iterator[None]:
  """Holds a folder for this process; it is made if need be.

  The system lets go of the lock when the process ends, however it ends, so
  the file `lock` that stays behind means nothing by itself.

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
