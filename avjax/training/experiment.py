"""A whole experiment: data, training, evaluation, and what is left behind."""

import contextlib
import dataclasses
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
from avjax.errors import ConfigError
from avjax.models.classifiers import build
from avjax.settings import NETWORKS, Settings, section
from avjax.training import baseline, fusion, networks, records
from avjax.training.networks import Parts
from avjax.training.replicas import Run
from avjax.training.workdir import lock


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
  divisions = _divisions(config, clips)
  about['audit'] = _audit(config, divisions, held)
  seeds = each_seed(config)  # the last that can fail with nothing written
  with _opened(workdir, config, about, source):
    if len(seeds) == 1:
      return _one_seed(config, about, divisions, held, workdir, source)
    folders = []
    runs: list[Run] = []
    for one in seeds:
      folder = workdir / f'seed-{one.seed}'
      records.open_run(folder, one, about, source)
      folders.append(folder)
      runs += [
        dataclasses.replace(run, title=f'seed {one.seed} {run.title}'.strip())
        for run in _runs(one, about, divisions, held, folder, source)
      ]
    networks.fit_together(config, about, runs, workdir)
    if config.data.several:
      for folder in folders:
        _join_folds(config, about, folder, len(divisions))
    return _join_seeds(config, about, workdir, folders)


def _divisions(
  config: Settings, clips: Sequence[Clip]
) -> dict[int | None, Parts]:
  """Returns fold -> split -> clips; the fold of a single division is None."""
  data = config.data
  if not data.several:
    fold = 0 if data.fold == 'all' else int(data.fold)
    return {None: protocols.split(clips, data.protocol, fold)}
  return {
    k: protocols.split(clips, data.protocol, k)
    for k in range(protocols.folds(clips, data.protocol))
  }


def _one_seed(
  config: Settings,
  about: Mapping[str, Any],
  divisions: Mapping[int | None, Parts],
  held: Mapping[str, Sequence[str]],
  workdir: pathlib.Path,
  source: str,
) -> dict[str, Any]:
  """Returns the results of one run, or of its folds one after another."""
  if not config.data.several:
    return _run_split(config, about, divisions[None], workdir)
  for run in _runs(config, about, divisions, held, workdir, source):
    with lock(run.folder):
      _run_split(run.config, run.about, run.parts, run.folder, run.title)
  return _join_folds(config, about, workdir, len(divisions))


def _runs(
  config: Settings,
  about: Mapping[str, Any],
  divisions: Mapping[int | None, Parts],
  held: Mapping[str, Sequence[str]],
  folder: pathlib.Path,
  source: str,
) -> list[Run]:
  """Returns the run of every fold, once its folder has its config."""
  if not config.data.several:
    return [Run('', config, divisions[None], about, folder)]
  runs = []
  for k, parts in divisions.items():
    one = _one_fold(config, k)
    # As the run of this fold alone says it.
    own = dict(about) | {'audit': _audit(one, {None: parts}, held)}
    records.open_run(folder / f'fold-{k}', one, own, source)
    runs.append(Run(f'fold {k}', one, parts, own, folder / f'fold-{k}'))
  return runs


def each_seed(config: Settings) -> list[Settings]:
  """Returns the settings that train each seed alone.

  Raises:
    ConfigError: the model is not one network.
  """
  if config.training.seeds > 1 and config.model.variant not in NETWORKS:
    raise ConfigError(
      f'training.seeds is {config.training.seeds}, which is for'
      f' {", ".join(NETWORKS)}; train {config.model.variant} once a seed'
    )
  training = dataclasses.replace(config.training, seeds=1)
  return [
    dataclasses.replace(config, seed=config.seed + k, training=training)
    for k in range(config.training.seeds)
  ]


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


def _one_fold(config: Settings, fold: int | None) -> Settings:
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
  return networks.write(workdir, config, about, outcomes, facts)


def _fit(
  config: Settings,
  about: Mapping[str, Any],
  parts: Parts,
  workdir: pathlib.Path,
  title: str,
) -> networks.Fitted:
  """Returns the outcomes of a model, trained if need be."""
  if config.model.variant == 'linear':
    streams = config.model.streams
    return baseline.fit(streams, about['emotions'], parts, workdir)
  if config.model.variant != 'decision_fusion':
    return networks.fit(config, about, parts, workdir, title)
  fitted = {}
  for name, member in fusion.members(config).items():
    folder, its = workdir / name, about['members'][name]
    records.open_run(folder, member, its)
    heard = {
      split: corpus.as_read(clips, member.model.streams)
      for split, clips in parts.items()
    }
    outcomes, facts = networks.fit(
      member, its, heard, folder, f'{title} {name}'.strip()
    )
    scores = {split: one.summary() for split, one in outcomes.items()}
    records.write_predictions(folder, outcomes)
    records.write_json(folder / records.RESULTS, {'splits': scores} | facts)
    fitted[name] = outcomes, facts
  return fusion.fuse(config.model.fusion, fitted, parts)


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


def _join_seeds(
  config: Settings,
  about: Mapping[str, Any],
  workdir: pathlib.Path,
  folders: Sequence[pathlib.Path],
) -> dict[str, Any]:
  """Writes and returns the results over all seeds: mean, deviation, each."""
  each = [records.read(folder / records.RESULTS) for folder in folders]
  content = {
    'protocol': config.data.protocol,
    'audit': about['audit'],
    'seeds': {
      split: _spread([one['splits'][split]['accuracy'] for one in each])
      for split, scores in each[0]['splits'].items()
      if scores['n']
    },
    'runs': {
      folder.name: one['splits']
      for folder, one in zip(folders, each, strict=True)
    },
    'seconds': math.fsum(one['seconds'] for one in each),
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
