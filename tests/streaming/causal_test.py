"""The network frame by frame against the same network on whole clips."""

import dataclasses

import jax
import numpy as np
import pytest

import avjax
from avjax.models.averaged import Averaged
from avjax.streaming import causal
from tests.models.classifiers_test import (
  EMOTIONS,
  SMALL,
  VARIANTS,
  example,
  random_parameters,
)

WIDTHS = {'audio': 4, 'shape': 3, 'appearance': 8, 'units': 2}
T = 12


def averaged(name, ratio):
  settings = dataclasses.replace(SMALL, **VARIANTS[name])
  module = avjax.build(settings, EMOTIONS)
  first = random_parameters(module, example())
  second = jax.tree.map(lambda x: np.float32(0.7) * x, first)
  model = Averaged(settings, EMOTIONS, [first, second])
  return causal.with_ratio(model, ratio)


def offline(model, clip, audio_lengths):
  """The probabilities for the first n video frames, for every n."""
  shape = {k: (T, *x.shape) for k, x in clip.items()}
  arrays = {k: np.broadcast_to(x, shape[k]) for k, x in clip.items()}
  arrays['visual_length'] = np.arange(1, T + 1, dtype=np.int32)
  arrays['audio_length'] = np.asarray(audio_lengths, np.int32)
  wanted = {k: arrays[k] for k in model.inputs}
  return jax.jit(model.__call__)(**wanted)['probabilities']


@pytest.mark.parametrize(
  'name, ratio',
  [
    ('proposed', 1.04),
    ('reads hidden', 1.0),
    ('average', 1.25),
    ('no audio', 1.25),
  ],
)
def test_every_frame_is_the_offline_result(name, ratio):
  """Agreement: after every frame, complete or provisional, to 1e-5."""
  model = averaged(name, ratio)
  random = np.random.default_rng(0)
  frames = int(np.ceil(T * ratio))
  clip = {
    k: random.standard_normal(
      (frames if k == 'audio' else T, WIDTHS[k])
    ).astype(np.float32)
    for k in model.streams
  }
  stream, moments, provisional, heard = causal.FrameByFrame(model), [], [], []
  for t in range(T):  # the audio comes in blocks, late
    visual = {k: x[t : t + 1] for k, x in clip.items() if k != 'audio'}
    moments += stream.see(visual)
    provisional.append(stream.provisional())
    heard.append(0)
    if 'audio' in clip:
      start = stream._forgotten + len(stream._heard)
      heard[-1] = start
      if t % 3 == 2:
        moments += stream.hear(clip['audio'][start : int((t + 1) * ratio)])
  ended = len(moments)
  if 'audio' in clip:
    start = stream._forgotten + len(stream._heard)
    moments += stream.hear(clip['audio'][start:])
  moments += stream.end()
  assert [m.frames for m in moments] == [*range(1, T + 1)]
  assert 0 < ended <= T and not any(m.provisional for m in moments)
  whole = offline(model, clip, [frames] * T)
  found = np.array([m.probabilities for m in moments])
  np.testing.assert_allclose(found, whole, rtol=0, atol=1e-5)

  partly = offline(model, clip, heard)
  assert [m.frames for m in provisional] == [*range(1, T + 1)]
  found = np.array([m.probabilities for m in provisional])
  np.testing.assert_allclose(found, partly, rtol=0, atol=1e-5)
