"""The largest-class baseline."""

import dataclasses

import numpy as np
import pytest

from avjax.errors import CheckpointError
from avjax.runs import majority
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo
from avjax.runs.model import Job
from tests.training import examples


def test_shares(tmp_path):
  """Equation: p_k is the share of class k among the training clips."""
  splits = examples.make_parts()
  extra = [
    dataclasses.replace(clip, name=f'more {clip.name}', label='sad')
    for clip in splits['training'][:5]
  ]
  splits['training'] = splits['training'] + extra
  emotions = ('bored', *examples.EMOTIONS)
  info = RunInfo(emotions, {'audio': 3, 'face': 2}, 'abc')
  job = Job(examples.SETTINGS, info, splits, RunFolder(tmp_path))
  fitted = majority.Majority().fit(job)
  labels = [clip.label for clip in splits['training']]
  wanted = [sum(x == name for x in labels) / 25 for name in emotions]
  outcome = fitted.outcomes['validation']
  for row in outcome.probabilities:
    np.testing.assert_array_equal(row, wanted)
  assert {emotions[n] for n in outcome.predicted} == {'sad'}
  model = majority.Majority().load(examples.SETTINGS, job.folder, info)
  again, _ = model.predict(splits['validation'])
  np.testing.assert_array_equal(again.probabilities, outcome.probabilities)


@pytest.mark.parametrize(
  'text',
  [
    '{"emotions": ["a", "b"], "shares": [1.0]}',
    '{"emotions": ["a", "b"]}',
    '{"emotions": 3, "shares": [1.0]}',
    '{"emotions": ["a"], "shares": ["x"]}',
  ],
)
def test_damaged(tmp_path, text):
  """Law: what is no baseline says so."""
  (tmp_path / majority.FILE).write_text(text)
  with pytest.raises(CheckpointError, match=r'majority.json is damaged: '):
    majority.ClassShares.load(RunFolder(tmp_path))
