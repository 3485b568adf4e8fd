"""What two networks say together."""

import dataclasses

import numpy as np
import pytest

from avjax.clips import SOUND
from avjax.data import corpus
from avjax.errors import ConfigError
from avjax.metrics import classification
from avjax.runs import decision_fusion
from avjax.runs.model import Fitted
from avjax.training.outcome import without_maps
from tests.training import examples

STREAMS = ('audio', 'face')


def test_combine():
  """Equation: p_k is proportional to prod_m p_mk ** w_m."""
  random = np.random.default_rng(0)
  one, other = random.dirichlet(np.ones(3), (2, 5))
  got = decision_fusion.combine([one, other], [0.3, 0.7])
  for n in range(5):
    product = [one[n, k] ** 0.3 * other[n, k] ** 0.7 for k in range(3)]
    np.testing.assert_allclose(got[n], np.array(product) / sum(product))
  np.testing.assert_allclose(
    decision_fusion.combine([one, other], [1.0, 0.0]), one
  )
  # A class that one network rules out keeps a finite chance.
  sure = np.array([[1.0, 0.0, 0.0]])
  assert np.isfinite(
    np.log(decision_fusion.combine([sure, one[:1]], [0.5, 0.5]))
  ).all()


def outcome(clips, sharp, seed):
  """Returns probabilities that know the label the better, the sharper."""
  random = np.random.default_rng(seed)
  logits = random.standard_normal((len(clips), 3))
  for row, clip in zip(logits, clips, strict=True):
    row[examples.EMOTIONS.index(clip.label)] += sharp
  shares = np.exp(logits)
  shares /= shares.sum(1, keepdims=True)
  return without_maps(clips, examples.EMOTIONS, shares)


def test_choose():
  """Law: no weight that is tried has more validation clips right."""
  clips = examples.make_clips(60, 'validation')
  outcomes = {'audio': outcome(clips, 0.8, 1), 'vision': outcome(clips, 1.2, 2)}
  weights = decision_fusion.choose(clips, outcomes)
  assert sum(weights.values()) == pytest.approx(1)
  label = np.array([examples.EMOTIONS.index(clip.label) for clip in clips])

  def right(share):
    shares = decision_fusion.combine(
      [outcomes['audio'].probabilities, outcomes['vision'].probabilities],
      [share, 1 - share],
    )
    counts = classification.confusion(label, shares.argmax(1), 3)
    return np.trace(counts)

  best = max(
    right(k / decision_fusion.STEPS) for k in range(decision_fusion.STEPS + 1)
  )
  assert right(weights['audio']) == best
  useless = {'audio': outcome(clips, 0, 1), 'vision': outcome(clips, 9, 2)}
  assert decision_fusion.choose(clips, useless)['audio'] < 0.5


def test_fuse():
  """Law: equal weights are equal, and the facts add up."""
  parts = examples.make_parts()
  facts = {
    'seconds': 2.0,
    'epochs': 3,
    'parameters': 10,
    'device': 'd',
    'lstm': 'fused',
  }
  fitted = {
    name: Fitted(
      {split: outcome(clips, 1, seed) for split, clips in parts.items()},
      facts,
    )
    for seed, name in enumerate(('audio', 'vision'))
  }
  both = decision_fusion.fuse('equal', fitted, parts)
  joined = both.facts
  assert joined['weights'] == {'audio': 0.5, 'vision': 0.5}
  assert (joined['seconds'], joined['parameters']) == (4, 20)
  assert set(both.outcomes) == set(parts)


def test_members():
  """Law: one hears and one sees; both are the average network."""
  config = dataclasses.replace(
    examples.SETTINGS,
    model=dataclasses.replace(
      examples.SETTINGS.model, variant='decision_fusion'
    ),
  )
  model = decision_fusion.DecisionFusion()
  members = model.members(config)
  assert {k: m.model.streams for k, m in members.items()} == {
    'audio': (SOUND,),
    'vision': ('face',),
  }
  assert {m.model.variant for m in members.values()} == {'average'}
  model.check(config)
  deaf = dataclasses.replace(
    config, model=dataclasses.replace(config.model, streams=('face',))
  )
  with pytest.raises(ConfigError, match="lacks 'audio'"):
    model.check(deaf)


def test_sound():
  """Law: alone, the audio is the clips' one stream, with its own clock."""
  clips = examples.make_clips(4, 'training')
  for clip, heard in zip(clips, corpus.as_read(clips, (SOUND,)), strict=True):
    assert set(heard.streams) == {SOUND}
    np.testing.assert_array_equal(heard.streams[SOUND], clip.streams['audio'])
    assert (heard.visual_length, heard.audio_length) == (clip.audio_length, 0)
    assert (heard.label, heard.speaker) == (clip.label, clip.speaker)
  assert corpus.as_read(clips, STREAMS) == clips
