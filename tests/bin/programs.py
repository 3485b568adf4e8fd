"""Programs as a user starts them: another process, one plain device.

`start` and `run` start a process. `forked` and `fails` fork one that has loaded
JAX and the like, which saves two seconds each: see `tests.forks`.
"""

import atexit
import functools
import os
import pathlib
import subprocess
import sys
import tempfile

from tests import forks
from tests.conftest import FAST

ROOT = pathlib.Path(__file__).parents[2]
ONE_THREAD = {'OPENBLAS_NUM_THREADS': '1', 'OMP_NUM_THREADS': '1'}
"""Of a process that forks, which may have no other thread."""


def environment() -> dict[str, str]:
  """Returns the environment of a program: one device, the project's root."""
  return {**os.environ, 'PYTHONPATH': str(ROOT), 'XLA_FLAGS': FAST}


def start(name, *arguments, cwd, **variables) -> subprocess.Popen:
  """Returns a program that has been started in the folder `cwd`.

  Args:
    name: of the program.
    arguments: its own.
    cwd: folder.
    variables: of the environment, where they are not those of `environment`.
  """
  program = sys.executable, ROOT / 'bin' / name
  return _started(program, arguments, cwd, variables)


def run(name, *arguments, cwd, **variables) -> tuple[int, str, str]:
  """Returns exit code, standard output and standard error; see `start`."""
  return _ended(start(name, *arguments, cwd=cwd, **variables))


def forked(name, *arguments, cwd) -> tuple[int, str, str]:
  """Returns what `run` does, of a fork."""
  folder, address = _server()
  if not (folder / name).exists():
    forks.command(folder / name, name, address)
  return _ended(_started([folder / name], arguments, cwd, {}))


def fails(name, *arguments, cwd) -> str:
  """Returns the one line a program ends with, having written nothing."""
  before = sorted(cwd.rglob('*'))
  code, out, error = forked(name, *arguments, cwd=cwd)
  assert (code, out) == (2, ''), error
  assert error.startswith(f'{name}: error: ')
  assert error.endswith('\n') and error.count('\n') == 1, error
  assert sorted(cwd.rglob('*')) == before
  return error


def written(folder: pathlib.Path) -> dict[pathlib.Path, tuple[int, int]]:
  """Returns file or folder -> which it is and when it was last written."""
  return {
    path: (path.stat().st_ino, path.stat().st_mtime_ns)
    for path in folder.rglob('*')
  }


def _started(program, arguments, cwd, variables) -> subprocess.Popen:
  return subprocess.Popen(
    [*program, *map(str, arguments)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    env=environment() | variables,
    cwd=cwd,
  )


def _ended(process: subprocess.Popen) -> tuple[int, str, str]:
  out, error = process.communicate(timeout=240)
  return process.returncode, out, error


@functools.cache
def _server() -> tuple[pathlib.Path, str]:
  """Returns a folder for programs that are forks, and who forks them."""
  folder = tempfile.TemporaryDirectory(prefix='avjax-forks-')
  address = f'{folder.name}/socket'
  process = subprocess.Popen(
    [sys.executable, '-m', forks.__name__, address, 'tests.bin.in_fork'],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    cwd=ROOT,
    env=environment() | ONE_THREAD,
  )
  assert process.stdout.readline() == b'ready\n'
  atexit.register(folder.cleanup)
  atexit.register(process.communicate)  # closes its input, at which it ends
  return pathlib.Path(folder.name), address
