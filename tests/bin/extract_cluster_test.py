"""bin/extract --cluster, with the workers of a Dask scheduler."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from avjax.features import (
  cluster,
  extraction,
  planning,
  work_folder,
  workers,
)
from avjax.settings import FeaturesConfig
from tests.bin.programs import environment, fails
from tests.features import clips_made

LIMIT_S = 120


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
  """A folder with a corpus `c` of eleven sounds; one is broken."""
  folder = tmp_path_factory.mktemp('cluster')
  (folder / 'c').mkdir()
  lines = ['clip,label']
  for k in range(11):
    clips_made.make(
      folder / f'c/{k}.wav', video=None, audio='pcm_s16le', rate=16000,
      layout='mono', channels=1, sound=(0.0, 1.0 + k / 7), beep=0.1 * k,
    )  # fmt: skip
    lines.append(f'{k}.wav,{"ab"[k % 2]}')
  (folder / 'c/7.wav').write_text('no sound')
  (folder / 'c/clips.csv').write_text('\n'.join(lines))
  return folder


@contextlib.contextmanager
def processes():
  """Yields a function that starts a process of Dask; all are killed."""
  started = []

  def begin(name, *arguments, cwd):
    module = f'distributed.cli.dask_{name}'
    one = subprocess.Popen(
      [sys.executable, '-m', module, *arguments, '--no-dashboard'],
      stderr=subprocess.DEVNULL,
      env=environment(),
      cwd=cwd,
      start_new_session=True,
    )
    started.append(one)
    return one

  try:
    yield begin
  finally:
    for one in started:
      with contextlib.suppress(ProcessLookupError):
        os.killpg(one.pid, signal.SIGKILL)
      one.wait()


def until(condition):
  """Returns the first true value of `condition`."""
  end = time.monotonic() + LIMIT_S
  while not (found := condition()):
    assert time.monotonic() < end
    time.sleep(0.02)
  return found


def contents(folder):
  """Returns file -> its bytes."""
  return {
    path.relative_to(folder): path.read_bytes()
    for path in folder.rglob('*')
    if path.is_file()
  }


def test_workers_that_die(corpus):
  """Program: the bytes of a local extraction; what is unfit is refused."""

  def extract(out, tell=lambda *done: None, **where):
    features = FeaturesConfig(streams=('audio',), audio_width=3)
    request = planning.ExtractionRequest(
      corpus / 'c', corpus / out, features, fit_on='all', **where
    )
    return extraction.extract(request, tell)[0]

  def kill(done, total, clip):
    if done == 3:
      both[0].kill()

  local = extract('local')
  assert len(local.left_out) == 1 and '7.wav' in local.left_out[0]
  with processes() as begin:
    given = '--host=127.0.0.1', '--port=0', '--scheduler-file=s.json'
    begin('scheduler', *given, cwd=corpus)
    until((corpus / 's.json').exists)
    address = until(lambda: json.loads((corpus / 's.json').read_text() or '{}'))
    address = address['address']
    own = '--no-nanny', '--nthreads=1', f'--local-directory={corpus}/dask'
    both = [begin('worker', address, *own, cwd=corpus) for _ in range(2)]
    assert extract('on', kill, cluster=address) == local
    assert both[0].wait() == -signal.SIGKILL
    assert contents(corpus / 'on') == contents(corpus / 'local')
    refused(corpus, address)


def refused(corpus, address):
  """A worker says what it lacks."""
  import distributed

  settings = FeaturesConfig(streams=('audio',))
  work_folder.begin(corpus / 'w', settings)
  common = cluster.Common(
    cluster.avjax.__version__,
    str(corpus),
    str(corpus / 'w'),
    (corpus / 'w/settings.json').read_bytes(),
    dataclasses.asdict(settings),
  )
  task = workers.Task('a', 'c/0.wav', '', str(corpus / 'w/clips/a.npz'))
  with distributed.Client(address) as client:

    def answer(task=task, **changed):
      one = dataclasses.replace(common, **changed)
      arguments = cluster.content(one, task)
      return client.submit(eval, cluster._CALL, arguments).result(LIMIT_S)

    assert answer()['outcome']['failure'] == ''
    assert (
      'and this is 0.0.1; start it from' in answer(version='0.0.1')['refused']
    )
    other = str(corpus / 'elsewhere')
    assert f'the work folder {other}' in answer(work=other)['refused']
    assert f'not see {other}' in answer(folder=other)['refused']
    absent = dataclasses.replace(task, source='c/none.wav')
    assert f'{corpus}/c/none.wav' in answer(absent)['refused']


def test_no_scheduler(corpus, monkeypatch):
  """Program: one line; so for processes of this machine with a cluster."""
  on = '--cluster=tcp:nowhere'
  error = fails('extract', 'c', 's', on, '--workers=2', cwd=corpus)
  assert 'leave out --cluster' in error
  monkeypatch.setattr(cluster, 'CONNECT_S', 1)
  (corpus / 'e').mkdir()
  (corpus / 'e/settings.json').write_text('{}')
  task = workers.Task('a', 'c/0.wav', '', 'e/a.npz')
  with pytest.raises(ValueError, match=r'no Dask scheduler answers at .*give'):
    list(
      cluster.measure_all(
        {0: task}, FeaturesConfig(), corpus / 'e', 'tcp://127.0.0.1:9', print
      )
    )
