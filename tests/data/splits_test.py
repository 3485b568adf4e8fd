"""The order of the labels."""

import numpy as np

from avjax.clips import Clip
from avjax.data import splits


def clip(name, label: str | None = 'sad', speaker='s1', split='', value=1.0):
  streams = {'shape': np.full((2, 1), value, np.float32)}
  return Clip(name, streams, label, speaker, split)


def test_emotions_in_order():
  """Law: the paper's emotions are first and in its order, then the others."""
  labels = ['surprise', 'calm', 'angry', None, 'amused', 'fear', 'fear']
  clips = [clip(str(i), label) for i, label in enumerate(labels)]
  wanted = ('angry', 'fear', 'surprise', 'amused', 'calm')
  assert splits.emotions(clips) == wanted
