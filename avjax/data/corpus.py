"""Reads the clips of a config's store."""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence

import numpy as np

from avjax import records
from avjax.clips import AUDIO, SOUND, Clip, UnreadStreams, is_sound
from avjax.data import (
  fold_stores,
  free_memory,
  manifest,
  standardising,
  store,
  synthetic,
)
from avjax.errors import DataError
from avjax.settings import DataConfig, ModelConfig, Settings

SYNTHETIC = 'synthetic'


def read(config: Settings) -> list[Clip]:
  """Returns the clips of the config's store, labelled by `data.target`.

  Args:
    config: `data.store` is 'synthetic' or the folder of a store.

  Raises:
    DataError: the store is missing or damaged, or has no label of this target.
  """
  if config.data.store == SYNTHETIC:
    clips = synthetic.make(config.synthetic)
  else:
    clips = store.read(folder(config.data), _most(config.data.placement))
  clips = [heard(clip, config.model) for clip in clips]
  return _targeted(clips, config.data.target) if config.data.target else clips


def _most(placement: str) -> int | float:
  """Returns how many bytes of a store's streams may stay in memory."""
  if placement == 'auto':
    return free_memory.share()
  return 0 if placement == 'stream' else math.inf


def folder(data: DataConfig) -> str:
  """Returns the folder of the clips, where each fold has one that of a fold.

  Args:
    data: the settings; `data.store` is the folder of a store.

  Raises:
    DataError: the store is for other folds; see `fold_stores`.
  """
  return fold_stores.checked(os.path.expanduser(data.store), data)


def own_folds(data: DataConfig) -> int:
  """Returns the number of folds with a store of their own; 0 without any."""
  if data.store == SYNTHETIC:
    return 0
  return fold_stores.count(os.path.expanduser(data.store))


def fingerprint(config: Settings, clips: Sequence[Clip]) -> str:
  """Returns the SHA-256 of all that training uses.

  Where every fold has clips of its own and all are asked for, it covers them.

  Args:
    config: the settings.
    clips: of the store, or of its first fold.
  """
  own = store.fingerprint(clips)
  if not (config.data.several and own_folds(config.data)):
    return own
  made = fold_stores.read(os.path.expanduser(config.data.store))
  return records.digest(f'{own} {made.contents}'.encode()) if made else own


def absolute(data: DataConfig) -> str:
  """Returns the absolute path of the store, or '' for synthetic clips."""
  if data.store == SYNTHETIC:
    return ''
  return os.path.abspath(os.path.expanduser(data.store))


def located(config: Settings, recorded: str) -> Settings:
  """Returns a run's config with the path at which its store is now.

  The path that was given to bin/train may be relative to another folder.

  Args:
    config: of the run.
    recorded: the absolute path of the store when the run began, or ''.

  Raises:
    DataError: the store is at neither; the message names both.
  """
  given = absolute(config.data)
  paths = [path for path in dict.fromkeys((given, recorded)) if path]
  if not paths:
    return config
  for path in paths:
    names = (manifest.NAME, fold_stores.NAME)
    if any(os.path.isfile(os.path.join(path, name)) for name in names):
      data = dataclasses.replace(config.data, store=path)
      return dataclasses.replace(config, data=data)
  raise DataError(
    f'the store of the run, {config.data.store}, is not there: looked for'
    f' {" and ".join(os.path.join(p, manifest.NAME) for p in paths)}; move it'
    ' there, or name another'
  )


def load(config: Settings) -> list[Clip]:
  """Returns the clips of `read` after `standardising.standardise`."""
  return standardising.standardise(read(config), config.data.standardise)


def _targeted(clips: Sequence[Clip], target: str) -> list[Clip]:
  """Returns the clips with this target as their label.

  Labelled clips without this target, for example after a tie of votes, are
  left out. Clips without any label are kept.
  """
  targets = {name for clip in clips for name in clip.targets}
  if target not in targets:
    raise DataError(
      f'data.target is {target!r}; it must be one of the targets in the store:'
      f' {", ".join(sorted(targets)) or "none, so leave it empty"}'
    )
  return [
    dataclasses.replace(clip, label=clip.targets.get(target))
    for clip in clips
    if target in clip.targets or clip.label is None
  ]


def heard(clip: Clip, model: ModelConfig) -> Clip:
  """Returns a clip with the stream of sound that a model reads, as 'audio'.

  Args:
    clip: of a store, or of an extractor; it may have several such streams.
    model: settings of the model.

  Raises:
    DataError: the clip has others.
  """
  own, name = clip.streams, f'{AUDIO}.{model.audio}' if model.audio else AUDIO
  sounds = [stream for stream in own if is_sound(stream)]
  lacking = [k for k in model.streams if k not in own and f'{AUDIO}.{k}' in own]
  if name not in sounds and (
    model.audio or (sounds and {AUDIO, SOUND} & set(model.streams))
  ):
    lacking = [name]
  if lacking:
    raise DataError(
      f'{clip.name} has no stream {lacking[0]!r}, which the model reads; it has'
      f' {", ".join(own)}: set model.streams to some of these, or extract it'
      ' with that stream'
    )
  if not {*sounds} - {AUDIO}:
    return clip
  source = {k: k for k in own if not is_sound(k)}
  if name in sounds:
    source[AUDIO] = name
  streams: Mapping[str, np.ndarray] = (
    UnreadStreams(
      {k: own.shapes[source[k]] for k in source}, lambda k: own[source[k]]
    )
    if isinstance(own, UnreadStreams)
    else {k: own[source[k]] for k in source}
  )
  return dataclasses.replace(clip, streams=streams)


def as_read(clips: Sequence[Clip], streams: Sequence[str]) -> list[Clip]:
  """Returns the clips as a model with these streams reads them.

  If the only stream is `SOUND`, a clip has its audio under that name as the
  only stream; without audio it is unchanged, and `batching.check_streams` will
  raise the error. With other streams, clips are unchanged.
  """
  if tuple(streams) != (SOUND,):
    return list(clips)
  return [_heard(clip) if AUDIO in clip.streams else clip for clip in clips]


def _heard(clip: Clip) -> Clip:
  """Returns a clip with its audio as the only stream."""
  own = clip.streams
  streams: Mapping[str, np.ndarray] = (
    UnreadStreams({SOUND: own.shapes[AUDIO]}, lambda _: own[AUDIO])
    if isinstance(own, UnreadStreams)
    else {SOUND: own[AUDIO]}
  )
  return dataclasses.replace(clip, streams=streams, truth={})


def origin(config: Settings) -> store.Origin:
  """Returns the origin of the clips as recorded in the config's store."""
  if config.data.store == SYNTHETIC:
    return store.Origin(SYNTHETIC)
  return store.origin(folder(config.data))
