"""Finished runs of revision 0f47154 say what they said then."""

import csv
import json
import re
import runpy
import shutil
import sys

import numpy as np
import pytest
from absl import flags

from avjax import host_flags, interrupts
from avjax.runs import evaluation
from tests.bin.programs import ROOT, run, written
from tests.golden.make_runs import (
  COMMANDS,
  EVALUATED,
  FIGURES,
  REPORT,
  RUNS,
  SPLITS,
  TABLES,
  Page,
  train,
)

# `call` removes the flags that a program defines. Those of a module are defined
# once, so they are there before.
assert host_flags
EXPECTED = RUNS / 'expected'
TOLERANCE = 1e-6
"""Of a number, relative above 1: 17 units in float32's last place at 1.

Other versions of JAX (0.10, 0.12), instruction sets (AVX-512, SSE 4.2) and
levels of optimisation change these by up to 2e-7.
"""
TIMES = 'seconds', 'clips_per_second'


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch):
  """Golden values are no compiler's: what has the same bits everywhere."""
  monkeypatch.setenv('AVJAX_LSTM', 'fused')


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """A folder with a copy of every run: one is resumed."""
  folder = tmp_path_factory.mktemp('golden')
  for name in COMMANDS:
    shutil.copytree(RUNS / name, folder / name)
  return folder


@pytest.fixture
def call(runs, monkeypatch):
  """Runs a program in this process, where JAX is there already."""
  monkeypatch.chdir(runs)
  # Signals stay with the tests that follow in this process.
  monkeypatch.setattr(interrupts, 'answer', lambda program: None)

  def program(name, *arguments):
    before = set(flags.FLAGS)
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
      runpy.run_path(str(ROOT / 'bin' / name), run_name='__main__')
    for flag in set(flags.FLAGS) - before:
      delattr(flags.FLAGS, flag)
    assert ended.value.code in (None, 0)

  return program


def assert_close(found, wanted, at=''):
  """Two JSON values are the same, their floats within a tolerance."""
  assert type(found) is type(wanted), at
  if isinstance(wanted, dict):
    assert list(found) == list(wanted), at
    for key, value in wanted.items():
      assert_close(found[key], value, f'{at}/{key}')
  elif isinstance(wanted, list):
    assert len(found) == len(wanted), at
    for k, value in enumerate(wanted):
      assert_close(found[k], value, f'{at}/{k}')
  elif isinstance(wanted, float):
    assert found == pytest.approx(wanted, TOLERANCE, TOLERANCE, nan_ok=True), at
  else:
    assert found == wanted, at


def assert_same_results(found, wanted):
  """Two results.json are the same, what computed them apart.

  Revision 0f47154 wrote no digests, did not count the clips seen before, and
  did not say by what they are standardised.
  """
  found, wanted = (json.loads(p.read_text()) for p in (found, wanted))
  for name in ('digests', 'sha256', 'seen', 'standardised', 'lstm'):
    found.pop(name, None)
  assert found.pop('device').split()[-1] == wanted.pop('device').split()[-1]
  assert_close(found, wanted)


def assert_same_predictions(found, wanted):
  """Two predictions.csv are the same, their probabilities nearly so."""
  found, wanted = (
    list(csv.reader(path.read_text().splitlines())) for path in (found, wanted)
  )
  assert found[0] == wanted[0]
  assert [row[:4] for row in found] == [row[:4] for row in wanted]
  for one, other in zip(found[1:], wanted[1:], strict=True):
    shares = [[float(x) for x in row[4:]] for row in (one, other)]
    # The files have six decimals, so that one may be rounded up, one down.
    assert shares[0] == pytest.approx(shares[1], abs=TOLERANCE + 1e-7)


@pytest.mark.parametrize('number', range(len(EVALUATED)))
def test_evaluate(number, call, tmp_path):
  """Golden: the best state says the same of every clip, and scores the same."""
  name = EVALUATED[number]
  split = SPLITS[number % 2]  # each compiles the network again
  call(
    'evaluate', f'--workdir={name}', f'--split={split}', f'--output={tmp_path}'
  )
  wanted = EXPECTED / 'evaluate' / name / split
  assert_same_predictions(
    tmp_path / 'predictions.csv', wanted / 'predictions.csv'
  )
  assert_same_results(tmp_path / 'results.json', wanted / 'results.json')


def test_a_few_clips_at_a_time(runs):
  """Law: clips padded for a prediction, not for all, have the same results."""
  run = evaluation.open_run(runs / EVALUATED[0])
  clips = run.clips('test')
  wanted, _ = run.predict(clips)
  for k in (0, 4):
    got, _ = run.predict(clips[k : k + 3], rounded=True)
    for name in ('probabilities', 'attention', 'alignment'):
      for a, b in zip(
        getattr(got, name), getattr(wanted, name)[k : k + 3], strict=True
      ):
        assert (a is None) == (b is None)
        if a is not None:
          np.testing.assert_allclose(a, b, atol=1e-6)
  assert len({c.visual_length for c in clips[:7]}) > 2


@pytest.mark.parametrize('name', TABLES)
def test_tables(name, call, tmp_path):
  """Golden: every table in every format, to the letter."""
  call('tables', *TABLES[name], f'--output={tmp_path}')
  wanted = sorted((EXPECTED / 'tables' / name).iterdir())
  assert sorted(p.name for p in tmp_path.iterdir()) == [p.name for p in wanted]
  for path in wanted:
    assert (tmp_path / path.name).read_text() == path.read_text()


@pytest.mark.parametrize('name', FIGURES)
def test_figures(name, call, tmp_path):
  """Golden: the numbers that the figures show."""
  call('figures', name, f'--output={tmp_path}')
  found, wanted = (
    json.loads(path.read_text())
    for path in (tmp_path / 'figures.json', EXPECTED / f'figures/{name}.json')
  )
  assert_close(found, wanted)


def numbers(text):
  """Returns the numbers of a text, as they are printed."""
  return re.findall(r'[-+\u2212]?\d+(?:\.\d+)?', text)


def test_report(call, tmp_path):
  """Golden: every number on the page of several runs, in its place.

  The words around it may change; `test_tables` has those of the tables.
  """
  call('report', *REPORT, f'--output={tmp_path}/report.html')
  found = Page((tmp_path / 'report.html').read_text()).texts
  wanted = json.loads((EXPECTED / 'report.json').read_text())
  assert [numbers(text) for text in found] == [numbers(t) for t in wanted]


# ml_collections reads a config file with it.
@pytest.mark.filterwarnings('ignore:the load_module:DeprecationWarning')
@pytest.mark.parametrize('name', [n for n in COMMANDS if n != 'interrupted'])
def test_the_same_command(name, call, runs, capsys):
  """Golden: the command that made a run still takes its folder for its own."""
  before = written(runs / name)
  call('train', *train(ROOT, name))
  assert 'nothing to do' in capsys.readouterr().err
  assert before == written(runs / name)


def test_resume(runs):
  """Golden: the same command ends the run that SIGTERM stopped in an epoch."""
  code, _, error = run('train', *train(ROOT, 'interrupted'), cwd=runs)
  assert code == 0, error
  assert 'resumed at step ' in error
  folder, wanted = runs / 'interrupted', EXPECTED / 'train'
  metrics = [
    [
      {k: v for k, v in json.loads(line).items() if k not in TIMES}
      for line in (one / 'metrics.jsonl').read_text().splitlines()
    ]
    for one in (folder, wanted)
  ]
  assert_close(*metrics)
  assert_same_predictions(
    folder / 'predictions.csv', wanted / 'predictions.csv'
  )
