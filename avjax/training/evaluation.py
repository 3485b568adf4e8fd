"""A finished run on any clips: what bin/evaluate does."""

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
from avjax.settings import Settings, section
from avjax.training import baseline, fusion, networks, records
from avjax.training.checkpoints import Checkpoints
from avjax.training.devices import Devices
from avjax.training.evaluate import Outcome, evaluate
from avjax.training.loop import as_saved, parameter_count
from avjax.training.steps import create_state
from avjax.training.workdir import lock

SPLITS = ('training', 'validation', 'test', 'all')


@dataclasses.dataclass(frozen=True)
class Finished:
  """A finished run: its folder and what its config.json says."""

  workdir: pathlib.Path
  config: Settings
  about: dict[str, Any]

  def predict(self, clips: Sequence[Clip]) -> tuple[Outcome, dict[str, Any]]:
    """Returns the predictions of the best state, and what results.json adds.

    Raises:
      AvjaxError: the clips do not fit the run, or it has no usable state.
    """
    clips = corpus.as_read(clips, self.config.model.streams)
    self._check_widths(clips)
    if self.config.model.variant == 'linear':
      return baseline.load(self.workdir).predict(clips), {'device': 'NumPy'}
    if self.config.model.variant == 'decision_fusion':
      return self._fused(clips)
    devices, loader, _, state, step = self._restore(clips)
    return evaluate(devices, state, clips, loader), {
      'step': step,
      'parameters': parameter_count(state),
      'device': str(devices),
    }

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
    if self.config.model.variant != 'proposed':
      return None
    _, _, initial, state, _ = self._restore(clips)
    before, after = (s.params['embeddings'] for s in (initial, state))
    return np.array(before), np.array(after)

  def clips(self, split: str) -> list[Clip]:
    """Returns the clips of a split of the run's own store.

    Raises:
      AvjaxError: the store is gone or has changed, or has no such split.
    """
    return _clips(self.config, self.about, None, split)

  def _restore(self, clips: Sequence[Clip]):
    """Returns devices, batches, the first state, the best one and its step."""
    emotions = tuple(self.about['emotions'])
    devices = Devices(self.config.training.parallelism)
    loader = networks.make_loader(self.config, emotions, {'': clips}, devices)
    initial = create_state(
      self.config, loader.batch(clips, np.array([0])), emotions
    )
    belongs = networks.checkpoint_fingerprint(self.config, self.about)
    with (
      lock(self.workdir),
      Checkpoints(self.workdir / 'checkpoints', belongs) as checkpoints,
    ):
      step, saved, _ = checkpoints.restore_best(as_saved(initial))
    state = devices.one_state(initial.replace(**saved))
    return devices, loader, initial, state, step

  def _fused(self, clips: Sequence[Clip]) -> tuple[Outcome, dict[str, Any]]:
    """Returns what the members of a decision fusion say together."""
    weights = records.read(self.workdir / records.RESULTS)['weights']
    outcomes = {}
    for name, member in fusion.members(self.config).items():
      about = self.about['members'][name]
      finished = Finished(self.workdir / name, member, about)
      outcomes[name], facts = finished.predict(clips)
    return fusion.join(clips, outcomes, weights), {'device': facts['device']}

  def _check_widths(self, clips: Sequence[Clip]) -> None:
    batching.check_streams(clips, self.config.model.streams)
    for name in self.config.model.streams:
      width = clips[0].streams[name].shape[1]
      wanted = self.about['widths'][name]
      if width != wanted:
        raise DataError(
          f'the stream {name!r} is {width} wide and the run was trained on'
          f' {wanted}; extract it as for the training clips'
        )


def open_run(workdir: str | pathlib.Path) -> Finished:
  """Returns the finished run of a folder.

  Raises:
    CheckpointError: the folder is not that of one run.
  """
  workdir = pathlib.Path(workdir).expanduser()
  about = records.read(workdir / records.CONFIG)
  try:
    config = section(Settings, about['settings'])
    dict(about['widths'])
  except (KeyError, TypeError) as error:
    raise CheckpointError(
      f'{workdir / records.CONFIG} is not the config of a run ({error});'
      ' restore it, or train into another folder'
    ) from None
  if config.training.seeds > 1:
    raise CheckpointError(
      f'{workdir} holds a run of several seeds; give one of its folders, such'
      f' as {workdir / f"seed-{config.seed}"}'
    )
  if config.data.several:
    raise CheckpointError(
      f'{workdir} holds a run of several folds; give one of its folders,'
      f' such as {workdir / "fold-0"}'
    )
  return Finished(workdir, config, about)


def run(
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
  finished = open_run(workdir)
  clips = _clips(finished.config, finished.about, store, split)
  outcome, facts = finished.predict(clips)
  own = store is None or _same(store, finished.config.data.store)
  results = {'splits': {split: outcome.summary()}} | facts
  if own:
    results['audit'] = finished.about.get('audit', [])
  name = pathlib.Path(store).name if store else 'own'
  output = output or finished.workdir / f'evaluation-{name}-{split}'
  output = pathlib.Path(output).expanduser()
  records.write_predictions(output, {split: outcome})
  records.write_json(output / records.RESULTS, results)
  print(f'output: {output}', file=sys.stderr)
  return results


def _same(store: str, other: str) -> bool:
  """Says whether two names are the same store."""
  if 'synthetic' in (store, other):
    return store == other
  first, second = (os.path.expanduser(name) for name in (store, other))
  return os.path.realpath(first) == os.path.realpath(second)


def _clips(
  config: Settings, about: dict[str, Any], store: str | None, split: str
) -> list[Clip]:
  """Returns the clips that are asked for."""
  own = store is None or _same(store, config.data.store)
  if store is not None and not own:
    data = dataclasses.replace(
      config.data, store=store, protocol='store', fold='all', target=''
    )
    config = dataclasses.replace(config, data=data)
  clips = corpus.load(config)
  if split == 'all':
    return clips
  if own and fingerprint(clips) != about['data_fingerprint']:
    raise DataError(
      f'{config.data.store} has changed since the run was trained, so its'
      ' splits are not known to be the same; --split=all takes every clip'
    )
  if own:
    fold = 0 if config.data.fold == 'all' else int(config.data.fold)
    parts = protocols.split(clips, config.data.protocol, fold)
  else:
    try:
      parts = splits.by_name(clips)
    except DataError as error:
      raise DataError(
        f'{str(error).split(";")[0]}; --split=all takes every clip'
      ) from None
  if not parts.get(split):
    raise DataError(
      f'{config.data.store} has no {split} clips; it has '
      + (', '.join(name for name, part in parts.items() if part) or 'no splits')
      + '; --split=all takes every clip'
    )
  return parts[split]
