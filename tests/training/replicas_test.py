"""Many runs in one program, against each of them alone."""

import dataclasses
import json
import signal

import jax
import numpy as np
import pytest

from avjax.errors import ConfigError, TrainingError
from avjax.runs import experiment
from avjax.settings import DataConfig
from avjax.training import replicas, resident
from avjax.training.checkpoints import Checkpoints
from avjax.training.devices import Devices
from avjax.training.setup import Setup
from tests.training import examples
from tests.training.loop_test import train as train_alone

SEEDS = (3, 4)


def settings_of(seed, **training):
  return dataclasses.replace(examples.with_training(**training), seed=seed)


def divisions():
  """Two folds: each other's clips, and of different numbers of batches."""
  first, second = examples.make_clips(26, 'one'), examples.make_clips(7, 'two')
  return (
    {'training': first, 'validation': second},
    {'training': first[8:] + second, 'validation': first[:8]},
  )


def runs_in(folder, parts=None, **training):
  parts = parts or [examples.make_parts()] * len(SEEDS)
  return [
    replicas.Replica(
      f'seed {seed}',
      settings_of(seed, **training),
      part,
      folder / str(seed),
    )
    for seed, part in zip(SEEDS, parts, strict=True)
  ]


def train_together(folder, parts=None, **training):
  """Returns the best state and the progress of every run."""
  runs = runs_in(folder, parts, **training)
  parts = [part for run in runs for part in run.splits.values()]
  everything = {str(k): part for k, part in enumerate(parts)}
  setup = Setup(examples.SETTINGS, examples.EMOTIONS, everything)
  trainer = replicas.Replicas(runs, setup)
  with Checkpoints(folder / 'checkpoints', {'run': 'test'}) as checkpoints:
    return trainer.train(folder, checkpoints)


def assert_same(first, second, **tolerance):
  for (one, story), (other, its) in zip(first, second, strict=True):
    assert story.epoch == its.epoch
    assert story.selection.epoch == its.selection.epoch
    for a, b in zip(story.history, its.history, strict=True):
      for name in ('training_loss', 'validation_loss'):
        np.testing.assert_allclose(a[name], b[name], **tolerance)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5, **tolerance),
      one,
      other,
    )


@pytest.fixture(params=['one after another', 'stacked'])
def how(request, monkeypatch):
  """Runs as on a CPU, or by vmap over the devices as on accelerators."""
  if request.param == 'stacked':
    monkeypatch.setattr(Devices, 'is_cpu', False)
    place, _ = Devices('jit').run_shardings(len(SEEDS))
    assert len(place.device_set) == 2


@pytest.mark.parametrize('folds', [False, True], ids=['seeds', 'folds'])
def test_each_is_the_run_alone(tmp_path, how, folds):
  """Law: with seed and clips of its own, each run is what it is alone."""
  parts = divisions() if folds else None
  together = train_together(tmp_path / 'all', parts, epochs=3)
  for run, (best, progress) in zip(
    runs_in(tmp_path / 'alone', parts, epochs=3), together, strict=True
  ):
    alone, _ = train_alone(run.folder, run.config, run.splits)
    assert progress.selection.epoch == alone.selection.epoch
    for a, b in zip(progress.history, alone.history, strict=True):
      for name in ('training_loss', 'validation_loss'):
        np.testing.assert_allclose(a[name], b[name], rtol=1e-4)
      assert a['training_accuracy'] == b['training_accuracy']
    np.testing.assert_allclose(
      progress.history[0]['training_loss'],
      alone.history[0]['training_loss'],
      rtol=1e-5,
    )
    steps = len(run.splits['training']) // 8 + 1
    assert best['step'] == steps * (progress.selection.epoch + 1)


def test_one_ends_before_the_other(tmp_path, how):
  """Law: early stopping is each run's own, and leaves its best state alone."""
  together = train_together(tmp_path / 'all', epochs=9, patience=2)
  assert len({progress.epoch for _, progress in together}) == 2
  for run, (_, progress) in zip(
    runs_in(tmp_path / 'alone', epochs=9, patience=2), together, strict=True
  ):
    alone, _ = train_alone(run.folder, run.config, run.splits)
    assert progress.epoch == alone.epoch
    assert progress.selection.epoch == alone.selection.epoch


def test_resume(tmp_path, monkeypatch):
  """Law: stopped within an epoch and run again, all runs end the same."""
  whole = train_together(tmp_path / 'whole', epochs=3)
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
      train_together(tmp_path / 'parts', epochs=3)
  assert stopped.value.code == 128 + signal.SIGINT
  assert_same(whole, train_together(tmp_path / 'parts', epochs=3), rtol=0)


def test_run_that_is_not_finite(tmp_path):
  """Law: the error names the run and the clip."""
  bad = examples.make_parts()
  bad['training'][11].streams['face'][0, 0] = np.nan
  with pytest.raises(TrainingError, match=r'seed 4: .*training-11;'):
    train_together(tmp_path, [examples.make_parts(), bad], epochs=1)


def test_seeds_and_folds_of_a_corpus(tmp_path):
  """Law: every folder is a finished run's; results.json has mean and each."""
  settings = dataclasses.replace(
    examples.SETTINGS,
    data=DataConfig(buckets=1, protocol='loso'),
    synthetic=dataclasses.replace(
      examples.SETTINGS.synthetic, speakers=1, training=28, validation=28
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
