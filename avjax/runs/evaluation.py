"""A trained run evaluated on any clips, as by bin/evaluate."""

import dataclasses
import functools
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.clips import Clip
from avjax.data import batching, corpus, protocols, splits
from avjax.errors import CheckpointError, ConfigError, DataError
from avjax.runs import registry
from avjax.runs.folder import CONFIG, RunFolder
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
    self, clips: Sequence[Clip], rounded: bool = False
  ) -> tuple[Outcome, dict[str, Any]]:
    """Returns the predictions of the best state, and facts for results.json.

    For the arguments see `Predictor`.

    Raises:
      AvjaxError: the clips do not fit the run, or the run has no usable state.
    """
    clips = corpus.as_read(clips, self.config.model.streams)
    self._check_widths(clips)
    return self._model.predict(clips, rounded)

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
    return self._model.embeddings(clips)

  def clips(self, split: str, store: str | None = None) -> list[Clip]:
    """Returns the clips of a split, from the run's own store or another.

    Args:
      split: one of SPLITS. In the run's own store it is a split of the run, in
        another store a split of that store.
      store: another store, or 'synthetic'; None for the run's own.

    Raises:
      AvjaxError: the store is missing or has changed, or lacks this split.
    """
    if self.owns(store):
      config = self.located()
      clips = corpus.load(config)
      return clips if split == 'all' else self._own(clips, split)
    assert store is not None
    data = dataclasses.replace(
      self.config.data, store=store, protocol='store', fold='all', target=''
    )
    clips = corpus.load(dataclasses.replace(self.config, data=data))
    if split == 'all':
      return clips
    by_split = splits.by_name(clips, remedy='use --split=all for every clip')
    return _select(by_split, split, store)

  def _own(self, clips: Sequence[Clip], split: str) -> list[Clip]:
    """Returns a split of the run, of all clips of its store."""
    config = self.located()
    data = config.data
    if corpus.fingerprint(config, clips) != self.info.data_fingerprint:
      raise DataError(
        f'{data.store} has changed since the run was trained, so its splits may'
        f' differ; {_EVERY}'
      )
    by_split = protocols.split(clips, data, data.first_fold)
    return _select(by_split, split, data.store)

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
  def _model(self) -> Predictor:
    """The fitted model, loaded when it is first used."""
    model = registry.model_of(self.config)
    return model.load(self.config, self.folder, self.info)

  def _check_widths(self, clips: Sequence[Clip]) -> None:
    batching.check_streams(clips, self.config.model.streams, trained=True)
    for name in self.config.model.streams:
      width = clips[0].streams[name].shape[1]
      wanted = self.info.widths[name]
      if width != wanted:
        raise DataError(
          f'the stream {name!r} is {width} wide and the run was trained on'
          f' {wanted}; extract it as for the training clips'
        )


_EVERY = '--split=all takes every clip'


def _select(clips_of, split: str, store: str) -> list[Clip]:
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
  if not folder.finished:
    raise CheckpointError(
      f'{folder} holds a run that has not finished; run the same bin/train'
      ' again to finish it'
    )
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


def evaluate(
  workdir: str | pathlib.Path,
  store: str | None = None,
  split: str = 'test',
  output: str | pathlib.Path | None = None,
) -> dict[str, Any]:
  """Evaluates the best state of a run; returns the content of results.json.

  Args:
    workdir: the run folder.
    store: another store, or 'synthetic'; None for the run's own.
    split: one of SPLITS. In the run's own store it is a split of the run, in
      another store a split of that store. 'all' takes every clip.
    output: folder for predictions.csv and results.json; by default a folder in
      `workdir` that is named after store and split.

  Raises:
    AvjaxError: run, store or split is missing, or the store does not fit.
  """
  if split not in SPLITS:
    raise ConfigError(
      f'the split is {split!r}; it must be one of {", ".join(SPLITS)}'
    )
  run = open_run(workdir)
  name = pathlib.Path(store).name if store else 'own'
  target = RunFolder(output or run.folder.path / f'evaluation-{name}-{split}')
  _check_target(target)
  clips = run.clips(split, store)
  outcome, facts = run.predict(clips)
  results = {'splits': {split: outcome.summary()}} | facts
  if run.owns(store):
    results['audit'] = run.info.audit or []
    if split == 'all':
      results['seen'] = run.seen(clips)
  target.write_predictions({split: outcome})
  results = target.write_results(results)
  print(f'output: {target}', file=sys.stderr)
  return results


def _check_target(target: RunFolder) -> None:
  """Raises CheckpointError unless the folder can take an evaluation."""
  if (target.path / CONFIG).exists():
    raise CheckpointError(
      f'{target} is the folder of a run, whose results would be lost; give'
      ' another --output'
    )
  files.check_output(target.path)
