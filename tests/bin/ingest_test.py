import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from avjax.data import store

ROOT = pathlib.Path(__file__).parents[2]


def ingest(*arguments) -> subprocess.CompletedProcess:
  return subprocess.run(
    [sys.executable, ROOT / 'bin' / 'ingest', *map(str, arguments)],
    capture_output=True,
    text=True,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    timeout=120,
  )


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
  """Program: arrays and a table become a store and a report."""
  done = ingest('features', folder, tmp_path / 'store', *FLAGS)
  assert (done.returncode, done.stderr) == (0, '')
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
  done = ingest(*(places.get(word, word) for word in arguments))
  assert done.returncode == 2
  assert done.stdout == ''
  assert done.stderr.startswith('ingest: error: ')
  assert done.stderr.count('\n') == 1
  assert reason in done.stderr
  assert not (tmp_path / 'store').exists()


def test_help():
  """Program: --help tells the use and the flags."""
  done = ingest('--help')
  assert done.returncode == 0
  assert 'bin/ingest features FOLDER OUT' in done.stdout
  assert '--clip_column' in done.stdout
