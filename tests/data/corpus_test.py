"""The clips that a config asks for."""

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
  """A store whose voice is not decided for b, and whose c has no label."""
  asked = {
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
    for name, targets in asked.items()
  ]
  store.write(tmp_path / 'store', clips)
  return tmp_path / 'store'


def test_a_target(folder):
  """Law: the label is that of the target; without one a clip is left out."""

  def labels(**data):
    return {c.name: c.label for c in corpus.read(config(folder, **data))}

  assert labels() == {'a': 'happy', 'b': 'sad', 'c': None}
  assert labels(target='acted') == labels()
  assert labels(target='voice') == {'a': 'sad', 'c': None}
  with pytest.raises(DataError, match='clips are acted, voice'):
    labels(target='face')
