"""A trained run on any clips: what bin/evaluate does."""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax.clips import Clip
from avjax.data import batching, corpus, protocols, splits
from avjax.data.store import fingerprint
from avjax.errors import CheckpointError, ConfigError, DataError
from avjax.runs import registry
from avjax.runs.folder import RunFolder, RunInfo
from avjax.settings import Settings
from avjax.training.outcome import Outcome

SPLITS = ('training', 'validation', 'test', 'all')


@dataclasses.dataclass(frozen=True)
class TrainedRun:
  """A run whose model can be asked: its folder and what its config says."""

  folder: RunFolder
  config: Settings
  info: RunInfo

  def predict(self, clips: Sequence[Clip]) -> tuple[Outcome, dict[str, Any]]:
    """Returns the predictions of the best state, and what results.json adds.

    Raises:
      AvjaxError: the clips do not fit the run, or it has no usable state.
    """
    clips = corpus.as_read(clips, self.config.model.streams)
    self._check_widths(clips)
    return self._model().predict(clips)

  def embeddings(
    self, clips: Sequence[Clip]
  ) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the emotion embeddings before and after training, (N, K) each.

    None for a model without.

    Args:
      clips: some that fit the run, for their widths.

    Raises:
      AvjaxError: as `predict`.
    """
    clips = corpus.as_read(clips, self.config.model.streams)
    return self._model().embeddings(clips)

  def clips(self, split: str, store: str | None = None) -> list[Clip]:
    """Returns the clips of a split of the run's own store or of another one.

    Args:
      split: one of SPLITS; the run's in its own store, else the store's.
      store: another store, or 'synthetic'; the run's own where None.

    Raises:
      AvjaxError: the store is gone or has changed, or has no such split.
    """
    config, own = self.config, self.owns(store)
    if store is not None and not own:
      data = dataclasses.replace(
        config.data, store=store, protocol='store', fold='all', target=''
      )
      config = dataclasses.replace(config, data=data)
    clips = corpus.load(config)
    if split == 'all':
      return clips
    if not own:
      return _chosen(splits.by_name(clips, remedy=_EVERY), split, config)
    if fingerprint(clips) != self.info.data_fingerprint:
      raise DataError(
        f'{config.data.store} has changed since the run was trained, so its'
        f' splits are not known to be the same; {_EVERY}'
      )
    parts = protocols.split(clips, config.data.protocol, config.data.first_fold)
    return _chosen(parts, split, config)

  def owns(self, store: str | None) -> bool:
    """Says whether a store, None for the run's own, is the run's own."""
    own = self.config.data.store
    if store is None or 'synthetic' in (store, own):
      return store in (None, own)
    first, second = (os.path.expanduser(name) for name in (store, own))
    return os.path.realpath(first) == os.path.realpath(second)

  def _model(self):
    model = registry.model_of(self.config)
    return model.load(self.config, self.folder, self.info)

  def _check_widths(self, clips: Sequence[Clip]) -> None:
    batching.check_streams(clips, self.config.model.streams)
    for name in self.config.model.streams:
      width = clips[0].streams[name].shape[1]
      wanted = self.info.widths[name]
      if width != wanted:
        raise DataError(
          f'the stream {name!r} is {width} wide and the run was trained on'
          f' {wanted}; extract it as for the training clips'
        )


_EVERY = '--split=all takes every clip'


def _chosen(parts, split: str, config: Settings) -> list[Clip]:
  if not parts.get(split):
    raise DataError(
      f'{config.data.store} has no {split} clips; it has '
      + (', '.join(name for name, part in parts.items() if part) or 'no splits')
      + f'; {_EVERY}'
    )
  return parts[split]


def open_run(workdir: str | pathlib.Path) -> TrainedRun:
  """Returns the trained run of a folder.

  Raises:
    CheckpointError: the folder is not that of one run.
  """
  folder = RunFolder(workdir)
  config, info = folder.read_config()
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
  """Returns the results of a run's best state on some clips.

  Args:
    workdir: the run's folder.
    store: another store, or 'synthetic'; the run's own where None.
    split: one of SPLITS. In the run's own store the splits are the run's; in
      another one they are the store's. 'all' takes every clip.
    output: gets predictions.csv and results.json; by default a folder in
      `workdir` that is named for store and split.

  Raises:
    AvjaxError: no such run, store or split, or the store does not fit.
  """
  if split not in SPLITS:
    raise ConfigError(
      f'the split is {split!r}; it must be one of {", ".join(SPLITS)}'
    )
  run = open_run(workdir)
  outcome, facts = run.predict(run.clips(split, store))
  results = {'splits': {split: outcome.summary()}} | facts
  if run.owns(store):
    results['audit'] = run.info.audit or []
  name = pathlib.Path(store).name if store else 'own'
  target = RunFolder(output or run.folder.path / f'evaluation-{name}-{split}')
  target.write_predictions({split: outcome})
  target.write_results(results)
  print(f'output: {target}', file=sys.stderr)
  return results
