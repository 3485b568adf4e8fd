"""The clips that a config asks for."""

import dataclasses
import os
from collections.abc import Sequence

from avjax.clips import AUDIO, SOUND, Clip
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
  clips = splits.standardise(clips, config.data.standardise)
  return as_read(clips, config.model.streams)


def as_read(clips: Sequence[Clip], streams: Sequence[str]) -> list[Clip]:
  """Returns the clips as a model of these streams reads them.

  They are the clips themselves unless the only stream is `SOUND`: then their
  audio is all that they have, under that name, and its clock is theirs. Without
  audio they stay, for `batching.check_streams` to say so.
  """
  if tuple(streams) != (SOUND,):
    return list(clips)
  return [
    dataclasses.replace(clip, streams={SOUND: clip.streams[AUDIO]}, truth={})
    if AUDIO in clip.streams
    else clip
    for clip in clips
  ]


def source(config: Settings) -> str:
  """Returns what the config's store says of where its clips come from."""
  if config.data.store == 'synthetic':
    return 'synthetic'
  return store.source(os.path.expanduser(config.data.store))
