"""Many runs in one program, against each of them alone."""

import dataclasses
import functools
import json
import signal

import jax
import numpy as np
import pytest

from avjax.data import store
from avjax.errors import ConfigError, TrainingError
from avjax.runs import evaluation, experiment, other_store, scoring
from avjax.settings import DataConfig
from avjax.training import replicas, resident, steps
from avjax.training.checkpoints import Checkpoints
from avjax.training.devices import Devices
from avjax.training.loop import Trainer
from avjax.training.setup import Setup
from tests.training import examples
from tests.training.loop_test import assert_same_run

SEEDS = (3, 4)
FIRST, SECOND = examples.make_clips(26, 'one'), examples.make_clips(7, 'two')
DIVIDED = (
  {'training': FIRST, 'validation': SECOND},
  {'training': FIRST[8:] + SECOND, 'validation': FIRST[:8]},
)
"""Two folds of the same clips, with different numbers of batches."""
PARTS = {'seeds': (DIVIDED[0], DIVIDED[0]), 'folds': DIVIDED}


def runs_in(folder, parts, **training):
  return [
    replicas.Replica(
      f'seed {seed}',
      dataclasses.replace(examples.with_training(**training), seed=seed),
      part,
      folder / str(seed),
    )
    for seed, part in zip(SEEDS, parts, strict=True)
  ]


def train_together(folder, parts, **training):
  """Returns the best state and the progress of every run."""
  runs = runs_in(folder, parts, **training)
  setup = Setup(examples.SETTINGS, examples.EMOTIONS, parts[0])
  trainer = replicas.Replicas(runs, setup)
  with Checkpoints(folder / 'checkpoints', {'run': 'test'}) as checkpoints:
    return trainer.train(folder, checkpoints)


def train_alone(run):
  """Returns the best state and the progress of a run by itself."""
  setup = Setup(run.config, examples.EMOTIONS, run.splits)
  trainer = Trainer(setup, run.splits)
  with Checkpoints(run.folder, {'run': 'test'}) as checkpoints:
    progress = trainer.train(run.folder, checkpoints)
    _, best, _ = checkpoints.restore_best(steps.as_saved(setup.initial))
  return best, progress


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
  """A function that returns what `train_together` does, of runs on their own.

  On one device, as on a CPU.
  """

  @functools.cache
  def train(parts, **training):
    folder = tmp_path_factory.mktemp('alone')
    devices = jax.local_devices()[:1]
    with pytest.MonkeyPatch.context() as patch:
      patch.setattr(jax, 'devices', lambda: devices)
      runs = runs_in(folder, PARTS[parts], **training)
      return [train_alone(run) for run in runs]

  return train


def assert_same_runs(first, second):
  """Two lists of runs are the same, metrics and best states to the bit."""
  for run, other in zip(first, second, strict=True):
    assert_same_run(run[::-1], other[::-1])


def assert_close_runs(first, second):
  """Two lists of runs are the same, to the rounding of a few epochs."""
  for (best, progress), (other, wanted) in zip(first, second, strict=True):
    assert progress.epoch == wanted.epoch
    assert progress.selection.epoch == wanted.selection.epoch
    assert best['step'] == other['step']
    for a, b in zip(progress.history, wanted.history, strict=True):
      for name in ('training_loss', 'validation_loss'):
        np.testing.assert_allclose(a[name], b[name], rtol=1e-4)
      assert a['training_accuracy'] == b['training_accuracy']
    np.testing.assert_allclose(
      progress.history[0]['training_loss'],
      wanted.history[0]['training_loss'],
      rtol=1e-5,
    )


@pytest.fixture(params=['one after another', 'stacked'])
def assert_agree(request, monkeypatch):
  """How runs agree: as on a CPU, or by vmap over devices as on accelerators."""
  if request.param == 'one after another':
    return assert_same_runs
  monkeypatch.setattr(Devices, 'is_cpu', False)
  place, _ = Devices('jit').run_shardings(len(SEEDS))
  assert len(place.device_set) == 2
  return assert_close_runs


@pytest.mark.parametrize('parts', PARTS)
def test_each_is_the_run_alone(tmp_path, alone, assert_agree, parts):
  """Law: with seed and clips of its own, each run is what it is alone."""
  together = train_together(tmp_path, PARTS[parts], epochs=3)
  assert_agree(together, alone(parts, epochs=3))
  for (best, progress), part in zip(together, PARTS[parts], strict=True):
    steps_an_epoch = -(-len(part['training']) // 8)
    assert best['step'] == steps_an_epoch * (progress.selection.epoch + 1)


def test_one_ends_before_the_other(tmp_path, alone, assert_agree):
  """Law: early stopping is each run's own, and leaves its best state alone."""
  together = train_together(tmp_path, PARTS['seeds'], epochs=9, patience=1)
  assert len({progress.epoch for _, progress in together}) == 2
  assert_agree(together, alone('seeds', epochs=9, patience=1))


def test_resume(tmp_path, alone, monkeypatch):
  """Law: stopped within an epoch and run again, all runs end the same."""
  monkeypatch.setattr(resident, 'STEPS', 1)
  calls = []
  step = resident.train_replicas

  def interrupted(*arguments, **options):
    calls.append(None)
    if len(calls) == 5:
      signal.raise_signal(signal.SIGINT)
    return step(*arguments, **options)

  with monkeypatch.context() as patch:
    patch.setattr(resident, 'train_replicas', interrupted)
    with pytest.raises(SystemExit) as stopped:
      train_together(tmp_path, PARTS['folds'], epochs=3)
  assert stopped.value.code == 128 + signal.SIGINT
  resumed = train_together(tmp_path, PARTS['folds'], epochs=3)
  assert_same_runs(resumed, alone('folds', epochs=3))


def test_run_that_is_not_finite(tmp_path):
  """Law: the error names the run and the clip."""
  bad = dataclasses.replace(SECOND[3], streams=dict(SECOND[3].streams))
  bad.streams['face'] = np.full_like(bad.streams['face'], np.nan)
  second = [*SECOND[:3], bad, *SECOND[4:]]
  parts = (
    {'training': FIRST, 'validation': second},
    {'training': FIRST[8:] + second, 'validation': FIRST[:8]},
  )
  with pytest.raises(TrainingError, match=r'seed 4: .*two-3;'):
    train_together(tmp_path, parts, epochs=1)


def test_seeds_and_folds_of_a_corpus(tmp_path):
  """Law: every folder is a finished run's; results.json has mean and each."""
  settings = dataclasses.replace(
    examples.SETTINGS,
    data=DataConfig(buckets=1, protocol='loso'),
    synthetic=dataclasses.replace(
      examples.SETTINGS.synthetic, speakers=1, training=14, validation=14
    ),
    model=dataclasses.replace(
      examples.SETTINGS.model, streams=('audio', 'shape')
    ),
    training=dataclasses.replace(
      examples.SETTINGS.training, seeds=2, epochs=1, batch_size=16
    ),
  )
  results = experiment.train(settings, tmp_path)
  assert experiment.train(settings, tmp_path) == results
  again = scoring.evaluate(tmp_path, output=tmp_path / 'again')
  ensemble = results['ensemble']
  assert again['splits']['test'] == ensemble['splits']['test']
  assert again['folds']['test'] == ensemble['folds']['test']
  assert again['members'] == ensemble['members'] == 2
  assert len(ensemble['folds']['validation']['each']) == 3
  with pytest.raises(ConfigError, match='--split=test can be evaluated'):
    scoring.evaluate(tmp_path, split='training')
  parts = [tmp_path / f'seed-{s}/fold-{k}' for s in (0, 1) for k in range(3)]
  members = [evaluation.open_run(part) for part in parts]
  clips = members[0].clips('all')[:9]
  store.write(tmp_path / 'store', clips)
  other = scoring.evaluate(
    tmp_path,
    f'{tmp_path}/store',
    'all',
    tmp_path / 'o',
    adaptation=other_store.Adaptation(allow_leaks='speaker,content'),
  )
  assert other['members'] == 6
  mean = np.mean([m.predict(clips)[0].probabilities for m in members], 0)
  text = (tmp_path / 'o/predictions.csv').read_text()
  rows = [line.split(',') for line in text.splitlines()[1:]]
  written = np.array([row[4:] for row in rows], float)
  # Six decimals of six members, and of their mean.
  np.testing.assert_allclose(written, mean, rtol=0, atol=1.1e-6)
  each = results['seeds']['test']['each']
  assert len(each) == 2
  assert results['seeds']['test']['mean'] == pytest.approx(np.mean(each))
  for name, accuracy in zip(('seed-0', 'seed-1'), each, strict=True):
    folder = tmp_path / name
    one = json.loads((folder / 'results.json').read_text())
    assert one['splits']['test']['accuracy'] == accuracy
    config = json.loads((folder / 'fold-2' / 'config.json').read_text())
    assert config['settings']['seed'] == int(name[-1])
    assert config['settings']['training']['seeds'] == 1
    alone = dataclasses.replace(
      settings,
      seed=int(name[-1]),
      data=dataclasses.replace(settings.data, fold='2'),
      training=dataclasses.replace(settings.training, seeds=1),
    )
    # The folder of one of the runs is the folder of that run alone.
    assert experiment.train(alone, folder / 'fold-2') == json.loads(
      (folder / 'fold-2' / 'results.json').read_text()
    )


def test_seeds_are_for_networks(tmp_path):
  """Law: what has no seed is refused in a line, with nothing written."""
  linear = dataclasses.replace(
    examples.with_training(seeds=2),
    model=dataclasses.replace(
      examples.SETTINGS.model, variant='linear', streams=('audio', 'shape')
    ),
  )
  with pytest.raises(ConfigError, match=r'training.seeds is 2, which is for'):
    experiment.train(linear, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()
