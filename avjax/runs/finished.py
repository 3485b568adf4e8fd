"""Finished runs as read from their folders, and which belong together."""

import csv
import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.data import corpus
from avjax.errors import AvjaxError, CheckpointError
from avjax.metrics import classification
from avjax.runs import registry
from avjax.runs.folder import PREDICTIONS, RunFolder, RunInfo, as_json
from avjax.runs.model import Model
from avjax.settings import DataConfig, ModelConfig, Settings, SyntheticConfig
from avjax.shapes import Array, Int

_NAMED = ('shared_encoder', 'activation', 'dropout', 'fusion')
"""Settings of the model that make a row of their own where they are changed."""


@dataclasses.dataclass(frozen=True)
class Predictions:
  """The lines of predictions.csv that are of one split and have a label.

  Attributes:
    clips: names.
    label: index of each clip's emotion.
    predicted: index of the most probable one.
    probabilities: (clips, N).
  """

  clips: tuple[str, ...]
  label: np.ndarray
  predicted: np.ndarray
  probabilities: np.ndarray

  @property
  def right(self) -> np.ndarray:
    """Which clips were classified right."""
    return self.label == self.predicted

  @property
  def counts(self) -> Int[Array, 'N N']:
    """The confusion, rows true."""
    classes = self.probabilities.shape[1]
    return classification.confusion(self.label, self.predicted, classes)


@dataclasses.dataclass(frozen=True)
class FinishedRun:
  """What a run has left in its folder."""

  folder: pathlib.Path
  config: Settings
  info: RunInfo
  results: Mapping[str, Any]
  predictions: Mapping[str, Predictions]

  @property
  def emotions(self) -> tuple[str, ...]:
    """Names of the classes."""
    return self.info.emotions

  @property
  def variant(self) -> str:
    """The row of Table 1, or the baseline."""
    return self.config.model.variant

  @property
  def model(self) -> Model:
    """The kind of model."""
    return registry.model_of(self.config)

  @property
  def streams(self) -> str:
    """The model's streams; '' where they are those of its file in configs/."""
    streams = self.config.model.streams
    return '' if streams == self.model.streams else ','.join(streams)

  @property
  def changed(self) -> tuple[str, ...]:
    """Other settings of the model that are not the default: 'name=value'."""
    model, plain = self.config.model, ModelConfig()
    pairs = [(k, getattr(model, k), getattr(plain, k)) for k in _NAMED]
    for field in dataclasses.fields(plain.alignment):
      values = (getattr(m.alignment, field.name) for m in (model, plain))
      pairs.append((f'alignment.{field.name}', *values))
    return tuple(
      f'{k}={value}' for k, value, default in pairs if value != default
    )

  @property
  def title(self) -> str:
    """The variant and what is not as that variant's config has it."""
    streams = [f'streams={self.streams}'] if self.streams else []
    return ', '.join([self.variant, *streams, *self.changed])

  @property
  def shown(self) -> str:
    """The split of the figures: validation where no test clip has a label."""
    return 'test' if 'test' in self.predictions else 'validation'

  @property
  def audit(self) -> list[str]:
    """What was found on two sides of a split, if that was looked at."""
    found = self.results.get('audit', [])
    return [
      f'{one["status"]}: {one["text"]}' if isinstance(one, dict) else str(one)
      for one in found
    ]

  @property
  def metrics(self) -> dict[str, list[dict[str, Any]]]:
    """The epochs of every training in the folder, by the part it is of."""
    return RunFolder(self.folder).read_metrics()

  @property
  def speakers(self) -> dict[str, str]:
    """Clip -> speaker, as far as the run's store is there and names them."""
    return _speakers(self.config.data, self.config.synthetic)

  @property
  def group(self) -> str:
    """The same for runs that differ by their seed alone."""
    settings = as_json(self.config)
    del settings['seed']
    return json.dumps([settings, self.info.data_fingerprint], sort_keys=True)


@functools.cache
def _speakers(data: DataConfig, synthetic: SyntheticConfig) -> dict[str, str]:
  try:
    clips = corpus.load(Settings(data=data, synthetic=synthetic))
  except AvjaxError:
    return {}
  return {clip.name: clip.speaker for clip in clips if clip.speaker}


def load(path: str | pathlib.Path) -> FinishedRun:
  """Returns a finished run.

  Raises:
    CheckpointError: the folder holds none, or a file of it is damaged.
  """
  folder = RunFolder(path)
  config, info = folder.read_config()
  results = folder.read_results()
  try:
    with open(folder.path / PREDICTIONS, encoding='utf-8', newline='') as file:
      rows = list(csv.DictReader(file))
    predictions = {
      split: _split(rows, split, info.emotions) for split in results['splits']
    }
  except FileNotFoundError as error:
    raise CheckpointError(
      f'{error.filename} does not exist; train again into another folder'
    ) from None
  except (KeyError, TypeError, ValueError) as error:
    raise CheckpointError(
      f'{folder} does not hold a finished run of bin/train ({error}); restore'
      ' it, or train into another folder'
    ) from None
  predictions = {k: v for k, v in predictions.items() if v.clips}
  return FinishedRun(folder.path, config, info, results, predictions)


def load_all(paths: Sequence[str | pathlib.Path]) -> list[FinishedRun]:
  """Returns the runs of some folders; of several seeds it is one each.

  Raises:
    CheckpointError: as `load`.
  """
  found: list[FinishedRun] = []
  for folder in map(RunFolder, paths):
    results = folder.read_results()
    seeds = results['runs'] if 'seeds' in results else ['']
    found += [load(folder.path / seed) for seed in seeds]
  return found


def _split(
  rows: Sequence[dict[str, str]], split: str, emotions: tuple[str, ...]
) -> Predictions:
  rows = [row for row in rows if row['split'] == split and row['label']]
  shares = np.array([[float(row[e]) for e in emotions] for row in rows])
  return Predictions(
    clips=tuple(row['clip'] for row in rows),
    label=np.array([emotions.index(row['label']) for row in rows], np.int64),
    predicted=np.array(
      [emotions.index(row['predicted']) for row in rows], np.int64
    ),
    probabilities=shares.reshape(-1, len(emotions)),
  )


@dataclasses.dataclass(frozen=True)
class Group:
  """Runs that differ by their seed alone, by seed.

  Attributes:
    runs: one or more.
    title: of the runs, with the folder where other groups have the same.
  """

  runs: tuple[FinishedRun, ...]
  title: str

  @property
  def first(self) -> FinishedRun:
    """The run of the lowest seed."""
    return self.runs[0]

  @property
  def seeds(self) -> list[int]:
    """The seeds, each once and rising."""
    return [run.config.seed for run in self.runs]


def grouped(runs: Sequence[FinishedRun]) -> list[Group]:
  """Returns the runs by group, in the order in which groups begin.

  A run that is given twice counts once.
  """
  together: dict[str, dict[int, FinishedRun]] = {}
  for run in runs:
    together.setdefault(run.group, {}).setdefault(run.config.seed, run)
  groups = [
    tuple(by_seed[seed] for seed in sorted(by_seed))
    for by_seed in together.values()
  ]
  titles = [group[0].title for group in groups]
  return [
    Group(g, t if titles.count(t) == 1 else f'{t} ({g[0].folder.name})')
    for g, t in zip(groups, titles, strict=True)
  ]
