"""The linear baseline."""

import dataclasses
import sys

import numpy as np
import pytest
from sklearn import linear_model, pipeline, preprocessing

from avjax.errors import CheckpointError, ConfigError
from avjax.runs import linear
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo
from avjax.runs.model import Job
from tests.training import examples

STREAMS = ('audio', 'face')


def job_of(emotions, splits, folder):
  """Returns what is fitted on which clips."""
  config = dataclasses.replace(
    examples.SETTINGS,
    model=dataclasses.replace(examples.SETTINGS.model, streams=STREAMS),
  )
  info = RunInfo(tuple(emotions), {'audio': 3, 'face': 2}, 'abc')
  return Job(config, info, splits, RunFolder(folder))


def test_describe():
  """Equation: mean and deviation of every column, stream by stream."""
  clips = examples.make_clips(3, 'training')
  got = linear.describe(clips, STREAMS)
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
  fitted = linear.Linear().fit(job_of(emotions, parts, tmp_path))
  outcomes, facts = fitted.outcomes, fitted.facts
  model = pipeline.make_pipeline(
    preprocessing.StandardScaler(),
    linear_model.LogisticRegression(C=facts['penalty'], max_iter=5000),
  )
  model.fit(
    linear.describe(parts['training'], STREAMS),
    [emotions.index(clip.label) for clip in parts['training']],
  )
  seen = linear.describe(parts['validation'], STREAMS)
  wanted = model.predict_proba(seen)
  got = outcomes['validation'].probabilities
  np.testing.assert_allclose(got, wanted, atol=1e-6)
  again, _ = linear.Regression.load(RunFolder(tmp_path)).predict(
    parts['validation']
  )
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
  outcomes = linear.Linear().fit(job_of(emotions, parts, tmp_path)).outcomes
  shares = outcomes['validation'].probabilities
  assert np.isfinite(shares).all()
  assert (shares[:, 0] == 0).all()


def test_damaged_baseline(tmp_path):
  """Law: what is no baseline says so, and a missing scikit-learn too."""
  (tmp_path / linear.FILE).write_text('{"streams": []}')
  with pytest.raises(CheckpointError, match=r'linear.json is damaged: '):
    linear.Regression.load(RunFolder(tmp_path))


def test_without_scikit_learn(monkeypatch):
  """Law: the missing package is named, and the extra that has it."""
  monkeypatch.setitem(sys.modules, 'sklearn', None)
  with pytest.raises(ConfigError, match=r'avjax\[features\]'):
    linear.Linear().check(examples.SETTINGS)


def test_clips_without_moments():
  """Law: clips that are standardised by themselves have nothing to read."""
  data = dataclasses.replace(examples.SETTINGS.data, standardise='recording')
  config = dataclasses.replace(examples.SETTINGS, data=data)
  with pytest.raises(ConfigError, match='recording, which makes them 0 and 1'):
    linear.Linear().check(config)
