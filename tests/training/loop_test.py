"""Runs that end, resume, are told to stop or meet a bad clip."""

import dataclasses
import json
import signal
import threading

import jax
import numpy as np
import pytest

from avjax.errors import TrainingError
from avjax.training import loop, steps
from avjax.training.checkpoints import Checkpoints
from avjax.training.devices import Devices
from avjax.training.setup import Setup
from tests.training import examples


def train(folder, settings, parts=None, parallelism='jit'):
  """Returns the progress and the newest state of a run in a folder."""
  parts = parts or examples.make_parts()
  training = dataclasses.replace(settings.training, parallelism=parallelism)
  settings = dataclasses.replace(settings, training=training)
  setup = Setup(settings, examples.EMOTIONS, parts)
  trainer = loop.Trainer(setup, parts)
  with Checkpoints(folder / 'checkpoints', {'run': 'test'}) as checkpoints:
    progress = trainer.train(folder, checkpoints)
    _, state, _ = checkpoints.restore_latest(steps.as_saved(setup.initial))
  return progress, state


def assert_same_run(first, second):
  jax.tree.map(np.testing.assert_array_equal, first[1], second[1])
  times = {'seconds', 'clips_per_second'}
  for a, b in zip(first[0].history, second[0].history, strict=True):
    assert {k: v for k, v in a.items() if k not in times} == {
      k: v for k, v in b.items() if k not in times
    }
  assert first[0].selection == second[0].selection


@pytest.mark.parametrize('parallelism', ['jit', 'pmap'])
def test_resume_at_an_epoch(tmp_path, parallelism):
  """Law: 2 + restore + 2 epochs are 4 epochs, to the bit, dropout on."""
  whole = train(
    tmp_path / 'whole', examples.with_training(epochs=4), None, parallelism
  )
  train(tmp_path / 'parts', examples.with_training(epochs=2), None, parallelism)
  parts = train(
    tmp_path / 'parts', examples.with_training(epochs=4), None, parallelism
  )
  assert_same_run(whole, parts)
  lines = (tmp_path / 'parts' / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line)['epoch'] for line in lines] == [0, 1, 2, 3]


@pytest.mark.parametrize('name', ['SIGTERM', 'SIGINT'])
def test_stop_within_an_epoch(tmp_path, monkeypatch, name):
  """Law: a signal after 4 steps saves step 4; the rest gives the same bits."""
  settings = examples.with_training(epochs=3)
  whole = train(tmp_path / 'whole', settings)
  number = getattr(signal, name)
  taken = []
  step = Devices.train_step

  def interrupted(self, state, batch):
    taken.append(None)
    if len(taken) == 4:
      signal.raise_signal(number)
    return step(self, state, batch)

  with monkeypatch.context() as patch:
    patch.setattr(Devices, 'train_step', interrupted)
    with pytest.raises(SystemExit) as stopped:
      train(tmp_path / 'parts', settings)
  assert stopped.value.code == 128 + number
  assert len(taken) == 4
  assert (tmp_path / 'parts' / 'checkpoints' / '4').is_dir()
  assert_same_run(whole, train(tmp_path / 'parts', settings))


def test_signals_are_given_back():
  """Law: behind the loop a signal does what it did before."""
  before = signal.getsignal(signal.SIGTERM)
  with loop.stop_signals() as stop:
    signal.raise_signal(signal.SIGTERM)
    assert stop.number == signal.SIGTERM
  assert signal.getsignal(signal.SIGTERM) is before

  def elsewhere():
    with loop.stop_signals() as stop:
      assert stop.number is None

  thread = threading.Thread(target=elsewhere)
  thread.start()
  thread.join()


def test_clip_that_is_not_finite(tmp_path):
  """Law: the run stops, names step and clip, and keeps its last good epoch."""
  settings = examples.with_training(epochs=2)
  good = train(tmp_path, settings)
  parts = examples.make_parts()
  parts['training'][11].streams['face'][0, 0] = np.nan
  with pytest.raises(TrainingError, match=r'epoch 3, batch \d.*training-11;'):
    train(tmp_path, examples.with_training(epochs=3), parts)
  again = train(tmp_path, settings)
  assert_same_run(good, again)


def test_early_stopping(tmp_path):
  """Law: training ends after `patience` epochs that are no better."""
  settings = examples.with_training(epochs=50, patience=2, learning_rate=1e-12)
  progress, _ = train(tmp_path, settings)
  assert progress.selection.epoch == 0
  assert progress.epoch == 3


def test_progress_is_json():
  """Law: what a checkpoint keeps of the progress gives it back."""
  progress = loop.Progress(epoch=3, loss=0.1, history=[{'epoch': 0}])
  text = json.dumps(dataclasses.asdict(progress))
  assert loop.Progress.from_json(json.loads(text)) == progress
