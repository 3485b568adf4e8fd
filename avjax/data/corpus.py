"""The clips that a config asks for."""

import dataclasses
import os
from collections.abc import Sequence

from avjax.clips import AUDIO, SOUND, Clip
from avjax.data import splits, store, synthetic
from avjax.errors import DataError
from avjax.settings import Settings


def read(config: Settings) -> list[Clip]:
  """Returns the clips of the config's store, labelled by its target.

  Args:
    config: `data.store` is 'synthetic' or the folder of a store.

  Raises:
    DataError: the store is missing or damaged, which names every bad clip, or
      has no label of this target.
  """
  if config.data.store == 'synthetic':
    clips = synthetic.make(config.synthetic)
  else:
    clips = store.read(os.path.expanduser(config.data.store))
  return _targeted(clips, config.data.target) if config.data.target else clips


def load(config: Settings) -> list[Clip]:
  """Returns what `read` does, standardised and as the model reads it."""
  clips = splits.standardise(read(config), config.data.standardise)
  return as_read(clips, config.model.streams)


def _targeted(clips: Sequence[Clip], target: str) -> list[Clip]:
  """Returns the clips with this target as their label.

  Those for which it is not decided, such as a vote that is a tie, are left
  out; those of a split without any label stay.
  """
  there = {name for clip in clips for name in clip.targets}
  if target not in there:
    raise DataError(
      f'data.target is {target!r}; the targets of the clips are'
      f' {", ".join(sorted(there)) or "not in the store"}'
    )
  return [
    dataclasses.replace(clip, label=clip.targets.get(target))
    for clip in clips
    if target in clip.targets or clip.label is None
  ]


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


def origin(config: Settings) -> store.Origin:
  """Returns what the config's store says of where its clips come from."""
  if config.data.store == 'synthetic':
    return store.Origin('synthetic')
  return store.origin(os.path.expanduser(config.data.store))
