"""Sweeps: what is tried, chosen on validation alone, and tested once."""

import csv
import dataclasses
import json

import numpy as np
import optuna
import pytest

from avjax.data import store
from avjax.errors import ConfigError, DataError, TrainingError
from avjax.processes import Process
from avjax.reporting import sweep_table
from avjax.runs import experiment, finished, sweep_file, sweeping
from avjax.runs.linear import Linear
from avjax.settings import Settings
from tests.bin.programs import ROOT, fails, forked, written
from tests.runs.dividing_test import contents, settings

LISTED = """SETTINGS = [
  {'data.standardise': 'none', 'training.epochs': 3},
  {'data.standardise': 'speaker'},
  {'training.epochs': 4},
]
"""
SAMPLED = """TRIALS = 3
def suggest(trial):
  kind = trial.suggest_categorical('kind', ['none', 'speaker'])
  return {'data.standardise': kind}
"""


def splits(folder):
  """Returns run folder -> the splits that it has predicted."""
  found = {}
  for path in sorted(folder.rglob('predictions.csv')):
    with path.open() as file:
      rows = list(csv.DictReader(file))
    where = path.parent.relative_to(folder).as_posix()
    found[where] = {row['split'] for row in rows}
  return found


def unseen(folder, number, where=''):
  """Asserts that of some settings the chosen alone have predicted test."""
  found = splits(folder)
  assert found.pop(f'{where}chosen') == {'training', 'validation', 'test'}
  assert found == {
    f'{where}setting-{k}': {'training', 'validation'} for k in range(number)
  }


def test_a_list_of_settings(tmp_path, monkeypatch):
  """Program: the chosen are an ordinary run; a failed training is left out."""
  (tmp_path / 'sweep.py').write_text(LISTED)
  given = settings(tmp_path), str(tmp_path / 'sweep.py'), tmp_path / 's'
  fit = Linear.fit

  def failing(self, job):
    if job.config.training.epochs == 3:
      raise TrainingError('the loss is not finite')
    return fit(self, job)

  monkeypatch.setattr(Linear, 'fit', failing)
  assert sweeping.run(*given, Process(1, 2)) is None
  assert set(splits(tmp_path / 's')) == {'setting-1'}
  (choice,) = sweeping.run(*given, Process(0, 2))
  assert set(choice.accuracies) == {1, 2}
  found = splits(tmp_path / 's')
  assert found.pop('chosen') == {'training', 'validation', 'test'}
  assert set(found) == {'setting-1', 'setting-2'}
  assert set.union(*found.values()) == {'training', 'validation'}
  # The chosen is what bin/train gives for these settings.
  experiment.train(choice.chosen.experiment.config, tmp_path / 'r')
  assert contents(tmp_path / 's/chosen') == contents(tmp_path / 'r')
  table = sweep_table.make_table([choice])
  cells = [row[1:] for row in table.rows]
  assert cells[0] == ('failed', '-', '-', '-', '-')
  assert [row[-1] != '-' for row in cells] == [
    k == choice.chosen.number for k in range(3)
  ]
  assert 'setting-0 failed: the loss is not finite' in table.notes[-1]
  before = written(tmp_path / 's/setting-1') | written(tmp_path / 's/chosen')
  sweeping.run(*given, Process())
  after = written(tmp_path / 's/setting-1') | written(tmp_path / 's/chosen')
  assert {k for k in after if after[k] != before.get(k)} <= {
    tmp_path / f's/{name}/lock' for name in ('setting-1', 'chosen')
  }
  # A run that has seen test clips may not choose.
  seen = tmp_path / 's/setting-2/evaluation/predictions.csv'
  seen.parent.mkdir()
  seen.write_bytes((tmp_path / 'r/predictions.csv').read_bytes())
  with pytest.raises(DataError, match='predictions of 12 test clips'):
    sweeping.run(*given, Process())


def test_a_sampler_and_folds(tmp_path):
  """Program: each fold chooses for itself; a dead process's trial goes on."""
  (tmp_path / 'sweep.py').write_text(SAMPLED)
  given = (
    settings(tmp_path, 'speakers/4'),
    str(tmp_path / 'sweep.py'),
    tmp_path / 's',
  )
  where = tmp_path / 's/fold-1'
  where.mkdir(parents=True)
  journal = optuna.storages.journal.JournalFileBackend(
    f'{where}/optuna.journal'
  )
  study = optuna.create_study(
    storage=optuna.storages.JournalStorage(journal),
    study_name='sweep',
    direction='maximize',
  )
  study.ask()  # by a process that then was killed
  (tmp_path / 'bad.py').write_text('TRIALS = 3\ndef suggest(trial): 1 / 0')
  with pytest.raises(ConfigError, match='ZeroDivisionError: division by zero'):
    sweeping.run(given[0], str(tmp_path / 'bad.py'), given[2], Process())
  choices = sweeping.run(*given, Process(1, 2))
  assert [choice.fold for choice in choices] == [0, 1, 2, 3]
  assert [trial.state.name for trial in study.trials] == ['COMPLETE'] * 3
  for choice in choices:
    assert choice.chosen.number == min(
      choice.accuracies, key=lambda k: (-choice.accuracies[k], k)
    )
    assert (
      choice.accuracies == {trial.number: trial.value for trial in study.trials}
      or choice.fold != 1
    )
    name = f'fold-{choice.fold}'
    folder = tmp_path / 's' / name
    unseen(folder, 3)
    config = json.loads((folder / 'chosen/config.json').read_text())
    assert config['settings']['data']['fold'] == str(choice.fold)
  rows = sweep_table.make_table(choices).rows
  assert len(rows) == 13 and rows[-1][0] == 'all folds'


def test_settings_that_hear_other_sound(tmp_path):
  """Law: each is trained on the stream of sound that it names."""
  config = settings(tmp_path)
  clips = store.read(tmp_path / 'store')
  silent = {'audio.voice': np.zeros((5, 3), np.float32)}
  clips = [
    dataclasses.replace(clip, streams={**clip.streams, **silent})
    for clip in clips
  ]
  data = dataclasses.replace(config.data, store=str(tmp_path / 'two'))
  store.write(tmp_path / 'two', clips)
  model = dataclasses.replace(config.model, streams=('audio.voice', 'face'))
  (tmp_path / 'sweep.py').write_text(
    "SETTINGS = [{'model.streams': ['audio.voice', 'face']},"
    " {'model.streams': ['audio', 'face']}]"
  )
  given = dataclasses.replace(config, data=data, model=model)
  sweeping.run(given, str(tmp_path / 'sweep.py'), tmp_path / 's', Process())
  runs = [finished.load(tmp_path / f's/setting-{k}') for k in range(2)]
  assert [run.config.model.audio for run in runs] == ['voice', '']
  assert len({run.info.data_fingerprint for run in runs}) == 2


@pytest.mark.parametrize(
  ('text', 'wanted'),
  [
    ('SETTINGS = [', 'SyntaxError'),
    ('SETTINGS = []', 'must have either SETTINGS'),
    ('TRIALS = 3', 'must have either SETTINGS'),
    ('SETTINGS = [3]', 'must be a dictionary'),
    ("SETTINGS = [{'data.protocol': 'loso'}]", 'is not for a sweep'),
    ("SETTINGS = [{'training.seeds': 2}]", 'is not for a sweep'),
    ("SETTINGS = [{'model.droput': 0.1}]", "no setting 'model.droput'"),
    ("SETTINGS = [{'model.dropout': 'a'}]", "'a' where a number is wanted"),
    ("SETTINGS = [{'model.dropout': 2.0}]", 'must be in'),
    ("SETTINGS = [{'model.dropout': {1}}]", 'no number, text'),
  ],
)
def test_files_that_are_no_sweep(tmp_path, text, wanted):
  """Law: one line that names the file."""
  path = tmp_path / 'sweep.py'
  path.write_text(text)
  with pytest.raises(ConfigError, match=wanted) as error:
    for changes in sweep_file.load(path).listed:
      sweep_file.changed(Settings(), changes, path)
  assert str(path) in str(error.value)


def test_validation_clips_that_are_tested(tmp_path):
  """Law: an allowed leak of one run is none that a sweep may have."""
  from avjax.data import audit

  leak = {'kind': 'selection', 'splits': ['validation', 'test'], 'text': 'a'}
  with pytest.raises(DataError, match='among the test clips: a; correct'):
    audit.check_choosing([leak])
  audit.check_choosing([{**leak, 'splits': ['validation']}])


def test_program(tmp_path):
  """Program: the table, also as files; the seeds and folds of the config."""
  (tmp_path / 'sweep.py').write_text(LISTED)
  given = (
    'sweep.py', f'--config={ROOT}/configs/linear.py', '--workdir=s',
    '--config.data.store=store', '--config.model.streams=audio,face',
    '--processes=1', '--process=0',
  )  # fmt: skip
  settings(tmp_path)
  code, out, error = forked('sweep', *given, cwd=tmp_path)
  assert code == 0, error
  assert '| 1: standardise=speaker |' in out and 'next: bin/report' in error
  assert (tmp_path / 's/sweep.md').read_text() in out
  assert 'holds another sweep (settings.training.patience was' in fails(
    'sweep', *given, '--config.training.patience=1', cwd=tmp_path
  )
