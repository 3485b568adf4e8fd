"""A whole experiment: data, audit, folds and seeds, fitted models, results.

One command may start several runs: one for every fold of a protocol and every
seed of `training.seeds`. Each is a `Job` with its own folder.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from avjax.data import corpus, preparation
from avjax.errors import ConfigError
from avjax.runs import joining, registry
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo
from avjax.runs.model import Job, Model
from avjax.settings import Settings, whole


def train(config: Any, workdir: str | pathlib.Path) -> dict[str, Any]:
  """Trains a model unless that is done; returns the content of results.json.

  An unfinished run is resumed. The results of a finished run are read.

  Args:
    config: a whole config, or `settings.Settings`.
    workdir: the run folder; created after config and data have been checked.

  Raises:
    AvjaxError: the config, the data or the folder cannot be used.
  """
  config = whole(config)
  experiment = prepare(config)
  folder = RunFolder(workdir)
  if folder.finished:
    return read_finished(folder, config, experiment.info)
  with folder.opened(config, experiment.info):
    print(f'workdir: {folder}', file=sys.stderr)
    if config.training.seeds > 1:
      return _fit_seeds(experiment, folder)
    if config.data.several:
      return _fit_folds(experiment, folder)
    (job,) = experiment.jobs(config, folder)
    return fit(experiment.model, job)


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A kind of model, and the clips to fit it on.

  Attributes:
    config: the settings.
    model: the kind of model.
    info: of all folds together, for config.json.
    divisions: the splits of every fold.
  """

  config: Settings
  model: Model
  info: RunInfo
  divisions: Sequence[preparation.Division]

  def jobs(self, config: Settings, folder: RunFolder) -> Iterator[Job]:
    """Yields the job of every fold, or a single job without folds.

    Args:
      config: the settings of one seed.
      folder: the folder of this seed.
    """
    for fold, one in dataclasses.replace(self, config=config).each().items():
      (division,) = one.divisions
      where, title = folder, ''
      if fold is not None:
        where, title = folder / f'fold-{fold}', f'fold {fold}'
      enrolled = division.apart, division.average
      yield Job(one.config, one.info, division.splits, where, title, *enrolled)

  def each(self) -> dict[int | None, 'Experiment']:
    """Returns fold -> its own experiment; without folds this one for None."""
    found: dict[int | None, Experiment] = {}
    for division in self.divisions:
      if division.fold is None:
        return {None: self}
      data = dataclasses.replace(self.config.data, fold=str(division.fold))
      own = dataclasses.replace(self.config, data=data)
      info = dataclasses.replace(self.info, audit=division.findings)
      if division.alone:
        info = _info(self.model, own, division.alone)
      alone = dataclasses.replace(division, fold=None)
      found[division.fold] = Experiment(own, self.model, info, [alone])
    return found


def prepare(
  config: Settings, data: preparation.Prepared | None = None
) -> Experiment:
  """Returns the experiment of a config, after checking config and clips.

  Nothing is written.

  Args:
    config: the settings.
    data: the clips of these settings, where they have been read before.

  Raises:
    AvjaxError: the config, the clips or the splits cannot be used.
  """
  model = registry.model_of(config)
  model.check(config)
  if config.training.seeds > 1 and not model.replicated:
    able = [name for name, one in registry.MODELS.items() if one.replicated]
    raise ConfigError(
      f'training.seeds is {config.training.seeds}, which is for'
      f' {", ".join(able)}; train {config.model.variant} once per seed'
    )
  data = data or preparation.prepare(config)
  info = _info(model, config, data)
  return Experiment(config, model, info, data.divisions)


def _info(
  model: Model, config: Settings, data: preparation.Prepared
) -> RunInfo:
  """Returns what identifies a run on some clips."""

  def info_of(one: Settings) -> RunInfo:
    clips = corpus.as_read(data.clips, one.model.streams)
    return dataclasses.replace(
      RunInfo.from_clips(one, clips, data.emotions),
      source=data.origin.source,
      store=corpus.absolute(config.data),
      extractor=data.origin.extractor,
    )

  members = {
    name: info_of(member) for name, member in model.members(config).items()
  }
  return dataclasses.replace(
    info_of(config), audit=data.findings, members=members
  )


def read_finished(
  folder: RunFolder, config: Settings, info: RunInfo
) -> dict[str, Any]:
  """Returns the results of a finished run, and writes nothing."""
  results = folder.read_results()
  folder.check_same(config, info)
  print(f'{folder} holds a finished run; nothing to do', file=sys.stderr)
  return {**results}


def fit(model: Model, job: Job) -> dict[str, Any]:
  """Fits one model unless that is done; returns its results."""
  if job.folder.finished:
    print(f'{job.folder} holds a finished run; nothing to do', file=sys.stderr)
    return {**job.folder.read_results()}
  return job.write(model.fit(job))


def _fit_folds(experiment: Experiment, folder: RunFolder) -> dict[str, Any]:
  """Fits one fold after another; returns the results over all folds."""
  seeds = by_seed(experiment, folder)
  for job in seeds[folder]:
    with job.folder.opened(job.config, job.info):
      fit(experiment.model, job)
  return joined(folder, experiment.config, seeds)


def by_seed(
  experiment: Experiment, folder: RunFolder
) -> dict[RunFolder, list[Job]]:
  """Returns folder of a seed -> its jobs; the folder of all for one seed.

  The folders of several seeds are begun.
  """
  config = experiment.config
  if config.training.seeds == 1:
    return {folder: list(experiment.jobs(config, folder))}
  seeds: dict[RunFolder, list[Job]] = {}
  for number in range(config.training.seeds):
    training = dataclasses.replace(config.training, seeds=1)
    one = dataclasses.replace(
      config, seed=config.seed + number, training=training
    )
    own = folder / f'seed-{one.seed}'
    own.begin(one, experiment.info)
    seeds[own] = [
      dataclasses.replace(job, title=f'seed {one.seed} {job.title}'.strip())
      for job in experiment.jobs(one, own)
    ]
  return seeds


def _fit_seeds(experiment: Experiment, folder: RunFolder) -> dict[str, Any]:
  """Fits all seeds in one program; returns the results over all seeds."""
  config, seeds = experiment.config, by_seed(experiment, folder)
  jobs = [job for each in seeds.values() for job in each]
  for job in jobs:
    job.folder.begin(job.config, job.info)
  experiment.model.fit_together(config, jobs, folder)
  return joined(folder, config, seeds)


def joined(
  folder: RunFolder, config: Settings, seeds: Mapping[RunFolder, Sequence[Job]]
) -> dict[str, Any]:
  """Returns the results over all folds and seeds, whose runs are finished."""
  if folder.finished:  # by another process, in this moment
    return {**folder.read_results()}
  if config.data.several:
    for own, each in seeds.items():
      results = joining.join_folds(own, [job.folder for job in each])
    if config.training.seeds == 1:
      return results
  return joining.join_seeds(folder, list(seeds))
