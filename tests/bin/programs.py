"""Programs as a user starts them: another process, one plain device."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.conftest import FAST

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope='session')
def compiled():
  """The folder of the session's compiled code."""
  return pathlib.Path(os.environ['JAX_COMPILATION_CACHE_DIR'])


def environment(compiled) -> dict[str, str]:
  """Returns the environment of a program: one device, the project's root."""
  return {
    **os.environ,
    'PYTHONPATH': str(ROOT),
    'XLA_FLAGS': FAST,
    'JAX_COMPILATION_CACHE_DIR': str(compiled),
  }


def start(name, *arguments, compiled, cwd) -> subprocess.Popen:
  """Returns a program that has been started in the folder `cwd`."""
  return subprocess.Popen(
    [sys.executable, ROOT / 'bin' / name, *map(str, arguments)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    env=environment(compiled),
    cwd=cwd,
  )


def run(name, *arguments, compiled, cwd) -> tuple[int, str, str]:
  """Returns exit code, standard output and standard error."""
  process = start(name, *arguments, compiled=compiled, cwd=cwd)
  out, error = process.communicate(timeout=240)
  return process.returncode, out, error


def fails(name, *arguments, compiled, cwd) -> str:
  """Returns the one line a program ends with, having written nothing."""
  before = sorted(cwd.rglob('*'))
  code, out, error = run(name, *arguments, compiled=compiled, cwd=cwd)
  assert (code, out) == (2, ''), error
  assert error.startswith(f'{name}: error: ')
  assert error.endswith('\n') and error.count('\n') == 1, error
  assert sorted(cwd.rglob('*')) == before
  return error
