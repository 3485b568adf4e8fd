"""Reading the clips of a config."""

import numpy as np
import pytest

from avjax.clips import Clip
from avjax.data import corpus, free_memory, store
from avjax.errors import DataError
from avjax.settings import DataConfig, Settings


def config(folder, **data) -> Settings:
  return Settings(data=DataConfig(store=str(folder), **data))


@pytest.fixture
def folder(tmp_path):
  """Returns a store: b has no target 'voice', c has no label."""
  targets_of = {
    'a': {'acted': 'happy', 'voice': 'sad'},
    'b': {'acted': 'sad'},
    'c': {},
  }
  clips = [
    Clip(
      name,
      {'shape': np.ones((2, 1), np.float32)},
      targets.get('acted'),
      targets=targets,
    )
    for name, targets in targets_of.items()
  ]
  store.write(tmp_path / 'store', clips)
  return tmp_path / 'store'


def test_a_target(folder):
  """Law: the label is that of the target; clips without it are left out."""

  def labels(**data):
    return {c.name: c.label for c in corpus.read(config(folder, **data))}

  assert labels() == {'a': 'happy', 'b': 'sad', 'c': None}
  assert labels(target='acted') == labels()
  assert labels(target='voice') == {'a': 'sad', 'c': None}
  with pytest.raises(DataError, match='targets in the store: acted, voice'):
    labels(target='face')


@pytest.mark.parametrize(
  ('placement', 'free', 'unread'),
  [('auto', 71, True), ('auto', 72, False), ('stream', 72, True)]
  + [(placement, 0, False) for placement in ('host', 'device')],
)
def test_where_clips_are(placement, free, unread, folder, monkeypatch):
  """Law: 'auto' keeps three clips of 8 bytes where 72 or more are free."""
  monkeypatch.setattr(free_memory, 'available', lambda: free)
  clips = corpus.read(config(folder, placement=placement))
  assert {clip.unread for clip in clips} == {unread}
