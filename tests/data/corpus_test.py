"""Reading the clips of a config."""

import numpy as np
import pytest

from avjax.clips import Clip
from avjax.data import corpus, store
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
