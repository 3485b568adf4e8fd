"""A trained run, which can predict any clips."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax.clips import Clip
from avjax.data import batching, corpus, preparation, splits, standardising
from avjax.data.standardising import Enrolled, Gathered
from avjax.errors import CheckpointError, DataError
from avjax.runs import average_speaker, registry
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo
from avjax.runs.model import Predictor
from avjax.settings import Settings
from avjax.training.outcome import Outcome

SPLITS = ('training', 'validation', 'test', 'all')


@dataclasses.dataclass(frozen=True)
class TrainedRun:
  """A trained run, which can predict clips.

  Attributes:
    folder: of the run.
    config: its settings.
    info: classes, stream widths, data fingerprint and audit.
  """

  folder: RunFolder
  config: Settings
  info: RunInfo

  def predict(
    self,
    clips: Sequence[Clip],
    rounded: bool = False,
    among: Sequence[Clip] = (),
  ) -> tuple[Outcome, dict[str, Any]]:
    """Returns the predictions of the best state, and facts for results.json.

    For the arguments see `Predictor`.

    Raises:
      AvjaxError: the clips do not fit the run, or the run has no usable state.
    """
    clips = corpus.as_read(clips, self.config.model.streams)
    self._check_widths(clips)
    among = corpus.as_read(among, self.config.model.streams)
    return self.model.predict(clips, rounded, among)

  def embeddings(
    self, clips: Sequence[Clip]
  ) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the emotion embeddings before and after training, (N, K) each.

    None for a model without embeddings.

    Args:
      clips: any that fit the run; only their widths matter.

    Raises:
      AvjaxError: the clips do not fit the run, or the run has no usable state.
    """
    clips = corpus.as_read(clips, self.config.model.streams)
    return self.model.embeddings(clips)

  def clips(self, split: str, store: str | None = None) -> list[Clip]:
    """Returns the clips of a split, from the run's own store or another.

    Args:
      split: one of SPLITS. In the run's own store it is a split of the run, in
        another store a split of that store.
      store: another store, or 'synthetic'; None for the run's own.

    Returns:
      the clips, standardised as those of the run. Clips that are set apart for
      enrolment are in no split, and among all clips of the run's own store.

    Raises:
      AvjaxError: the store is missing or has changed, or lacks this split.
    """
    streams = self.config.model.streams
    if self.owns(store):
      if split != 'all':
        return select(self.divided().splits, split, self.config.data.store)
      if self.config.data.enrolment_clips:
        return list(self.divided().clips)
      return corpus.as_read(corpus.load(self.located()), streams)
    assert store is not None
    config = self.elsewhere(store)
    clips = corpus.load(config)
    clips = standardising.strangers(clips, self.average, config.data)
    clips = corpus.as_read(clips, streams)
    if split == 'all':
      return clips
    by_split = splits.by_name(clips, remedy='use --split=all for every clip')
    return select(by_split, split, store)

  def elsewhere(self, store: str) -> Settings:
    """Returns the settings with another store, which is read as it is."""
    data = dataclasses.replace(
      self.config.data,
      store=store,
      protocol='store',
      fold='all',
      held_out='',
      target='',
    )
    return dataclasses.replace(self.config, data=data)

  def loaded(self) -> list[Clip]:
    """Returns the clips of the run's own store, not yet divided.

    Raises:
      AvjaxError: the store is missing or has changed.
    """
    config = self.located()
    clips, data = corpus.load(config), config.data
    read = corpus.as_read(clips, config.model.streams)
    if corpus.fingerprint(config, read) != self.info.data_fingerprint:
      raise DataError(
        f'{data.store} has changed since the run was trained, so its splits may'
        f' differ; {"train again" if data.enrolment_clips else _EVERY}'
      )
    return clips

  def divided(
    self, clips: Sequence[Clip] | None = None, known: Gathered | None = None
  ) -> Enrolled:
    """Returns the clips of the run's own store, divided as for the training.

    Args:
      clips: `loaded` of a run on the same data; None to load them.
      known: see `standardising.enrol`.

    Raises:
      AvjaxError: the store is missing or has changed.
    """
    clips = self.loaded() if clips is None else clips
    fold = self.config.data.first_fold
    return preparation.divide(clips, self.config, fold, known)

  def divide(self, stored: Sequence[Clip]) -> Enrolled:
    """Returns the clips of the run's own store, some of them changed.

    Args:
      stored: as they are in the store, or in their place.
    """
    data = self.config.data
    clips = standardising.standardise(stored, data.standardise)
    return preparation.divide(clips, self.config, data.first_fold)

  def located(self) -> Settings:
    """Returns the settings with the path at which the store is now.

    Raises:
      DataError: it is neither at the given nor at the recorded path.
    """
    return corpus.located(self.config, self.info.store)

  def seen(self, clips: Sequence[Clip]) -> dict[str, int]:
    """Returns how many of some clips the run was trained and selected on.

    Args:
      clips: of the run's own store; it may have changed since.
    """
    results = self.folder.read_results()
    names = {clip.name for clip in clips}
    lines = self.folder.read_predictions(results)
    return {
      split: sum(line.split == split and line.clip in names for line in lines)
      for split in ('training', 'validation')
    }

  def owns(self, store: str | None) -> bool:
    """Returns whether a store is the run's own; None always is."""
    own = self.config.data.store
    if store is None or corpus.SYNTHETIC in (store, own):
      return store in (None, own)
    paths = corpus.absolute(self.config.data), self.info.store
    asked = os.path.realpath(os.path.expanduser(store))
    return asked in map(os.path.realpath, filter(None, paths))

  @functools.cached_property
  def average(self) -> dict[str, standardising.Average]:
    """The average training speaker, where the run needs it."""
    if self.config.data.standardise != 'enrolment':
      return {}
    return average_speaker.read(self.folder)

  @functools.cached_property
  def model(self) -> Predictor:
    """The fitted model, loaded when it is first used."""
    model = registry.model_of(self.config)
    return model.load(self.config, self.folder, self.info)

  def _check_widths(self, clips: Sequence[Clip]) -> None:
    batching.check_streams(clips, self.config.model.streams, trained=True)
    for name in self.config.model.streams:
      width = clips[0].shapes[name][1]
      wanted = self.info.widths[name]
      if width != wanted:
        raise DataError(
          f'the stream {name!r} is {width} wide and the run was trained on'
          f' {wanted}; extract it as for the training clips'
        )


_EVERY = '--split=all takes every clip'


def select(clips_of, split: str, store: str) -> list[Clip]:
  """Returns the clips of a split of a store, given split -> clips."""
  if not clips_of.get(split):
    present = ', '.join(name for name, clips in clips_of.items() if clips)
    raise DataError(
      f'{store} has no {split} clips; it has {present or "no splits"}; {_EVERY}'
    )
  return clips_of[split]


def open_run(workdir: str | pathlib.Path) -> TrainedRun:
  """Returns the finished run of a folder; nothing is written there.

  Raises:
    CheckpointError: the folder has no finished run, or runs of several seeds or
      folds, or a file is damaged.
  """
  folder = RunFolder(workdir)
  config, info = folder.read_config()
  folder.check_finished()
  folder.read_results()
  if config.training.seeds > 1:
    raise CheckpointError(
      f'{folder} holds a run of several seeds; give one of its folders, such'
      f' as {folder / f"seed-{config.seed}"}'
    )
  if config.data.several:
    raise CheckpointError(
      f'{folder} holds a run of several folds; give one of its folders,'
      f' such as {folder / "fold-0"}'
    )
  return TrainedRun(folder, config, info)
