"""The networks of Table 1 as a kind of model."""

import dataclasses
import functools
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.clips import Clip
from avjax.models import classifiers
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo, settings_json
from avjax.runs.model import Fitted, Job, Model
from avjax.settings import ModelConfig, Settings
from avjax.training import hosts, steps
from avjax.training.checkpoints import Checkpoints
from avjax.training.loop import Trainer
from avjax.training.outcome import Outcome
from avjax.training.progress import Progress
from avjax.training.replicas import Replica, Replicas
from avjax.training.setup import Setup, parameter_count


class Network(Model):
  """A neural network, trained by `avjax.training`; its best epoch counts."""

  replicated = True
  distributed = True

  def __init__(
    self, streams: tuple[str, ...] = Model.streams, reference: bool = False
  ):
    self.streams = streams
    self.reference = reference

  def check(self, config: Settings) -> None:
    classifiers.check(config.model)

  def fit(self, job: Job) -> Fitted:
    setup = Setup(job.config, job.info.emotions, job.padded)
    first = hosts.this().first
    with _checkpoints(
      job.config, job.info, job.folder, read_only=not first
    ) as checkpoints:
      trainer = Trainer(setup, job.splits)
      progress = trainer.train(job.folder.path, checkpoints, job.title)
      saved = steps.as_saved(setup.initial)
      with hosts.all_or_none():
        if first:
          _, saved, _ = checkpoints.restore_best(saved)
    saved = hosts.tree_from_first(saved)
    return _fitted(job, setup, saved, progress)

  def fit_together(
    self, config: Settings, jobs: Sequence[Job], folder: RunFolder
  ) -> None:
    if all(job.folder.finished for job in jobs):
      for job in jobs:
        job.folder.read_results()
      print(f'{folder} has finished runs; nothing to do', file=sys.stderr)
      return
    _, info = folder.read_config()
    # Every division contains all clips, so the padded lengths are those of a
    # single run.
    setup = Setup(config, info.emotions, jobs[0].padded)
    runs = [Replica(j.title, j.config, j.splits, j.folder.path) for j in jobs]
    with _checkpoints(config, info, folder) as checkpoints:
      best = Replicas(runs, setup).train(folder.path, checkpoints)
    for job, (saved, progress) in zip(jobs, best, strict=True):
      with _checkpoints(job.config, job.info, job.folder) as own:
        step = int(saved['step'])
        own.save(step, saved, dataclasses.asdict(progress), best=True)
      job.write(_fitted(job, setup, saved, progress))

  def load(
    self, config: Settings, folder: RunFolder, info: RunInfo
  ) -> 'TrainedNetwork':
    return TrainedNetwork(config, folder, info)


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
  """The best state of a network, restored from its checkpoints."""

  config: Settings
  folder: RunFolder
  info: RunInfo

  def predict(
    self,
    clips: Sequence[Clip],
    rounded: bool = False,
    among: Sequence[Clip] = (),
  ) -> tuple[Outcome, dict[str, Any]]:
    """Returns predictions of the best state, and facts; see `Predictor`."""
    padded = {'': among or clips}
    setup = Setup(self.config, self.info.emotions, padded, rounded)
    step, saved = self._best
    return setup.evaluate(saved, clips), {
      'step': step,
      'parameters': parameter_count(saved),
      'device': str(setup.devices),
      'lstm': classifiers.lstm_of(self.config.model),
    }

  def embeddings(
    self, clips: Sequence[Clip]
  ) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the embeddings before and after training; see `Predictor`."""
    setup = Setup(self.config, self.info.emotions, {'': clips})
    _, saved = self._best
    if 'embeddings' not in saved['params']:
      return None
    before, after = setup.initial.params, self.parameters()
    return np.array(before['embeddings']), np.array(after['embeddings'])

  def parameters(self) -> Mapping[str, Any]:
    """Returns the parameters of the best epoch, or their average."""
    _, saved = self._best
    return saved.get('average', saved['params'])

  @functools.cached_property
  def _best(self) -> tuple[int, dict[str, Any]]:
    """The best epoch's last step, and its saved state."""
    setup = _blank(self.config, self.info.emotions, self.info.widths)
    with _checkpoints(
      self.config, self.info, self.folder, read_only=True
    ) as checkpoints:
      like = setup.saved_shapes
      step, saved, _ = checkpoints.restore_best(like)
    return step, saved


def _blank(
  config: Settings, emotions: Sequence[str], widths: Mapping[str, int]
) -> Setup:
  """Returns a setup for which only the widths of the streams are known."""
  blank = {k: np.zeros((1, n), np.float32) for k, n in widths.items()}
  return Setup(config, emotions, {'': [Clip('', blank)]})


def parameter_shapes(
  model: ModelConfig, emotions: Sequence[str], widths: Mapping[str, int]
) -> Mapping[str, Any]:
  """Returns the parameters of a network, with shapes in place of arrays.

  Args:
    model: settings of the network.
    emotions: names of the classes.
    widths: stream that the model reads -> number of columns.

  Raises:
    ConfigError: there is no such network.
  """
  classifiers.check(model)
  return _blank(Settings(model=model), emotions, widths).saved_shapes['params']


@dataclasses.dataclass(frozen=True)
class Weights:
  """A network by its parameters alone, wherever these were kept.

  Attributes:
    model: settings of the network.
    emotions: names of the classes.
    tree: the parameters, as `classifiers.build(model, emotions)` names them.
  """

  model: ModelConfig
  emotions: tuple[str, ...]
  tree: Mapping[str, Any]

  def predict(
    self,
    clips: Sequence[Clip],
    rounded: bool = False,
    among: Sequence[Clip] = (),
  ) -> tuple[Outcome, dict[str, Any]]:
    """Returns the predictions, and no facts; see `Predictor`."""
    config, padded = Settings(model=self.model), {'': among or clips}
    setup = Setup(config, self.emotions, padded, rounded)
    step = np.zeros((), np.int32)
    saved = {'step': step, 'params': self.tree, 'opt_state': ()}
    return setup.evaluate(saved, clips), {}

  def embeddings(self, clips: Sequence[Clip]) -> None:
    """Returns None, since those before training are not known."""

  def parameters(self) -> Mapping[str, Any]:
    """Returns the parameters."""
    return self.tree


def _fitted(
  job: Job, setup: Setup, saved: Mapping[str, Any], progress: Progress
) -> Fitted:
  """Returns the best state's predictions for every split, and facts."""
  trained = progress.epoch * len(job.splits['training'])
  warnings = progress.warnings(len(job.info.emotions))
  return Fitted(
    {
      split: setup.evaluate(saved, clips, maps=False)
      for split, clips in job.splits.items()
    },
    {
      'best_epoch': progress.selection.epoch,
      'epochs': progress.epoch,
      'seconds': progress.seconds,
      'clips_per_second': trained / max(progress.seconds, 1e-9),
      'parameters': parameter_count(saved),
      'device': str(setup.devices),
      'lstm': classifiers.lstm_of(job.config.model),
    }
    | ({'warnings': warnings} if warnings else {}),
  )


_LATER = {
  'data': (
    'grouping',
    'held_out',
    'validation',
    'validation_share',
    'grouping_seed',
    'enrolment',
    'enrolment_clips',
    'batch_frames',
  ),
  'model': ('audio',),
  'model.alignment': ('ratio',),
  'training': (
    'optimiser',
    'schedule',
    'warm_up',
    'clip_norm',
    'regularisation',
  ),
}
"""Settings that came after the first runs were kept, by section."""


def _since_the_first(config: Settings) -> dict[str, Any]:
  """Returns the settings as JSON, without later ones that are off.

  So the checkpoints of runs from before still belong to their settings.
  """
  content, default = settings_json(config), settings_json(Settings())
  for path, names in _LATER.items():
    section, before = content, default
    for key in path.split('.'):
      section, before = section[key], before[key]
    for name in names:
      if section[name] == before[name]:
        del section[name]
  return content


def _checkpoints(
  config: Settings, info: RunInfo, folder: RunFolder, read_only: bool = False
) -> Checkpoints:
  """Returns the checkpoints of a run, bound to its config and data."""
  text = json.dumps(_since_the_first(config), sort_keys=True)
  return Checkpoints(
    folder.path / 'checkpoints',
    {
      'config': hashlib.sha256(text.encode()).hexdigest(),
      'data': info.data_fingerprint,
    },
    read_only,
  )
