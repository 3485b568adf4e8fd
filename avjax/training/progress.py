"""The progress of a training, saved beside its state."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.clips import Clip
from avjax.errors import TrainingError
from avjax.settings import Settings
from avjax.training.early_stopping import BestEpoch

METRICS = 'metrics.jsonl'

DIVERGED = 10
"""A training loss of so many times log N, the cross-entropy of N equal
probabilities, is called diverged; ours. Training begins near log N, and a
network that learns anything falls below it; ten times as much means that the
true class gets a probability of N^-10 on (geometric) average."""


@dataclasses.dataclass
class Progress:
  """The progress of a training, saved in every checkpoint.

  Attributes:
    epoch: number of the current epoch, from 0.
    batch: batches of the current epoch that are done.
    loss: sum of the loss over the clips of these batches.
    correct: clips of these batches that were classified correctly.
    seconds: training time of all complete epochs, across restarts.
    epoch_seconds: training time of the current epoch.
    selection: the best epoch so far.
    history: the lines of metrics.jsonl.
  """

  epoch: int = 0
  batch: int = 0
  loss: float = 0.0
  correct: int = 0
  seconds: float = 0.0
  epoch_seconds: float = 0.0
  selection: BestEpoch = dataclasses.field(default_factory=BestEpoch)
  history: list[dict[str, Any]] = dataclasses.field(default_factory=list)

  @classmethod
  def from_json(cls, values: Mapping[str, Any]) -> 'Progress':
    """Returns the progress from the JSON of its `dataclasses.asdict`."""
    selection = BestEpoch(**values['selection'])
    return cls(**{**values, 'selection': selection})

  def write(self, folder: pathlib.Path) -> None:
    """Writes metrics.jsonl, one line per epoch."""
    text = ''.join(json.dumps(line) + '\n' for line in self.history)
    files.write_text(folder / METRICS, text)

  def finished(self, config: Settings) -> bool:
    """Returns whether the last epoch is done, or early stopping applies."""
    training = config.training
    return (
      self.epoch >= training.epochs
      or self.selection.waited >= training.patience
    )

  def warnings(self, classes: int) -> list[str]:
    """Returns what a reader of the results must know of this training.

    Args:
      classes: number of emotions N.
    """
    if not self.history:
      return []
    chance = math.log(classes)
    lines = {'last': self.history[-1]}
    if (best := self.selection.epoch) < len(self.history):
      lines = {'best': self.history[best]} | lines
    for name, line in lines.items():
      if not line['training_loss'] <= DIVERGED * chance:
        return [
          f'the training diverged: its loss in the {name} epoch is'
          f' {line["training_loss"]:.3g}, and guessing has {chance:.3g}; lower'
          ' training.learning_rate'
        ]
    return []

  def add_step(
    self,
    clips: Sequence[Clip],
    indices: np.ndarray,
    metrics: Mapping[str, Any],
    title: str = '',
  ) -> None:
    """Adds the metrics of one step.

    Args:
      clips: all training clips.
      indices: of the clips of this step.
      metrics: of this step, from `steps.step`.
      title: name of the run in the error message; '' for none.

    Raises:
      TrainingError: the loss or a gradient is not finite.
    """
    if not metrics['finite']:
      losses = np.asarray(metrics['losses'])[: len(indices)]
      bad = indices[~np.isfinite(losses)]
      named = [clips[k].name for k in (bad if len(bad) else indices)]
      raise TrainingError(
        f'{title and title + ": "}the loss or a gradient is not finite in epoch'
        f' {self.epoch + 1}, batch {self.batch + 1}, clips {", ".join(named)};'
        ' nothing was updated; check these clips, or lower'
        ' training.learning_rate'
      )
    self.batch += 1
    self.loss += float(metrics['loss']) * int(metrics['count'])
    self.correct += int(metrics['correct'])

  def close_epoch(self, clips: int, validation: Mapping[str, Any]) -> bool:
    """Adds the epoch to the history; returns whether it is the best so far.

    Args:
      clips: number of training clips.
      validation: scores of the validation clips after this epoch.
    """
    self.selection, best = self.selection.update(
      self.epoch, validation['accuracy'], validation['loss']
    )
    self.history.append(
      {
        'epoch': self.epoch,
        'training_loss': self.loss / clips,
        'training_accuracy': self.correct / clips,
        'validation_loss': validation['loss'],
        'validation_accuracy': validation['accuracy'],
        'validation_uar': validation['uar'],
        'best': best,
        'seconds': self.epoch_seconds,
        'clips_per_second': clips / max(self.epoch_seconds, 1e-9),
      }
    )
    self.seconds += self.epoch_seconds
    self.epoch += 1
    self.batch = self.correct = 0
    self.loss = self.epoch_seconds = 0.0
    return best
