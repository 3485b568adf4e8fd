"""Trains one network on one split of clips, from wherever it stopped."""

import contextlib
import dataclasses
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from avjax.clips import Clip
from avjax.data.loader import Loader
from avjax.errors import TrainingError
from avjax.settings import Settings
from avjax.training import records, steps
from avjax.training.checkpoints import Checkpoints
from avjax.training.devices import Devices
from avjax.training.evaluate import evaluate
from avjax.training.progress import Display
from avjax.training.selection import Selection


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
  selection: Selection = dataclasses.field(default_factory=Selection)
  history: list[dict[str, Any]] = dataclasses.field(default_factory=list)

  @classmethod
  def from_json(cls, values: Mapping[str, Any]) -> 'Progress':
    """Returns the progress that `dataclasses.asdict` gave."""
    selection = Selection(**values['selection'])
    return cls(**{**values, 'selection': selection})

  def finished(self, config: Settings) -> bool:
    """Says whether the last epoch is done, or nothing got better for long."""
    training = config.training
    return (
      self.epoch >= training.epochs
      or self.selection.waited >= training.patience
    )


class Stop:
  """The signal that asks the process to end, if one has come."""

  number: int | None = None


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
  """Gives a `Stop` that SIGTERM and SIGINT set, instead of ending at once."""
  stop = Stop()
  if threading.current_thread() is not threading.main_thread():
    yield stop  # only the main thread may handle signals
    return

  def note(number, frame):
    del frame
    stop.number = number

  before = {n: signal.signal(n, note) for n in (signal.SIGTERM, signal.SIGINT)}
  try:
    yield stop
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


class Trainer:
  """One run of Section 4.1.

  Args:
    config: its settings.
    clips: 'training' and 'validation' -> clips.
    loader: how to batch them.
    devices: where to compute.
  """

  def __init__(
    self,
    config: Settings,
    clips: Mapping[str, Sequence[Clip]],
    loader: Loader,
    devices: Devices,
  ):
    self._config = config
    self._training = clips['training']
    self._validation = clips['validation']
    self._loader = loader
    self._devices = devices
    example = loader.batch(self._training, np.array([0]))
    self.initial = steps.create_state(config, example, loader.emotions)

  def train(
    self, workdir: pathlib.Path, checkpoints: Checkpoints, title: str = ''
  ) -> Progress:
    """Returns the progress of the finished run.

    Starts at the newest checkpoint if there is one; each epoch's end is
    saved. After SIGTERM or SIGINT the step under way is finished and saved.

    Args:
      workdir: gets metrics.jsonl.
      checkpoints: where the states are kept.
      title: for the lines on the terminal.

    Raises:
      TrainingError: a loss or gradient is not finite. Nothing is saved after
        the last good epoch.
      SystemExit: with 128 plus the signal's number.
    """
    state, progress = self.initial, Progress()
    found = checkpoints.restore_latest(as_saved(state))
    if found is not None:
      state = state.replace(**found[1])
      progress = Progress.from_json(found[2])
      print(f'{workdir}: resumed at step {found[0]}', file=sys.stderr)
    records.write_metrics(workdir, progress.history)
    state = self._devices.put_state(state)
    epochs = self._config.training.epochs
    with stop_signals() as stop, Display(epochs, title) as display:
      while not progress.finished(self._config):
        state = self._epoch(state, progress, display, stop)
        best = False
        if stop.number is None:
          best = self._close_epoch(state, progress)
          display.epoch(progress.history[-1])
          records.write_metrics(workdir, progress.history)
        saved = as_saved(self._devices.first(state))
        checkpoints.save(
          int(saved['step']), saved, dataclasses.asdict(progress), best
        )
        if stop.number is not None:
          checkpoints.wait()
          print(
            f'{workdir}: saved at step {int(saved["step"])}; run again to'
            ' resume',
            file=sys.stderr,
          )
          raise SystemExit(128 + stop.number)
    checkpoints.wait()
    return progress

  def _epoch(self, state, progress: Progress, display: Display, stop: Stop):
    """Returns the state after the rest of an epoch, or up to a signal."""
    order = self._loader.order(
      self._training, self._config.seed, progress.epoch
    )
    before = time.perf_counter()
    pending = None  # the step that the device may still be busy with
    for indices in order[progress.batch :]:
      if stop.number is not None:
        break
      batch = self._loader.batch(self._training, indices)
      state, metrics = self._devices.train_step(state, batch)
      if pending is not None:
        self._count(progress, *pending)
      pending = indices, metrics
      display.step(
        progress.epoch,
        progress.batch + 1,
        len(order),
        progress.loss / max(1, progress.batch * self._loader.batch_size),
      )
    if pending is not None:
      self._count(progress, *pending)
    progress.epoch_seconds += time.perf_counter() - before
    return state

  def _count(self, progress: Progress, indices, metrics) -> None:
    """Adds one finished step to the progress, or stops the run."""
    if not metrics['finite']:
      losses = np.asarray(metrics['losses'])[: len(indices)]
      bad = indices[~np.isfinite(losses)]
      named = [self._training[k].name for k in (bad if len(bad) else indices)]
      raise TrainingError(
        f'the loss or a gradient is not finite in epoch {progress.epoch + 1},'
        f' batch {progress.batch + 1}, clips {", ".join(named)}; nothing was'
        ' updated; look at these clips, or lower training.learning_rate'
      )
    progress.batch += 1
    progress.loss += float(metrics['loss']) * int(metrics['count'])
    progress.correct += int(metrics['correct'])

  def _close_epoch(self, state, progress: Progress) -> bool:
    """Validates; returns whether this was the best epoch so far."""
    result = evaluate(
      self._devices,
      self._devices.first(state),
      self._validation,
      self._loader,
    ).scores()
    clips = len(self._training)
    selection, best = progress.selection.update(
      progress.epoch, result['accuracy'], result['loss']
    )
    progress.history.append(
      {
        'epoch': progress.epoch,
        'training_loss': progress.loss / clips,
        'training_accuracy': progress.correct / clips,
        'validation_loss': result['loss'],
        'validation_accuracy': result['accuracy'],
        'validation_uar': result['uar'],
        'best': best,
        'seconds': progress.epoch_seconds,
        'clips_per_second': clips / max(progress.epoch_seconds, 1e-9),
      }
    )
    progress.selection = selection
    progress.seconds += progress.epoch_seconds
    progress.epoch += 1
    progress.batch = progress.correct = 0
    progress.loss = progress.epoch_seconds = 0.0
    return best


def as_saved(state: steps.TrainState) -> dict[str, Any]:
  """Returns the part of a state that changes; the config gives the rest."""
  return {
    'step': state.step,
    'params': state.params,
    'opt_state': state.opt_state,
  }


def parameter_count(state: steps.TrainState) -> int:
  """Returns how many numbers the network learns."""
  return sum(leaf.size for leaf in jax.tree.leaves(state.params))
