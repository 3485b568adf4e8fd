import os
import re
import signal
import subprocess
import sys
import types

import numpy as np
import pytest

from avjax.data import store
from tests.bin.programs import ROOT, environment, fails, forked, run
from tests.data import corpus_trees


def ingest(*arguments, how=forked) -> types.SimpleNamespace:
  code, out, error = how('ingest', *arguments, cwd=ROOT)
  return types.SimpleNamespace(returncode=code, stdout=out, stderr=error)


@pytest.fixture
def folder(tmp_path):
  folder = tmp_path / 'mine'
  (folder / 'sound').mkdir(parents=True)
  for name, frames in (('a', 5), ('b', 6)):
    np.save(folder / 'sound' / name, np.ones((frames, 3)))
    np.savez(folder / name, points=np.ones((frames - 1, 2)), fps=25)
  text = 'take,mood,who\na,sad,s1\nb,happy,s2\nc,sad,s1\n'
  (folder / 'clips.csv').write_text(text)
  return folder


FLAGS = (
  '--clip_column=take',
  '--label_column=mood',
  '--speaker_column=who',
  '--stream=audio=sound/{clip}.npy',
  '--stream=shape={clip}.npz:points',
)


def test_features(folder, tmp_path):
  """Program: arrays and a table become a store and a report.

  What an interrupted one has left is written again; nothing else is removed.
  """
  (tmp_path / 'store/clips').mkdir(parents=True)
  (tmp_path / 'store/clips/000000-a.npz').write_bytes(b'cut')
  (tmp_path / 'store/clips/.77.part').write_bytes(b'cut')
  (tmp_path / 'store/clips/mine.mp4').write_bytes(b'mine')
  assert 'choose another' in fails(
    'ingest', 'features', folder, 'store', *FLAGS, cwd=tmp_path
  )
  (tmp_path / 'store/clips/mine.mp4').unlink()
  done = ingest('features', folder, tmp_path / 'store', *FLAGS, how=run)
  assert done.returncode == 3  # c is left out
  left, following = done.stderr.splitlines()
  assert left.startswith('ingest: left out c: ')
  assert following == (
    f'next: bin/train --config=configs/proposed.py'
    f' --config.data.store={tmp_path / "store"}'
    ' --config.model.streams=audio,shape --config.data.protocol=random'
  )
  assert done.stdout.startswith('2 clips read, 1 left out\n  left out c: ')
  assert done.stdout == (tmp_path / 'store' / 'report.txt').read_text()
  clips = store.read(tmp_path / 'store')
  known = [(c.name, c.label, c.speaker, dict(c.streams)) for c in clips]
  assert [each[:3] for each in known] == [
    ('a', 'sad', 's1'),
    ('b', 'happy', 's2'),
  ]
  assert clips[1].streams['audio'].shape == (6, 3)
  assert clips[1].streams['shape'].shape == (5, 2)


@pytest.mark.parametrize(
  ('arguments', 'reason'),
  [
    (['features', 'FOLDER'], 'wanted: features FOLDER OUT'),
    (['features', 'FOLDER', 'FOLDER', *FLAGS], 'choose another folder'),
    (['savee', 'FOLDER'], 'CORPUS FOLDER --check'),
    (['voices', 'FOLDER', '--check'], 'one of afew, ravdess'),
    (['features', 'FOLDER', 'OUT'], "no column 'clip'"),
    (['features', 'FOLDER', 'OUT', '--clips=no.csv'], 'table no.csv'),
    (['features', 'FOLDER', 'OUT', *FLAGS[:4], '--stream=x=y'], "as 'y'"),
    (
      ['features', 'FOLDER', 'OUT', *FLAGS[:4], '--stream=x={clip}.npz:y'],
      'nothing was written',
    ),
  ],
)
def test_faults(folder, tmp_path, arguments, reason):
  """Program: what is wrong is one line, the exit code 2, and no store."""
  places = {'FOLDER': folder, 'OUT': tmp_path / 'store'}
  arguments = [places.get(word, word) for word in arguments]
  assert reason in fails('ingest', *arguments, cwd=tmp_path)


def test_takes_and_targets(folder, tmp_path):
  """Program: corpus, take and other targets of a table get into the store."""
  text = (
    'take,mood,who,recording,corpus,target.voice\n'
    'a,sad,s1,r1,mine,happy\nb,happy,s2,r2,mine,\n'
  )
  (folder / 'clips.csv').write_text(text)
  flags = *FLAGS, '--take_column=recording'
  done = ingest('features', folder, tmp_path / 'store', *flags)
  assert done.returncode == 0, done.stderr
  first, second = store.read(tmp_path / 'store')
  assert (first.corpus, first.take) == ('mine', 'r1')
  assert (first.targets, second.targets) == ({'voice': 'happy'}, {})


def test_features_of_a_corpus(tmp_path):
  """Program: files that are named as RAVDESS's need no table."""
  (tmp_path / 'f' / 'shape').mkdir(parents=True)
  for actor in (1, 2):
    np.save(tmp_path / f'f/shape/01-03-01-01-01-{actor:02}', np.ones((4, 2)))
  arguments = 'features', tmp_path / 'f', tmp_path / 's', '--corpus=ravdess'
  done = ingest(*arguments)
  assert done.returncode == 0, done.stderr
  clips = store.read(tmp_path / 's')
  assert [(c.speaker, c.label, c.corpus) for c in clips] == [
    ('Actor_01', 'happy', 'ravdess'),
    ('Actor_02', 'happy', 'ravdess'),
  ]
  done = ingest(*arguments[:2], tmp_path / 't', '--corpus=meld')
  assert (done.returncode, done.stdout) == (2, '')
  assert 'give a table' in done.stderr
  done = ingest(*arguments[:2], tmp_path / 't', *arguments[3:], '--clips=c.csv')
  assert (done.returncode, done.stdout) == (2, '')
  assert '--corpus=ravdess reads no table' in done.stderr


def test_check(tmp_path):
  """Program: a corpus is checked; the exit code says whether it is whole."""
  corpus_trees.savee(tmp_path)
  done = ingest('savee', tmp_path, '--check')
  assert (done.returncode, done.stderr) == (0, '')
  assert done.stdout.endswith('as expected\n')
  (tmp_path / 'AudioVisualClip/JK/h07.avi').write_bytes(b'')
  done = ingest('savee', tmp_path, '--check')
  assert (done.returncode, done.stderr) == (1, '')
  assert 'broken: AudioVisualClip/JK/h07.avi is empty\n' in done.stdout
  assert re.search(r'clips +479 +480\n', done.stdout)
  assert re.search(r'happy +59 +60\n', done.stdout)
  assert re.search(r'  JK +119\n', done.stdout)
  done = ingest('savee', tmp_path / 'nowhere', '--check')
  assert (done.returncode, done.stdout) == (2, '')
  assert done.stderr.count('\n') == 1
  assert 'cannot be downloaded here: request it from' in done.stderr


def test_help():
  """Program: --help tells the use and the flags."""
  done = ingest('--help')
  assert done.returncode == 0
  assert 'bin/ingest features FOLDER OUT' in done.stdout
  assert '--clip_column' in done.stdout


def test_help_into_a_pipe_that_is_closed():
  """Program: what `| head` does is no error; the exit code is SIGPIPE's."""
  reader, writer = os.pipe()
  os.close(reader)
  done = subprocess.run(
    [sys.executable, ROOT / 'bin/ingest', '--help'],
    stdout=writer,
    stderr=subprocess.PIPE,
    text=True,
    env=environment(),
  )
  os.close(writer)
  assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, '')
