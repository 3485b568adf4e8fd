"""Finished runs, loaded from their folders and grouped over seeds."""

import dataclasses
import functools
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from avjax.data import corpus, standardising
from avjax.errors import AvjaxError, CheckpointError, DataError
from avjax.runs import registry
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo, settings_json
from avjax.runs.model import Model
from avjax.runs.predictions import Predictions, labelled
from avjax.runs.results import EpochLine, Results, scored
from avjax.settings import (
  ModelConfig,
  RegularisationConfig,
  Settings,
  TrainingConfig,
)

_TITLE_SETTINGS = ('shared_encoder', 'activation', 'dropout', 'fusion')
"""Settings of the model that a run's title names when they are changed."""
_RECIPE = ('optimiser', 'schedule', 'warm_up', 'clip_norm')
"""Settings of the training that belong to its recipe, with regularisation."""


@dataclasses.dataclass(frozen=True)
class FinishedRun:
  """A finished run, loaded from its folder.

  Attributes:
    folder: of the run.
    config: its settings.
    info: classes, stream widths, data fingerprint and audit.
    results: content of results.json.
    predictions: split -> its labelled predictions; without empty splits.
    members: number of seeds whose probabilities are averaged; 1 for one run.
  """

  folder: pathlib.Path
  config: Settings
  info: RunInfo
  results: Results
  predictions: Mapping[str, Predictions]
  members: int = 1

  @property
  def emotions(self) -> tuple[str, ...]:
    """Names of the classes, in the order of the probabilities."""
    return self.info.emotions

  @property
  def variant(self) -> str:
    """The name of the kind of model, `model.variant`."""
    return self.config.model.variant

  @property
  def model(self) -> Model:
    """The kind of model."""
    return registry.model_of(self.config)

  @property
  def streams(self) -> str:
    """The model's streams; '' for those of its file in configs/."""
    model = self.config.model
    if model.streams == self.model.streams and not model.audio:
      return ''
    return ','.join(model.stated)

  @property
  def stamp(self) -> str:
    """How the clips were standardised; see `standardising.stamp`."""
    return standardising.stamp(self.config.data)

  @property
  def changed(self) -> tuple[str, ...]:
    """The model's other changed settings: 'name=value'."""
    model, default = self.config.model, ModelConfig()
    pairs = [
      (k, getattr(model, k), getattr(default, k)) for k in _TITLE_SETTINGS
    ]
    for field in dataclasses.fields(default.alignment):
      values = (getattr(m.alignment, field.name) for m in (model, default))
      pairs.append((f'alignment.{field.name}', *values))
    return tuple(f'{k}={value}' for k, value, usual in pairs if value != usual)

  @property
  def recipe(self) -> tuple[str, ...]:
    """The training's additions to the paper's: 'name=value'."""
    training, default = self.config.training, TrainingConfig()
    changed = _changed(training, default, _RECIPE)
    names = [field.name for field in dataclasses.fields(RegularisationConfig)]
    return changed + _changed(
      training.regularisation, default.regularisation, names
    )

  @property
  def title(self) -> str:
    """The variant, and the settings that differ from its config."""
    streams = [f'streams={self.streams}'] if self.streams else []
    several = [f'ensemble of {self.members}'] if self.members > 1 else []
    # Inductive is the rule; whatever else helps a result stands beside it.
    stamp = [] if self.stamp == 'inductive' else [self.stamp]
    recipe = list(self.recipe)
    if len(recipe) > 2:
      recipe = [f'{len(recipe)} additions']
    changed = [*self.changed, *recipe]
    return ', '.join([self.variant, *streams, *changed, *several, *stamp])

  @property
  def seeds(self) -> list[int]:
    """The seed, or those of an ensemble."""
    return [self.config.seed + k for k in range(self.members)]

  @property
  def shown_split(self) -> str:
    """The split that figures show: test, or validation without test labels."""
    return 'test' if 'test' in self.predictions else 'validation'

  @property
  def audit(self) -> list[str]:
    """The findings of the split audit, each text once."""
    found = [
      one if isinstance(one, str) else f'{one["status"]}: {one["text"]}'
      for one in self.results.get('audit', [])
    ]
    return list(dict.fromkeys(found))  # folds may have the same

  @property
  def remarks(self) -> list[str]:
    """What must stand below a figure: how it was standardised, the audit."""
    stamp = [] if self.stamp == 'inductive' else [f'Standardised: {self.stamp}']
    return [*stamp, *self.audit]

  @property
  def warnings(self) -> list[str]:
    """What a reader of the results must know, such as a diverged training."""
    return list(self.results.get('warnings', []))

  @property
  def metrics(self) -> dict[str, list[EpochLine]]:
    """Subfolder, or '' -> lines of its metrics.jsonl, one per epoch.

    An ensemble has none of its own.
    """
    if self.members > 1:
      return {}
    return RunFolder(self.folder).read_metrics(self.results)

  @property
  def speakers(self) -> dict[str, str]:
    """Clip -> speaker, where it is known.

    Empty, with a note, if the store is missing or is not that of the run.
    """
    model = self.config.model
    config = Settings(
      data=self.config.data,
      synthetic=self.config.synthetic,
      model=ModelConfig(streams=model.streams, audio=model.audio),
    )
    return _speakers(config, self.info.store, self.info.data_fingerprint)

  @property
  def group_key(self) -> str:
    """A text that is equal for runs that differ in their seed only."""
    settings = settings_json(self.config)
    del settings['seed']
    return json.dumps([settings, self.info.data_fingerprint], sort_keys=True)


def _changed(own: Any, usual: Any, names: Sequence[str]) -> tuple[str, ...]:
  """Returns 'name=value' of the settings that differ."""
  values = {name: getattr(own, name) for name in names}
  return tuple(
    f'{k}={value}' for k, value in values.items() if value != getattr(usual, k)
  )


@functools.cache
def _speakers(config: Settings, path: str, wanted: str) -> dict[str, str]:
  try:
    config = corpus.located(config, path)
    clips = corpus.load(config)
    read = corpus.as_read(clips, config.model.streams)
    if corpus.fingerprint(config, read) != wanted:
      raise DataError(f'{config.data.store} has changed since the run')
  except AvjaxError as error:
    print(f'note: no intervals by speaker: {error}', file=sys.stderr)
    return {}
  return {clip.name: clip.speaker for clip in clips if clip.speaker}


def load(path: str | pathlib.Path, validation: bool = False) -> FinishedRun:
  """Returns the finished run of a folder.

  Args:
    path: of the folder.
    validation: whether to read the validation clips of folds too; together
      these are all clips, each predicted by the run that it validated.

  Raises:
    CheckpointError: a file of the run is missing or damaged.
  """
  folder = RunFolder(path)
  config, info = folder.read_config()
  results = folder.read_results()
  splits = results.get('splits')
  if splits is None:
    raise CheckpointError(
      f'{folder} holds a run of several seeds; give one of its folders'
    )
  predicted = _predictions(folder, results)
  if validation and 'folds' in results:
    count = len(results['folds']['validation']['each'])
    predicted['validation'] = _validated(folder, count, info.emotions)
  return FinishedRun(folder.path, config, info, results, predicted)


def _validated(
  folder: RunFolder, count: int, emotions: Sequence[str]
) -> Predictions:
  """Returns the predictions of all folds for their validation clips."""
  folds = [folder / f'fold-{k}' for k in range(count)]
  lines = [
    line
    for fold in folds
    for line in fold.read_predictions(fold.read_results())
  ]
  return labelled(lines, 'validation', emotions)


def load_ensemble(folder: RunFolder, results: Results) -> FinishedRun:
  """Returns the averaged seeds of a folder as one run.

  Args:
    folder: of several seeds.
    results: its results.json, with an ensemble.
  """
  config, info = folder.read_config()
  average = results['ensemble']
  own: Results = {'splits': average['splits']}
  if 'folds' in average:
    own['folds'] = average['folds']
  if 'audit' in results:
    own['audit'] = results['audit']
  predicted = _predictions(folder, results)
  return FinishedRun(
    folder.path, config, info, own, predicted, average['members']
  )


def _predictions(folder: RunFolder, results: Results) -> dict[str, Predictions]:
  """Returns split -> its labelled predictions, without empty splits."""
  emotions = folder.read_config()[1].emotions
  lines = folder.read_predictions(results)
  found = {k: labelled(lines, k, emotions) for k in scored(results)}
  return {k: v for k, v in found.items() if v.clips}


def load_all(
  paths: Sequence[str | pathlib.Path], validation: bool = False
) -> list[FinishedRun]:
  """Returns the runs of some folders.

  A folder of several seeds has several, and their ensemble.

  Args:
    paths: of the folders.
    validation: see `load`; ensembles are then left out.

  Raises:
    CheckpointError: a file of a run is missing or damaged.
  """
  found: list[FinishedRun] = []
  for folder in map(RunFolder, paths):
    results = folder.read_results()
    seeds = [*results['runs']] if 'runs' in results else ['']
    found += [load(folder.path / seed, validation) for seed in seeds]
    if 'ensemble' in results and not validation:
      found.append(load_ensemble(folder, results))
  return found


@dataclasses.dataclass(frozen=True)
class Group:
  """Runs that differ in their seed only, or such ensembles.

  Attributes:
    runs: one or more, in the order of their seeds.
    title: of the runs; it includes the folder if another group has the same
      title.
  """

  runs: tuple[FinishedRun, ...]
  title: str

  @property
  def first(self) -> FinishedRun:
    """The run with the lowest seed."""
    return self.runs[0]

  @property
  def seeds(self) -> list[int]:
    """The seeds in ascending order; of ensembles the first of each."""
    return [run.config.seed for run in self.runs]


def _name(folder: pathlib.Path) -> str:
  """Returns the name of a run's folder; of a seed, that of all its seeds."""
  is_seed = folder.name.startswith('seed-')
  return folder.absolute().parent.name if is_seed else folder.name


def grouped(runs: Sequence[FinishedRun]) -> list[Group]:
  """Returns the groups, in the order of their first runs.

  A run that is given twice counts once.
  """
  grouped_runs: dict[str, dict[int, FinishedRun]] = {}
  for run in runs:
    by_seed = grouped_runs.setdefault(run.group_key, {})
    by_seed.setdefault(run.config.seed, run)
  groups = [
    tuple(by_seed[seed] for seed in sorted(by_seed))
    for by_seed in grouped_runs.values()
  ]
  return entitled(groups, [group[0].title for group in groups])


def entitled(
  groups: Sequence[tuple[FinishedRun, ...]], titles: Sequence[str]
) -> list[Group]:
  """Returns the groups with their titles, equal ones with their folder."""
  return [
    Group(g, t if titles.count(t) == 1 else f'{t} ({_name(g[0].folder)})')
    for g, t in zip(groups, titles, strict=True)
  ]


def group_of(groups: Sequence[Group], run: FinishedRun) -> Group:
  """Returns the group that a run belongs to.

  Raises:
    CheckpointError: there is none.
  """
  for group in groups:
    if group.first.group_key == run.group_key:
      return group
  raise CheckpointError(
    f'{run.folder} is none of the runs that are compared; give it with them'
  )
