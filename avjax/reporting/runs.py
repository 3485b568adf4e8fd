"""Finished runs as read from their folders, and which belong together."""

import csv
import dataclasses
import functools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax.analysis import statistics
from avjax.data import corpus
from avjax.errors import AvjaxError, CheckpointError
from avjax.settings import Data, Model, Settings, Synthetic, section
from avjax.shapes import Array, Int
from avjax.training import records

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
    return statistics.confusion(self.label, self.predicted, classes)


@dataclasses.dataclass(frozen=True)
class Run:
  """What a run has left in its folder."""

  folder: pathlib.Path
  config: Settings
  about: dict[str, Any]
  results: dict[str, Any]
  predictions: dict[str, Predictions]

  @property
  def emotions(self) -> tuple[str, ...]:
    """Names of the classes."""
    return tuple(self.about['emotions'])

  @property
  def variant(self) -> str:
    """The row of Table 1, or the baseline."""
    return self.config.model.variant

  @property
  def title(self) -> str:
    """The variant and what is not as that variant's config has it."""
    model, plain = self.config.model, Model()
    streams = plain.streams
    if self.variant == 'average_pool5':
      streams = ('appearance',)
    parts = [self.variant]
    if model.streams != streams:
      parts.append(f'streams={",".join(model.streams)}')
    for name in _NAMED:
      if getattr(model, name) != getattr(plain, name):
        parts.append(f'{name}={getattr(model, name)}')
    for field in dataclasses.fields(plain.alignment):
      value = getattr(model.alignment, field.name)
      if value != getattr(plain.alignment, field.name):
        parts.append(f'alignment.{field.name}={value}')
    return ', '.join(parts)

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
    found = {}
    for path in sorted(self.folder.glob(f'**/{records.METRICS}')):
      lines = path.read_text(encoding='utf-8').splitlines()
      name = path.parent.relative_to(self.folder).as_posix().strip('.')
      if lines:
        found[name] = [json.loads(line) for line in lines]
    return found

  @property
  def speakers(self) -> dict[str, str]:
    """Clip -> speaker, as far as the run's store is there and names them."""
    return _speakers(self.config.data, self.config.synthetic)

  @property
  def group(self) -> str:
    """The same for runs that differ by their seed alone."""
    settings = records.settings_as_json(self.config)
    del settings['seed']
    data = self.about['data_fingerprint']
    return json.dumps([settings, data], sort_keys=True)


@functools.cache
def _speakers(data: Data, synthetic: Synthetic) -> dict[str, str]:
  try:
    clips = corpus.load(Settings(data=data, synthetic=synthetic))
  except AvjaxError:
    return {}
  return {clip.name: clip.speaker for clip in clips if clip.speaker}


def load(folder: str | pathlib.Path) -> Run:
  """Returns a finished run.

  Raises:
    CheckpointError: the folder holds none, or a file of it is damaged.
  """
  folder = pathlib.Path(folder).expanduser()
  about = records.read(folder / records.CONFIG)
  results = records.read(folder / records.RESULTS)
  try:
    config = section(Settings, about['settings'])
    emotions = tuple(about['emotions'])
    with open(
      folder / records.PREDICTIONS, encoding='utf-8', newline=''
    ) as file:
      rows = list(csv.DictReader(file))
    predictions = {
      split: _split(rows, split, emotions) for split in results['splits']
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
  return Run(folder, config, about, results, predictions)


def load_all(folders: Sequence[str | pathlib.Path]) -> list[Run]:
  """Returns the runs of some folders; of several seeds it is one each.

  Raises:
    CheckpointError: as `load`.
  """
  found: list[Run] = []
  for folder in map(pathlib.Path, folders):
    results = records.read(folder.expanduser() / records.RESULTS)
    seeds = results['runs'] if 'seeds' in results else ['']
    found += [load(folder / seed) for seed in seeds]
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

  runs: tuple[Run, ...]
  title: str

  @property
  def first(self) -> Run:
    """The run of the lowest seed."""
    return self.runs[0]

  @property
  def seeds(self) -> list[int]:
    """The seeds, each once and rising."""
    return [run.config.seed for run in self.runs]


def grouped(runs: Sequence[Run]) -> list[Group]:
  """Returns the runs by group, in the order in which groups begin.

  A run that is given twice counts once.
  """
  together: dict[str, dict[int, Run]] = {}
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
