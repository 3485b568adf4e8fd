"""The decoding process: refused files, crashes, time limit and end."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from avjax.errors import ConfigError, DataError
from avjax.features import decoding, media, timestamps
from tests.features import media_damage
from tests.features.clips_made import make, numbers, whole


@pytest.fixture(scope='module')
def decoder():
  with media.Decoder() as made:
    yield made


@pytest.fixture(scope='module')
def good(tmp_path_factory):
  return make(tmp_path_factory.mktemp('good') / 'good.mp4')


def test_what_cannot_be_decoded(decoder, tmp_path, good):
  """Program: the error is one line with the file and the reason."""
  with pytest.raises(DataError, match=r'nothere\.mp4 cannot be read: No such'):
    decoder(tmp_path / 'nothere.mp4')
  with pytest.raises(DataError, match='is a folder'):
    decoder(tmp_path)
  os.mkfifo(tmp_path / 'pipe.mp4')
  with pytest.raises(DataError, match='is a pipe or a device'):
    decoder(tmp_path / 'pipe.mp4')
  path = tmp_path / 'a:b.mp4'
  path.touch()
  with pytest.raises(
    DataError, match=r'a:b\.mp4 cannot be decoded: it is empty'
  ):
    decoder(path)
  path.write_bytes(good.read_bytes()[:2000])
  with pytest.raises(
    DataError, match=r'b\.mp4 cannot be decoded: Invalid data'
  ):
    decoder(path)
  path.write_bytes(good.read_bytes())
  assert decoder(path).name == 'a:b'


def test_too_large(decoder, tmp_path):
  """Law: a file beyond a limit is refused; the error names the limit."""
  path = tmp_path / 'a.mp4'
  make(path, ticks=[0], size=(4096, 2400), audio=None)
  with pytest.raises(DataError, match=r'4096 x 2400, and at most 9\.4 million'):
    decoder(path)
  make(path, ticks=[0, 1, 16000], audio=None)
  with pytest.raises(DataError, match=r'lasts .* s, and at most 600 s'):
    decoder(path)
  make(path, ticks=[0, 1, 9000], size=(640, 480), audio=None)
  with pytest.raises(
    DataError, match=r'640 x 480, needs more than 4 GiB, .* 186'
  ):
    decoder(path)


def test_mutated_files(decoder, tmp_path, good):
  """Law: 48 damaged files of six containers give a clip or DataError."""
  media_damage.make(tmp_path, 48)
  refused = 0
  for path in tmp_path.glob('bad_*'):
    try:
      assert whole(decoder(path))
    except DataError as error:
      refused += 1
      assert '\n' not in str(error) and 'Error(' not in str(error)
  assert 5 < refused < 43
  assert numbers(decoder(good)) == list(range(60))


def test_time_limit(good):
  """Program: decoding that hangs gives an error after the time limit."""
  with media.Decoder(limit_s=0.5) as decoder:
    decoder(good)
    os.kill(decoder._process._child.pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(DataError, match=r'not done after 0\.5 s'):
      decoder(good)
    assert 0.4 < time.monotonic() - start < 5
    assert decoder(good).length == 60


def crash(pid):
  os.kill(pid, signal.SIGSEGV)  # arrives when the process goes on
  os.kill(pid, signal.SIGCONT)


def test_crash(good):
  """Program: a killed decoding process is an error; the next file works."""
  with media.Decoder() as decoder:
    decoder(good)
    pid = decoder._process._child.pid
    os.kill(pid, signal.SIGSTOP)
    killer = threading.Timer(0.3, crash, (pid,))
    killer.start()
    with pytest.raises(DataError, match=r'FFmpeg crashed on it \(SIGSEGV\)'):
      decoder(good)
    killer.join()
    assert decoder(good).length == 60
    # A death between two files does not count against the next file.
    os.kill(decoder._process._child.pid, 9)
    time.sleep(0.2)
    assert decoder(good).length == 60


def test_ends_with_the_caller(good):
  """Program: kill -9 of the caller leaves no process behind."""
  code = (
    'import sys, time; from avjax.features import media;'
    'decoder = media.Decoder(); decoder(sys.argv[1]);'
    'print(decoder._process._child.pid, flush=True); time.sleep(60)'
  )
  caller = subprocess.Popen(
    [sys.executable, '-c', code, good], stdout=subprocess.PIPE, text=True
  )
  with caller:
    pid = int(caller.stdout.readline())
    assert os.path.exists(f'/proc/{pid}')
    caller.kill()
  for _ in range(50):
    if not _lives(pid):
      return
    time.sleep(0.1)
  pytest.fail('the decoding process still runs after 5 s')


def _lives(pid):
  """Returns whether a process runs; a zombie does not count."""
  try:
    with open(f'/proc/{pid}/stat') as file:
      return file.read().rpartition(')')[2].split()[0] != 'Z'
  except FileNotFoundError:
    return False


def decode(path):
  with media.Decoder() as decoder:
    return decoder(path)


def test_in_a_worker(good):
  """Program: decoding in a process of a pool gives the same arrays."""
  here = decode(good)
  with ProcessPoolExecutor(1, get_context('spawn')) as pool:
    there = pool.submit(decode, good).result()
  np.testing.assert_array_equal(there.frames, here.frames)
  np.testing.assert_array_equal(there.waveform, here.waveform)


def test_process_has_no_jax():
  """Law: the decoding process does not import JAX."""
  code = (
    'import sys, avjax.features.decoding;'
    'sys.exit(bool({"jax", "av"} & set(sys.modules)))'
  )
  assert subprocess.run([sys.executable, '-c', code]).returncode == 0
  assert decoding.MAX_MEMORY > timestamps.MAX_BYTES


@pytest.mark.parametrize('package', ['av', 'soxr'])
def test_missing_package(monkeypatch, package):
  """Program: a missing package is an error that names the extra to install."""
  monkeypatch.setitem(sys.modules, package, None)
  with pytest.raises(ConfigError, match=rf'{package}; .*avjax\[features\]'):
    media.Decoder()


def test_nothing_is_kept_of_a_file(good):
  """Law: frames are freed with the last reference, not by the collector."""
  gc.disable()
  try:
    frames = [weakref.ref(decoding.decode(str(good))[1][0]) for _ in range(3)]
    assert [frame() for frame in frames] == [None] * 3
  finally:
    gc.enable()
