"""Where a run stands, beside its state."""

import dataclasses
import json
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


@dataclasses.dataclass
class Progress:
  """Where a run stands, beside its state; kept in every checkpoint.

  Attributes:
    epoch: the epoch under way, from 0.
    batch: batches of it that are done.
    loss: sum over the clips of these batches.
    correct: clips of these batches that were classified right.
    seconds: of training, all epochs and restarts together.
    epoch_seconds: of the epoch under way.
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
    """Returns the progress that `dataclasses.asdict` gave."""
    selection = BestEpoch(**values['selection'])
    return cls(**{**values, 'selection': selection})

  def write(self, folder: pathlib.Path) -> None:
    """Writes metrics.jsonl, one line an epoch."""
    text = ''.join(json.dumps(line) + '\n' for line in self.history)
    files.write(folder / METRICS, text)

  def finished(self, config: Settings) -> bool:
    """Says whether the last epoch is done, or nothing got better for long."""
    training = config.training
    return (
      self.epoch >= training.epochs
      or self.selection.waited >= training.patience
    )

  def count(
    self,
    clips: Sequence[Clip],
    indices: np.ndarray,
    metrics: Mapping[str, Any],
    title: str = '',
  ) -> None:
    """Adds one finished step.

    Args:
      clips: that are trained on.
      indices: of those of the step.
      metrics: what `steps.train_step` says of it.
      title: of the run, for the error.

    Raises:
      TrainingError: its loss or gradient is not finite.
    """
    if not metrics['finite']:
      losses = np.asarray(metrics['losses'])[: len(indices)]
      bad = indices[~np.isfinite(losses)]
      named = [clips[k].name for k in (bad if len(bad) else indices)]
      raise TrainingError(
        f'{title and title + ": "}the loss or a gradient is not finite in epoch'
        f' {self.epoch + 1}, batch {self.batch + 1}, clips {", ".join(named)};'
        ' nothing was updated; look at these clips, or lower'
        ' training.learning_rate'
      )
    self.batch += 1
    self.loss += float(metrics['loss']) * int(metrics['count'])
    self.correct += int(metrics['correct'])

  def close_epoch(self, clips: int, validation: Mapping[str, Any]) -> bool:
    """Adds the epoch to the history; returns whether it was the best so far.

    Args:
      clips: trained on in an epoch.
      validation: the scores of the validation clips after it.
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
