"""bin/reproduce as a holder of AFEW meets it, on made clips in its folders."""

import json
import os
import signal
import time

import pytest

from tests.bin.programs import ROOT, fails, forked, run, start

FLAGS = '--size=smoke', '--seeds=2', '--workers=2', '--sfew=made/SFEW'
LEFT = ('angry', 'disgust')  # emotions of the clips; more would take longer


@pytest.fixture(scope='module')
def holder(tmp_path_factory):
  """A folder with a tree `made`, and `out`, killed once and made whole."""
  folder = tmp_path_factory.mktemp('holder')
  code, _, error = forked(
    'synthesise', 'made', '--layout=afew', '--clips=21', '--speakers=3',
    cwd=folder,
  )  # fmt: skip
  assert code == 0, error
  leave_out(folder / 'made')
  arguments = 'reproduce', 'made/AFEW', 'out', *FLAGS
  process = start(*arguments, cwd=folder)
  out = folder / 'out'
  kill_when(process, (out / 'runs/proposed/seed-0/metrics.jsonl').exists)
  assert not (out / 'tables').exists()
  code, said, error = run(*arguments, cwd=folder)
  assert code == 0, error
  assert 'finished: features; average_pool5; last_time; average\n' in error
  assert f'{out}/report.html' in said
  return folder


def leave_out(made):
  """Removes the clips of five emotions, and their faces."""
  truth = [json.loads(x) for x in (made / 'truth.jsonl').read_text().split('\n')
           if x]  # fmt: skip
  for path in (made / 'SFEW').rglob('*.png'):
    if path.parent.name.lower() not in LEFT:
      path.unlink()
  for clip in truth:
    if clip['emotion'] not in LEFT:
      (made / clip['clip']).unlink()


def kill_when(process, there) -> None:
  """Kills a program as soon as `there()`, which it must live to see."""
  while not there():
    time.sleep(0.02)
    assert process.poll() is None, process.communicate()[1]
  os.kill(process.pid, signal.SIGKILL)
  process.communicate()


def contents(folder):
  """Returns path -> bytes of what is in a folder, but for the lock."""
  return {
    path.relative_to(folder): path.read_bytes()
    for path in sorted(folder.rglob('*'))
    if path.is_file() and path.name != 'lock'
  }


def test_everything_is_there(holder):
  """Program: tables with both seeds, figures, page and what is lacking."""
  out = holder / 'out'
  table = (out / 'tables/table-1.csv').read_text()
  for row in ('average_pool5', 'last_time', 'average', 'proposed'):
    (line,) = [x for x in table.splitlines() if x.startswith(f'{row},')]
    assert line.count('(2 seeds)') == 2  # no label of a test clip is known
  assert '\nlinear,' in table
  second = (out / 'tables/table-2.csv').read_text()
  assert 'decision_fusion,' in second and '(2 seeds)' in second
  numbers = json.loads((out / 'figures/figures.json').read_text())
  names = [*(f'figure-{k}' for k in (2, 3, 4, 5)), 'reliability']
  assert list(numbers) == names
  for name in numbers:
    assert (out / f'figures/{name}.png').read_bytes().startswith(b'\x89PNG')
  told = (out / 'README.md').read_text()
  page = (out / 'report.html').read_text()
  for text in ('random weights', '(paper 711)', 'A trial', 'No label of the 2'):
    assert text in told and text in page
  assert 'not on SFEW' not in told
  assert 'random forest on 2 faces' in (out / 'store/report.txt').read_text()
  stages = json.loads((out / 'seconds.json').read_text())
  assert len(stages) == 10 and all(value > 0 for value in stages.values())


def test_again(holder):
  """Program: a finished folder is left as it is; other flags are refused."""
  before = contents(holder / 'out')
  code, _, error = forked('reproduce', 'made/AFEW', 'out', *FLAGS, cwd=holder)
  assert code == 0 and 'to do: nothing' in error
  assert contents(holder / 'out') == before
  error = fails(
    'reproduce', 'made/AFEW', 'out', *FLAGS, '--seeds=3', cwd=holder,
  )  # fmt: skip
  assert 'seeds was 2 and is 3' in error


def test_killed_in_training(holder):
  """Program: the row that was killed is that of bin/train without a break."""
  for name, *arguments in (
    (
      'train', f'--config={ROOT}/configs/proposed.py:smoke',
      f'--config.data.store={holder}/out/store', '--config.training.seeds=2',
      '--config.data.protocol=afew/official', '--workdir=alone',
    ),
    ('tables', 'alone', '--output=tables'),
  ):  # fmt: skip
    code, _, error = forked(name, *arguments, cwd=holder)
    assert code == 0, error
  for seed in ('seed-0', 'seed-1'):
    path = f'{seed}/predictions.csv'
    alone = (holder / 'alone' / path).read_bytes()
    assert (holder / 'out/runs/proposed' / path).read_bytes() == alone
  rows = [
    [line for line in (folder / 'tables/table-1.csv').read_text().splitlines()
     if line.startswith('proposed,')]
    for folder in (holder, holder / 'out')
  ]  # fmt: skip
  assert rows[0] == rows[1] and len(rows[0]) == 1


BAD = [
  (['x', 'out'], 'request it from the organisers'),
  (['{}/made/AFEW', 'out', '--alexnet=none.npz'], 'none.npz'),
  (['{}/made/AFEW', 'out', '--sfew=none'], 'none'),
  (['{}/made/AFEW'], 'wanted: AFEW OUT'),
]


@pytest.mark.parametrize('number', range(len(BAD)))
def test_what_is_wrong(number, holder, tmp_path):
  """Program: one line that names it, and nothing is written."""
  given, wanted = BAD[number]
  arguments = [text.format(holder) for text in given]
  error = fails('reproduce', *arguments, cwd=tmp_path)
  assert wanted in error
