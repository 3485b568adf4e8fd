"""Files that are whole or not there, and folders that belong to one request."""

import pathlib
import resource
import signal
import subprocess
import sys

import pytest

from avjax import files
from avjax.errors import CheckpointError

ROOT = pathlib.Path(__file__).parents[1]


def test_a_full_disk_leaves_the_file_before(tmp_path):
  """Law: a write that fails leaves the old file, and nothing beside it."""
  path = tmp_path / 'results.json'
  files.write_text(path, 'before')
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
  try:
    with pytest.raises(CheckpointError, match='cannot be written'):
      files.write_text(path, 'x' * 10_000)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)
  assert path.read_text() == 'before'
  assert [p.name for p in tmp_path.iterdir()] == ['results.json']


def test_differences():
  """Law: every leaf that differs is named with its place, equal ones not."""
  before = {'a': 1, 'b': {'c': [1, 2], 'd': 'x'}, 'e': None}
  now = {'a': 1, 'b': {'c': [1, 3], 'd': 'x', 'f': True}, 'e': None}
  assert list(files.differences(before, now)) == [
    'b.c was [1, 2] and is [1, 3]',
    'b.f was None and is True',
  ]
  assert list(files.differences(before, before)) == []
  # A tuple is the list that it becomes in a file.
  assert not list(files.differences({'a': [1]}, files.as_json({'a': (1,)})))


def test_two_processes_never_share_a_folder(tmp_path):
  """Program: the second is told of the first; a killed one lets go."""
  holder = (
    f'import sys; sys.path.insert(0, {str(ROOT)!r})\n'
    'from avjax import files\n'
    f'with files.lock({str(tmp_path)!r}):\n'
    "  print('held', flush=True); sys.stdin.read()"
  )
  pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'text': True}
  with subprocess.Popen([sys.executable, '-c', holder], **pipes) as child:
    assert child.stdout.readline() == 'held\n'
    with (
      pytest.raises(CheckpointError, match=f'another run .* {child.pid}'),
      files.lock(tmp_path),
    ):
      pass
    child.kill()
  with files.lock(tmp_path):
    pass
  (tmp_path / 'file').touch()
  with (
    pytest.raises(CheckpointError, match='locked'),
    files.lock(tmp_path / 'file'),
  ):
    pass
