"""The training loop of one network, which resumes where it stopped."""

import contextlib
import dataclasses
import json
import pathlib
import sys
import time
from typing import Any

from avjax.clips import Splits
from avjax.errors import ConfigError
from avjax.training import hosts, steps
from avjax.training.checkpoints import Checkpoints
from avjax.training.display import Display
from avjax.training.outcome import evaluate, from_logits
from avjax.training.profiling import trace
from avjax.training.progress import Progress
from avjax.training.resident import STEPS, Resident
from avjax.training.setup import Setup
from avjax.training.signals import Stop, stop_signals


class Trainer:
  """The training of one network (Section 4.1).

  Args:
    setup: batches, devices and initial state.
    splits: the clips; 'training' and 'validation' at least.

  Raises:
    ConfigError: mixup would have a pair of clips on two devices.
  """

  def __init__(self, setup: Setup, splits: Splits):
    self._setup = setup
    self._config = setup.config
    self._loader = setup.loader
    self._devices = setup.devices
    self._training = splits['training']
    self._validation = splits['validation']
    self._check_neighbours()
    self._resident: Resident | None = None
    both = [*self._training, *self._validation]
    size = self._loader.size(both)
    keep = not any(clip.unread for clip in both) and self._devices.keep_clips(
      self._config.data.placement, size
    )
    if hosts.from_first(lambda: bytes([keep])) == b'\1':
      self._resident = Resident(
        both, self._loader, self._devices.replicate, self._devices.sharded
      )

  def _check_neighbours(self) -> None:
    """Raises ConfigError if mixup would have a pair of clips on two devices."""
    count, size = len(self._devices), self._loader.batch_size
    rows = self._loader.rows // count
    mixed = self._config.training.regularisation.mixup
    if mixed and self._devices.apart and rows % 2:
      raise ConfigError(
        f'training.batch_size {size} gives each of {count} devices {rows}'
        f' clips, and mixup mixes pairs; make it a multiple of {2 * count}'
      )

  def train(
    self, workdir: pathlib.Path, checkpoints: Checkpoints, title: str = ''
  ) -> Progress:
    """Trains until the last epoch or early stopping; returns the progress.

    Starts at the newest checkpoint if there is one. The state is saved after
    every epoch. After SIGTERM or SIGINT the steps in progress are finished and
    the state is saved. Of several processes the first alone reads and writes.

    Args:
      workdir: the run folder, for metrics.jsonl.
      checkpoints: of this run.
      title: printed before every line; '' for none.

    Raises:
      TrainingError: a loss or gradient is not finite. Nothing is saved after
        the last complete epoch.
      SystemExit: after a signal, with 128 plus its number.
    """
    state, progress = self._begin(workdir, checkpoints)
    epochs = self._config.training.epochs
    with stop_signals() as stop, Display(epochs, title) as display:
      while not progress.finished(self._config):
        state = self._epoch(state, progress, display, stop)
        stopped, best = hosts.agreed(stop.number) is not None, False
        if not stopped:
          best = progress.close_epoch(
            len(self._training), self._validate(state)
          )
          display.epoch(progress.history[-1])
        step = self._save(state, progress, workdir, checkpoints, best)
        if stopped:
          checkpoints.wait()
          stop.end(f'{workdir}: saved at step {step}')
    checkpoints.wait()
    stop.end(f'{workdir}: saved')
    return progress

  def _begin(
    self, workdir: pathlib.Path, checkpoints: Checkpoints
  ) -> tuple[steps.TrainState, Progress]:
    """Returns the state and the progress to go on from."""
    state, progress = self._setup.initial, Progress()

    def restored() -> bytes:
      nonlocal state
      found = checkpoints.restore_latest(steps.as_saved(state))
      if found is None:
        return b''
      state = state.replace(**found[1])
      return json.dumps(found[2]).encode()

    if content := hosts.from_first(restored):
      progress = Progress.from_json(json.loads(content))
    state = hosts.tree_from_first(state)
    if content:
      print(f'{workdir}: resumed at step {int(state.step)}', file=sys.stderr)
    if hosts.this().first:
      progress.write(workdir)
    return self._devices.put_state(state), progress

  def _save(
    self,
    state: steps.TrainState,
    progress: Progress,
    workdir: pathlib.Path,
    checkpoints: Checkpoints,
    best: bool,
  ) -> int:
    """Returns the step, of which the first process writes a checkpoint."""
    saved = steps.as_saved(self._devices.unstack(state))
    step = int(saved['step'])
    if hosts.this().first:
      progress.write(workdir)
      checkpoints.save(step, saved, dataclasses.asdict(progress), best)
    return step

  def _epoch(self, state, progress: Progress, display: Display, stop: Stop):
    """Returns the state after the rest of an epoch, or up to a signal."""
    order = self._loader.order(
      self._training, self._config.seed, progress.epoch
    )
    before = time.perf_counter()
    run = self._from_host if self._resident is None else self._on_device
    with trace.epoch():
      state = run(state, order, progress, display, stop)
    progress.epoch_seconds += time.perf_counter() - before
    return state

  def _from_host(self, state, order, progress, display, stop: Stop):
    """Returns the state as `_epoch`; every step copies its batch to the device.

    The metrics of a step are read after the next step has been started, so that
    the device need not wait for the host.
    """
    pending = None  # metrics of a step that may still be running
    told = hosts.agreed(stop.number)  # a signal that all processes know of
    rest = self._loader.batches(self._training, order[progress.batch :])
    with contextlib.closing(rest) as batches:
      while not told and (batch := next(batches, None)) is not None:
        with trace.step(progress.batch):
          state, metrics = self._devices.train_step(state, batch)
        metrics['signal'] = self._devices.largest(stop.number or 0)
        if pending is not None:
          told = self._count_pending(order, pending, progress, display)
        pending = metrics
        if self._devices.process.count == 1:
          told = stop.number
    if pending is not None:
      self._count_pending(order, pending, progress, display)
    return state

  def _count_pending(self, order, metrics, progress, display) -> int:
    """Counts a step, and returns the signal that a process had before it."""
    read = self._devices.on_host(metrics)
    self._count(order, read, progress, display)
    return int(read['signal'])

  def _on_device(self, state, order, progress, display, stop: Stop):
    """Returns the state as `_epoch`; all clips are on the device."""
    assert self._resident is not None
    plan = self._resident.plan(self._training, order)
    while progress.batch < len(order) and not hosts.agreed(stop.number):
      first = progress.batch
      last = min(first + STEPS, len(order))
      with trace.step(first):
        state, metrics = self._resident.train(state, plan, first, last)
      for k in range(first, last):
        one = {name: values[k] for name, values in metrics.items()}
        self._count(order, one, progress, display)
    return state

  def _count(self, order, metrics, progress: Progress, display: Display):
    """Adds the metrics of the next step of the epoch to the progress."""
    progress.add_step(self._training, order[progress.batch], metrics)
    display.step(
      progress.epoch,
      progress.batch,
      len(order),
      progress.loss / (progress.batch * self._loader.batch_size),
    )

  def _validate(self, state) -> dict[str, Any]:
    """Returns the scores of the validation clips."""
    if self._resident is None:
      return evaluate(
        self._devices,
        self._devices.unstack(state),
        self._validation,
        self._loader,
        maps=False,
      ).scores()
    logits = self._resident.logits(state, self._validation)
    return from_logits(self._validation, self._loader.emotions, logits).scores()
