"""The linear baseline, and what two networks say together."""

import dataclasses
import sys

import numpy as np
import pytest
from sklearn import linear_model, pipeline, preprocessing

from avjax.analysis import statistics
from avjax.clips import SOUND
from avjax.data import corpus
from avjax.errors import CheckpointError, ConfigError
from avjax.training import baseline, fusion
from avjax.training.evaluate import without_maps
from tests.training import examples

STREAMS = ('audio', 'face')


def test_describe():
  """Equation: mean and deviation of every column, stream by stream."""
  clips = examples.make_clips(3, 'training')
  got = baseline.describe(clips, STREAMS)
  for row, clip in zip(got, clips, strict=True):
    wanted = []
    for name in STREAMS:
      columns = clip.streams[name].astype(float).T
      wanted += [sum(c) / len(c) for c in columns]
      wanted += [
        (sum((x - sum(c) / len(c)) ** 2 for x in c) / len(c)) ** 0.5
        for c in columns
      ]
    np.testing.assert_allclose(row, wanted, rtol=1e-6)


@pytest.mark.parametrize('classes', [2, 3])
def test_linear(classes, tmp_path):
  """Agreement: scikit-learn's own pipeline, also after a way through disk."""
  emotions = examples.EMOTIONS[:classes]
  parts = {
    name: [c for c in part if c.label in emotions]
    for name, part in examples.make_parts().items()
  }
  outcomes, facts = baseline.fit(STREAMS, emotions, parts, tmp_path)
  model = pipeline.make_pipeline(
    preprocessing.StandardScaler(),
    linear_model.LogisticRegression(C=facts['penalty'], max_iter=5000),
  )
  model.fit(
    baseline.describe(parts['training'], STREAMS),
    [emotions.index(clip.label) for clip in parts['training']],
  )
  seen = baseline.describe(parts['validation'], STREAMS)
  wanted = model.predict_proba(seen)
  got = outcomes['validation'].probabilities
  np.testing.assert_allclose(got, wanted, atol=1e-6)
  again = baseline.load(tmp_path).predict(parts['validation'])
  np.testing.assert_allclose(again.probabilities, got, rtol=1e-12)
  assert outcomes['training'].scores()['accuracy'] > 0.8  # the means tell it


def test_an_emotion_that_is_not_trained_on(tmp_path):
  """Law: it is never predicted; a column that is constant does no harm."""
  parts = examples.make_parts()
  parts = {
    name: [
      dataclasses.replace(
        c, streams={**c.streams, 'face': np.ones_like(c.streams['face'])}
      )
      for c in part
    ]
    for name, part in parts.items()
  }
  emotions = ('bored', *examples.EMOTIONS)
  outcomes, _ = baseline.fit(STREAMS, emotions, parts, tmp_path)
  shares = outcomes['validation'].probabilities
  assert np.isfinite(shares).all()
  assert (shares[:, 0] == 0).all()


def test_damaged_baseline(tmp_path):
  """Law: what is no baseline says so, and a missing scikit-learn too."""
  (tmp_path / baseline.MODEL).write_text('{"streams": []}')
  with pytest.raises(CheckpointError, match='no linear baseline'):
    baseline.load(tmp_path)


def test_without_scikit_learn(monkeypatch):
  """Law: the missing package is named, and the extra that has it."""
  monkeypatch.setitem(sys.modules, 'sklearn', None)
  with pytest.raises(ConfigError, match=r'avjax\[features\]'):
    baseline.check()


def test_combine():
  """Equation: p_k is proportional to prod_m p_mk ** w_m."""
  random = np.random.default_rng(0)
  one, other = random.dirichlet(np.ones(3), (2, 5))
  got = fusion.combine([one, other], [0.3, 0.7])
  for n in range(5):
    product = [one[n, k] ** 0.3 * other[n, k] ** 0.7 for k in range(3)]
    np.testing.assert_allclose(got[n], np.array(product) / sum(product))
  np.testing.assert_allclose(fusion.combine([one, other], [1.0, 0.0]), one)
  # A class that one network rules out keeps a finite chance.
  sure = np.array([[1.0, 0.0, 0.0]])
  assert np.isfinite(np.log(fusion.combine([sure, one[:1]], [0.5, 0.5]))).all()


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
  weights = fusion.choose(clips, outcomes)
  assert sum(weights.values()) == pytest.approx(1)
  label = np.array([examples.EMOTIONS.index(clip.label) for clip in clips])

  def right(share):
    shares = fusion.combine(
      [outcomes['audio'].probabilities, outcomes['vision'].probabilities],
      [share, 1 - share],
    )
    counts = statistics.confusion(label, shares.argmax(1), 3)
    return np.trace(counts)

  best = max(right(k / fusion.STEPS) for k in range(fusion.STEPS + 1))
  assert right(weights['audio']) == best
  useless = {'audio': outcome(clips, 0, 1), 'vision': outcome(clips, 9, 2)}
  assert fusion.choose(clips, useless)['audio'] < 0.5


def test_fuse():
  """Law: equal weights are equal, and the facts add up."""
  parts = examples.make_parts()
  facts = {'seconds': 2.0, 'epochs': 3, 'parameters': 10, 'device': 'd'}
  fitted = {
    name: (
      {split: outcome(clips, 1, seed) for split, clips in parts.items()},
      facts,
    )
    for seed, name in enumerate(('audio', 'vision'))
  }
  outcomes, joined = fusion.fuse('equal', fitted, parts)
  assert joined['weights'] == {'audio': 0.5, 'vision': 0.5}
  assert (joined['seconds'], joined['parameters']) == (4, 20)
  assert set(outcomes) == set(parts)


def test_members():
  """Law: one hears and one sees; both are the average network."""
  config = dataclasses.replace(
    examples.SETTINGS,
    model=dataclasses.replace(
      examples.SETTINGS.model, variant='decision_fusion'
    ),
  )
  members = fusion.members(config)
  assert {k: m.model.streams for k, m in members.items()} == {
    'audio': (SOUND,),
    'vision': ('face',),
  }
  assert {m.model.variant for m in members.values()} == {'average'}


def test_sound():
  """Law: alone, the audio is the clips' one stream, with its own clock."""
  clips = examples.make_clips(4, 'training')
  for clip, heard in zip(clips, corpus.as_read(clips, (SOUND,)), strict=True):
    assert set(heard.streams) == {SOUND}
    np.testing.assert_array_equal(heard.streams[SOUND], clip.streams['audio'])
    assert (heard.visual_length, heard.audio_length) == (clip.audio_length, 0)
    assert (heard.label, heard.speaker) == (clip.label, clip.speaker)
  assert corpus.as_read(clips, STREAMS) == clips
