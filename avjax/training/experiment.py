"""A whole experiment: data, training, evaluation, and what is left behind."""

import contextlib
import hashlib
import json
import math
import pathlib
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from avjax.analysis.statistics import summary as summarise
from avjax.clips import Clip
from avjax.data import audit, batching, corpus, protocols, splits, store
from avjax.data.loader import Loader
from avjax.models.classifiers import build
from avjax.settings import Settings, section
from avjax.training import baseline, fusion, records
from avjax.training.checkpoints import Checkpoints
from avjax.training.devices import Devices
from avjax.training.evaluate import Outcome, evaluate
from avjax.training.loop import Trainer, as_saved, parameter_count
from avjax.training.workdir import lock

Parts = Mapping[str, Sequence[Clip]]


def run(config: Any, workdir: str | pathlib.Path) -> dict[str, Any]:
  """Returns the content of results.json, after training if need be.

  A folder that holds a part of the run is continued, a finished one is read.

  Args:
    config: a whole config, or `settings.Settings`.
    workdir: the run's folder; made only once config and data are in order.

  Raises:
    AvjaxError: the config, the data or the folder cannot be used.
  """
  if not isinstance(config, Settings):
    config = section(Settings, config)
  workdir = pathlib.Path(workdir).expanduser()
  clips = corpus.read(config)
  held = audit.contents(clips)
  clips = splits.standardise(clips, config.data.standardise)
  clips = corpus.as_read(clips, config.model.streams)
  batching.check_streams(clips, config.model.streams)
  emotions = splits.emotions(clips)
  about = _about(config, clips, emotions)  # fails with nothing written
  source = corpus.source(config)
  data = config.data
  if not data.several:
    fold = 0 if data.fold == 'all' else int(data.fold)
    parts = protocols.split(clips, data.protocol, fold)
    about['audit'] = _audit(config, {None: parts}, held)
    with _opened(workdir, config, about, source):
      return _run_split(config, about, parts, workdir)
  folds = [
    protocols.split(clips, data.protocol, k)
    for k in range(protocols.folds(clips, data.protocol))
  ]
  about['audit'] = _audit(config, dict(enumerate(folds)), held)
  with _opened(workdir, config, about, source):
    for k, parts in enumerate(folds):
      folder = workdir / f'fold-{k}'
      one = _one_fold(config, k)
      # As the run of this fold alone says it.
      own = about | {'audit': _audit(one, {None: parts}, held)}
      with lock(folder):
        records.open_run(folder, one, own, source)
        _run_split(one, own, parts, folder, f'fold {k}')
    return _join_folds(config, about, workdir, len(folds))


def _audit(
  config: Settings,
  folds: Mapping[int | None, Parts],
  held: Mapping[str, Sequence[str]],
) -> list[dict[str, Any]]:
  """Returns what is on two sides of a split; refuses what is not allowed."""
  findings = [
    finding
    for fold, parts in folds.items()
    for finding in audit.examine(parts, held, fold)
  ]
  return audit.settle(findings, config.data.protocol, config.data.allowed)


def _about(
  config: Settings, clips: Sequence[Clip], emotions: Sequence[str]
) -> dict[str, Any]:
  """Returns what makes the run what it is, beside its settings.

  Raises:
    ConfigError: the model cannot be made.
  """
  about = {
    'emotions': list(emotions),
    'widths': {
      name: clips[0].streams[name].shape[1] for name in config.model.streams
    },
    'data_fingerprint': store.fingerprint(clips),
  }
  if config.model.variant == 'linear':
    baseline.check()
  elif config.model.variant == 'decision_fusion':
    about['members'] = {
      name: _about(
        member, corpus.as_read(clips, member.model.streams), emotions
      )
      for name, member in fusion.members(config).items()
    }
  else:
    build(config.model, emotions)
  return about


@contextlib.contextmanager
def _opened(workdir, config: Settings, about, source: str) -> Iterator[None]:
  """Holds the folder for this process, once it is known to be this run's."""
  with lock(workdir):
    records.open_run(workdir, config, about, source)
    print(f'workdir: {workdir}', file=sys.stderr)
    yield


def _one_fold(config: Settings, fold: int) -> Settings:
  """Returns the settings that train this fold alone."""
  values = records.settings_as_json(config)
  values['data']['fold'] = str(fold)
  return section(Settings, values)


def _run_split(
  config: Settings,
  about: Mapping[str, Any],
  parts: Parts,
  workdir: pathlib.Path,
  title: str = '',
) -> dict[str, Any]:
  """Returns the results of one split of the clips, trained if need be."""
  results = workdir / records.RESULTS
  if results.exists():
    print(f'{workdir} holds a finished run; nothing to do', file=sys.stderr)
    return records.read(results)
  outcomes, facts = _fit(config, about, parts, workdir, title)
  content = {
    'splits': {name: one.summary() for name, one in outcomes.items()},
    'protocol': config.data.protocol,
    'audit': about['audit'],
  } | facts
  records.write_predictions(workdir, outcomes)
  records.write_json(results, content)
  return content


Fitted = tuple[dict[str, Outcome], dict[str, Any]]
"""What a model says of each split, and the facts that results.json adds."""


def _fit(
  config: Settings,
  about: Mapping[str, Any],
  parts: Parts,
  workdir: pathlib.Path,
  title: str,
) -> Fitted:
  """Returns the outcomes of a model, trained if need be."""
  if config.model.variant == 'linear':
    streams = config.model.streams
    return baseline.fit(streams, about['emotions'], parts, workdir)
  if config.model.variant != 'decision_fusion':
    return _fit_network(config, about, parts, workdir, title)
  fitted = {}
  for name, member in fusion.members(config).items():
    folder, its = workdir / name, about['members'][name]
    records.open_run(folder, member, its)
    heard = {
      split: corpus.as_read(clips, member.model.streams)
      for split, clips in parts.items()
    }
    outcomes, facts = _fit_network(
      member, its, heard, folder, f'{title} {name}'.strip()
    )
    scores = {split: one.summary() for split, one in outcomes.items()}
    records.write_predictions(folder, outcomes)
    records.write_json(folder / records.RESULTS, {'splits': scores} | facts)
    fitted[name] = outcomes, facts
  return fusion.fuse(config.model.fusion, fitted, parts)


def _fit_network(
  config: Settings,
  about: Mapping[str, Any],
  parts: Parts,
  workdir: pathlib.Path,
  title: str,
) -> Fitted:
  """Returns the outcomes of a network's best state, trained if need be."""
  devices = Devices(config.training.parallelism)
  loader = make_loader(config, about['emotions'], parts, devices)
  trainer = Trainer(config, parts, loader, devices)
  with Checkpoints(
    workdir / 'checkpoints', checkpoint_fingerprint(config, about)
  ) as checkpoints:
    progress = trainer.train(workdir, checkpoints, title)
    _, saved, _ = checkpoints.restore_best(as_saved(trainer.initial))
  # On several devices the first step has taken the memory of the first state.
  seed = np.asarray(config.seed, np.int32)
  state = devices.one_state(trainer.initial.replace(seed=seed, **saved))
  outcomes = {
    split: evaluate(devices, state, clips, loader)
    for split, clips in parts.items()
  }
  return outcomes, {
    'best_epoch': progress.selection.epoch,
    'epochs': progress.epoch,
    'seconds': progress.seconds,
    'clips_per_second': (
      progress.epoch * len(parts['training']) / max(progress.seconds, 1e-9)
    ),
    'parameters': parameter_count(state),
    'device': str(devices),
  }


def make_loader(
  config: Settings, emotions: Sequence[str], parts: Parts, devices: Devices
) -> Loader:
  """Returns the batches of a run; one set of lengths serves every split."""
  clips = [clip for part in parts.values() for clip in part]
  return Loader(
    buckets=batching.buckets(clips, config.data.buckets),
    emotions=tuple(emotions),
    streams=config.model.streams,
    batch_size=config.training.batch_size,
    rows=devices.rows(config.training.batch_size),
  )


def checkpoint_fingerprint(
  config: Settings, about: Mapping[str, Any]
) -> dict[str, str]:
  """Returns what ties a run's checkpoints to its config and data."""
  text = json.dumps(records.settings_as_json(config), sort_keys=True)
  return {
    'config': hashlib.sha256(text.encode()).hexdigest(),
    'data': about['data_fingerprint'],
  }


def _join_folds(
  config: Settings, about: Mapping[str, Any], workdir: pathlib.Path, folds: int
) -> dict[str, Any]:
  """Writes and returns the results over all folds.

  Every clip is tested once, so the folds' test counts add up to one table;
  the mean and deviation of their accuracies stand beside it.
  """
  parts = [workdir / f'fold-{k}' for k in range(folds)]
  each = [records.read(folder / records.RESULTS) for folder in parts]
  records.join_predictions(workdir, parts, 'test')
  tests = [one['splits']['test'] for one in each]
  counts = np.sum([test['confusion'] for test in tests], axis=0)
  content = {
    'splits': {'test': summarise(counts, tests[0]['emotions'])},
    'protocol': config.data.protocol,
    'audit': about['audit'],
    'folds': {
      split: _spread([one['splits'][split]['accuracy'] for one in each])
      for split in each[0]['splits']
    },
    'seconds': math.fsum(one['seconds'] for one in each),
    'clips_per_second': statistics.fmean(
      one['clips_per_second'] for one in each
    ),
    'parameters': each[0]['parameters'],
    'device': each[0]['device'],
  }
  records.write_json(workdir / records.RESULTS, content)
  return content


def _spread(values: Sequence[float]) -> dict[str, Any]:
  return {
    'mean': statistics.fmean(values),
    'deviation': statistics.stdev(values),
    'each': list(values),
  }
