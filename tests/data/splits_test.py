"""The order of the labels, and standardisation by speaker."""

import numpy as np
import pytest

from avjax.clips import Clip
from avjax.data import splits
from avjax.errors import DataError


def clip(name, label: str | None = 'sad', speaker='s1', split='', value=1.0):
  streams = {'shape': np.full((2, 1), value, np.float32)}
  return Clip(name, streams, label, speaker, split)


def test_emotions_in_order():
  """Law: the paper's emotions are first and in its order, then the others."""
  labels = ['surprise', 'calm', 'angry', None, 'amused', 'fear', 'fear']
  clips = [clip(str(i), label) for i, label in enumerate(labels)]
  wanted = ('angry', 'fear', 'surprise', 'amused', 'calm')
  assert splits.emotions(clips) == wanted


def test_standardise():
  """Equation: (x - mean) / std of the speaker's frames, by column."""
  rng = np.random.default_rng(0)
  clips = [
    Clip(
      str(i),
      {
        'audio': rng.normal(i % 2, 3, (5 + i, 2)).astype(np.float32),
        'shape': rng.normal(5, 1 + i % 2, (4 + i, 3)).astype(np.float32),
      },
      speaker=f's{i % 2}',
    )
    for i in range(6)
  ]
  done = splits.standardise(clips, 'speaker')
  for i, after in enumerate(done):
    for stream, x in after.streams.items():
      for column in range(x.shape[1]):
        values = [
          float(value)
          for other in clips[i % 2 :: 2]
          for value in other.streams[stream][:, column]
        ]
        mean = sum(values) / len(values)
        square = sum((value - mean) ** 2 for value in values) / len(values)
        raw = clips[i].streams[stream][:, column].astype(np.float64)
        wanted = (raw - mean) / square**0.5
        # Rounded to float32 once: half of the relative step of 1.2e-7.
        np.testing.assert_allclose(x[:, column], wanted, rtol=1e-7)
      assert x.dtype == np.float32
  assert splits.standardise(clips, 'none') == clips


def test_constant_columns():
  """Law: rounding errors are not scaled up; small varying values are."""
  x = np.zeros((4, 3), np.float32)
  x[:, 0] = 1000
  x[0, 0] = np.nextafter(np.float32(1000), np.float32(2000))
  x[:, 1] = [1e-9, -1e-9, 1e-9, -1e-9]
  clips = [Clip('a', {'shape': x}, speaker='s')]
  done = splits.standardise(clips, 'speaker')[0].streams['shape']
  assert np.abs(done[:, 0]).max() < 1e-3
  np.testing.assert_allclose(np.abs(done[:, 1]), 1, rtol=1e-6)
  assert not done[:, 2].any()


def test_standardise_needs_speakers():
  """Law: clips without a speaker cannot be standardised by speaker."""
  with pytest.raises(DataError, match='no speaker'):
    splits.standardise([clip('a', speaker='')], 'speaker')
