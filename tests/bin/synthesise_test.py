import csv
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from avjax import files
from tests.bin.programs import ROOT, fails


def synthesise(*arguments) -> subprocess.CompletedProcess:
  return subprocess.run(
    [sys.executable, ROOT / 'bin' / 'synthesise', *map(str, arguments)],
    capture_output=True,
    text=True,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    timeout=120,
  )


def test_corpus(tmp_path):
  """Program: a folder of clips, their table and their truth."""
  out = tmp_path / 'out'
  done = synthesise(
    out, '--clips=21', '--speakers=4', '--size=128x96', '--measure'
  )
  assert done.returncode == 0
  assert 'fewer than --speakers=4' in done.stderr
  assert '--clips=28 are enough' in done.stderr
  first, *lines = done.stdout.splitlines()
  assert first == f'21 clips of 3 speakers in {out}'
  assert [line.split()[0] for line in lines] == ['face', 'voice', 'both']
  assert all(line.endswith('speakers, chance 0.143') for line in lines)
  with open(out / 'clips.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert list(rows[0]) == ['clip', 'label', 'speaker', 'split']
  assert len({row['speaker'] for row in rows}) == 3
  assert rows[7] == {
    'clip': 's01_0007.mp4',
    'label': 'angry',
    'speaker': 's01',
    'split': 'validation',
  }
  truth = [
    json.loads(line) for line in (out / 'truth.jsonl').read_text().splitlines()
  ]
  assert [each['clip'] for each in truth] == [row['clip'] for row in rows]
  for each in truth:
    assert each['lag'] in (-0.064, -0.032, 0, 0.032)
    name = each['clip'].removesuffix('.mp4')
    assert len(np.load(out / 'truth' / f'{name}.npy')) == each['frames']
  names = {path.name for path in out.iterdir()}
  assert names == {row['clip'] for row in rows} | {
    'clips.csv',
    'truth',
    'truth.jsonl',
  }


@pytest.mark.parametrize(
  ('arguments', 'reason'),
  [
    ([], 'wanted: OUT'),
    (['OUT', '--size=191x144'], 'even numbers'),
    (['OUT', '--size=large'], 'even numbers'),
    (['OUT', '--clips=0'], '--clips'),
    (['OUT', '--workers=0'], '--workers'),
    (['OUT', '--measure', '--clips=3'], 'too few'),
    (['FULL'], 'choose another folder'),
  ],
)
def test_faults(tmp_path, arguments, reason):
  """Program: what is wrong is one line, the exit code 2, and no corpus."""
  (tmp_path / 'full').mkdir()
  (tmp_path / 'full' / 'mine').touch()
  places = {'OUT': tmp_path / 'out', 'FULL': tmp_path / 'full'}
  arguments = [places.get(word, word) for word in arguments]
  assert reason in fails('synthesise', *arguments, cwd=tmp_path)


def test_two_at_once(tmp_path):
  """Program: a corpus that another process is making is left alone."""
  with files.lock(tmp_path / '.out.partial'):
    begun = tmp_path / '.out.partial/corpus/s00_0000.mp4'
    begun.parent.mkdir()
    begun.touch()
    line = fails('synthesise', tmp_path / 'out', '--clips=1', cwd=tmp_path)
  assert 'another run is using' in line


def test_killed(tmp_path):
  """Program: a killed run leaves no process, and the next one works."""
  out = tmp_path / 'out'
  with subprocess.Popen(
    [sys.executable, ROOT / 'bin' / 'synthesise', out, '--clips=1000'],
    stdout=subprocess.PIPE,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
  ) as process:
    until = time.monotonic() + 60
    while not list(tmp_path.glob('.out.partial/corpus/*.mp4')):
      assert time.monotonic() < until
      time.sleep(0.05)
    process.kill()
    # It ends when the last process that might write there is gone.
    process.communicate(timeout=30)
  assert not out.exists()
  done = synthesise(out, '--clips=1', '--size=128x96', '--workers=1')
  wanted = f'next: bin/extract {out} {out}-store\n'
  assert (done.returncode, done.stderr) == (0, wanted)
  assert [path.name for path in tmp_path.iterdir()] == ['out']
  assert len(list(out.glob('*.mp4'))) == 1


def test_help():
  """Program: --help tells the use and the flags."""
  done = synthesise('--help')
  assert done.returncode == 0
  assert 'bin/synthesise OUT' in done.stdout
  assert '--speakers' in done.stdout
