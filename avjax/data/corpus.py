"""The clips that a config asks for."""

import os

from avjax.clips import Clip
from avjax.data import splits, store, synthetic
from avjax.settings import Settings


def load(config: Settings) -> list[Clip]:
  """Returns all clips of the config's store, standardised as it says.

  Args:
    config: `data.store` is 'synthetic' or the folder of a store.

  Raises:
    DataError: the store is missing or damaged; names every bad clip.
  """
  if config.data.store == 'synthetic':
    clips = synthetic.make(config.synthetic)
  else:
    clips = store.read(os.path.expanduser(config.data.store))
  return splits.standardise(clips, config.data.standardise)


def source(config: Settings) -> str:
  """Returns what the config's store says of where its clips come from."""
  if config.data.store == 'synthetic':
    return 'synthetic'
  return store.source(os.path.expanduser(config.data.store))
