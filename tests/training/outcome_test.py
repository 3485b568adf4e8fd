"""Predictions of a state, and what is refused."""

import numpy as np
import pytest

from avjax.errors import TrainingError
from avjax.training import steps
from avjax.training.devices import Devices
from avjax.training.outcome import evaluate
from tests.training import examples


def outcome(clips, batch_size=8):
  """Returns the predictions of the initial state."""
  settings = examples.with_training(batch_size=batch_size)
  loader = examples.make_loader(settings, {'all': clips})
  devices = Devices('jit')
  example = loader.batch(clips, np.array([0]))
  state = steps.create_state(settings, example, examples.EMOTIONS)
  return evaluate(devices, devices.replicate(state), clips, loader)


def test_every_clip_once():
  """Law: 13 clips in batches of 8 give what each gives alone."""
  clips = examples.make_clips(13, 'test')
  whole = outcome(clips)
  np.testing.assert_allclose(whole.probabilities.sum(1), 1, rtol=1e-6)
  scores = whole.scores()
  assert scores['n'] == 13
  label = [examples.EMOTIONS.index(clip.label) for clip in clips]
  likelihood = whole.probabilities[np.arange(13), label]
  assert scores['loss'] == pytest.approx(-np.log(likelihood).mean())
  assert scores['correct'] == np.sum(whole.predicted == label)
  for k in (0, 12):
    alone = outcome([clips[k]])
    np.testing.assert_allclose(
      alone.probabilities[0], whole.probabilities[k], rtol=1e-5
    )
  for clip, weights in zip(clips, whole.alignment, strict=True):
    assert weights.shape == (clip.visual_length, 4)


def test_clip_without_a_finite_value():
  """Law: evaluation stops and names the clip, so nothing wrong is kept."""
  clips = examples.make_clips(13, 'test')
  clips[5].streams['face'][0, 0] = np.inf
  with pytest.raises(TrainingError, match='no finite value for test-5;'):
    outcome(clips)
