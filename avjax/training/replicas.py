"""Several runs in one program: seeds and folds are an axis of the state.

Every run has its own initial parameters, data order, dropout masks, early
stopping and best epoch, as in a single run. A run that has ended keeps its
index on this axis, and takes no more steps.
"""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avjax.clips import Splits
from avjax.data import batching
from avjax.settings import Settings
from avjax.training import resident, steps
from avjax.training.checkpoints import Checkpoints
from avjax.training.display import Display
from avjax.training.outcome import from_logits
from avjax.training.progress import Progress
from avjax.training.setup import Setup
from avjax.training.signals import Stop, stop_signals


@dataclasses.dataclass(frozen=True)
class Replica:
  """One of the runs.

  Attributes:
    title: name of the run in messages.
    config: its settings, as for a single run.
    splits: its clips; 'training' and 'validation' at least.
    folder: its run folder, for metrics.jsonl.
  """

  title: str
  config: Settings
  splits: Splits
  folder: pathlib.Path


class Replicas:
  """The training of several runs that differ in seeds or clips only.

  Args:
    runs: with the same network, batch size and largest number of epochs.
    setup: for the clips of all runs; see `Devices.run_shardings` for the
      devices that are used.
  """

  def __init__(self, runs: Sequence[Replica], setup: Setup):
    self._runs = runs
    self._loader = setup.loader
    # A step of all runs at once has one number of rows for all of them.
    whole = set(self._loader.sizes) == {self._loader.batch_size}
    self._together = whole and not setup.devices.is_cpu
    clips = {
      id(clip): clip
      for run in runs
      for split in run.splits.values()
      for clip in split
    }
    self._sharded, replicated = setup.devices.run_shardings(len(runs))
    self._resident = resident.Resident(
      list(clips.values()),
      self._loader,
      lambda packed: jax.device_put(packed, replicated),
    )
    self._initial = [
      setup.initial_of(run.config, run.splits['training']) for run in runs
    ]

  def train(
    self, workdir: pathlib.Path, checkpoints: Checkpoints
  ) -> list[tuple[dict[str, Any], Progress]]:
    """Trains all runs; returns each run's best state and progress.

    A state has the form of `steps.as_saved`. All runs are saved together after
    every epoch. After SIGTERM or SIGINT the steps in progress are finished and
    the runs are saved.

    Args:
      workdir: named in messages.
      checkpoints: of all runs together.

    Raises:
      TrainingError: a loss or gradient is not finite; the message names the
        run.
      SystemExit: after a signal, with 128 plus its number.
    """
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *self._initial)
    saved = {'now': steps.as_saved(stacked), 'best': steps.as_saved(stacked)}
    progress = [Progress() for _ in self._runs]
    done, count = 0, 0
    if (found := checkpoints.restore_latest(saved)) is not None:
      count, saved, content = found
      done = content['done']
      progress = [Progress.from_json(one) for one in content['runs']]
      print(
        f'{workdir}: resumed at epoch {self._epoch(progress)}', file=sys.stderr
      )
    self._write(progress)
    states = self._put(stacked.replace(**saved['now']))
    best = self._put(saved['best'])
    epochs = self._runs[0].config.training.epochs
    title = f'{len(self._runs)} runs'
    with stop_signals() as stop, Display(epochs, title) as display:
      while any(self._unfinished(progress)):
        states, done = self._train_epoch(states, progress, done, display, stop)
        if stop.number is None:
          better = self._close_epoch(states, progress, display)
          best = _where(better, steps.as_saved(states), best)
          done = 0
          self._write(progress)
        count += 1
        checkpoints.save(
          count,
          {'now': steps.as_saved(states), 'best': best},
          {'done': done, 'runs': [dataclasses.asdict(p) for p in progress]},
          best=False,
        )
        if stop.number is not None:
          checkpoints.wait()
          stop.end(f'{workdir}: saved')
    checkpoints.wait()
    stop.end(f'{workdir}: saved')
    host = jax.device_get(best)
    return [
      (jax.tree.map(lambda x, k=k: np.asarray(x[k]), host), one)
      for k, one in enumerate(progress)
    ]

  def _put(self, tree):
    return jax.device_put(tree, self._sharded, may_alias=False)

  def _unfinished(self, progress: Sequence[Progress]) -> list[bool]:
    return [
      not one.finished(run.config)
      for run, one in zip(self._runs, progress, strict=True)
    ]

  def _epoch(self, progress: Sequence[Progress]) -> int:
    return max(one.epoch for one in progress)

  def _write(self, progress: Sequence[Progress]) -> None:
    for run, one in zip(self._runs, progress, strict=True):
      one.write(run.folder)

  def _plans(self, orders, split: str) -> resident.Plan:
    """Returns the stacked plans of all runs, padded to the longest."""
    plans = [
      self._resident.plan(run.splits[split], order)
      for run, order in zip(self._runs, orders, strict=True)
    ]
    longest = max(len(order) for order in orders)

    def padded(array, value):
      widths = [(0, longest - len(array))] + [(0, 0)] * (array.ndim - 1)
      return np.pad(array, widths, constant_values=value)

    return resident.Plan(
      np.stack([padded(plan.indices, batching.UNKNOWN) for plan in plans]),
      np.stack([padded(plan.bucket, 0) for plan in plans]),
    )

  def _train_epoch(
    self, states, progress, done: int, display: Display, stop: Stop
  ):
    """Trains to the end of the epoch, or until a signal.

    Returns:
      the states, and how many steps of the epoch are done.
    """
    orders = [
      self._loader.order(run.splits['training'], run.config.seed, one.epoch)
      if unfinished
      else []
      for run, one, unfinished in zip(
        self._runs, progress, self._unfinished(progress), strict=True
      )
    ]
    plans = self._plans(orders, 'training')
    lengths = np.array([len(order) for order in orders], np.int32)
    total = lengths.max()
    while done < total and stop.number is None:
      before = time.perf_counter()
      last = min(done + resident.STEPS, total)
      states, metrics = resident.train_replicas(
        states,
        self._resident.packed,
        plans,
        done,
        np.minimum(lengths, last),
        buckets=self._loader.buckets,
        rows=self._loader.rows_of,
        together=self._together,
      )
      metrics = jax.device_get(metrics)
      seconds = (time.perf_counter() - before) / sum(lengths > 0)
      for k, (run, one) in enumerate(zip(self._runs, progress, strict=True)):
        for step in range(done, min(last, lengths[k])):
          values = {name: array[k, step] for name, array in metrics.items()}
          one.add_step(
            run.splits['training'], orders[k][step], values, run.title
          )
        one.epoch_seconds += seconds if lengths[k] else 0
      done = last
      running = [one for one, n in zip(progress, lengths, strict=True) if n]
      batches = sum(one.batch for one in running) * self._loader.batch_size
      loss = sum(one.loss for one in running) / batches
      display.step(self._epoch(progress), int(done), int(total), loss)
    return states, int(done)

  def _close_epoch(self, states, progress, display: Display) -> np.ndarray:
    """Validates; returns for which runs this is the best epoch so far."""
    orders = [
      self._loader.evaluation_order(run.splits['validation'])
      for run in self._runs
    ]
    logits = np.asarray(
      resident.predict_replicas(
        states,
        self._resident.packed,
        self._plans(orders, 'validation'),
        buckets=self._loader.buckets,
        rows=self._loader.rows_of,
        together=self._together,
      )
    )
    better = np.zeros(len(self._runs), bool)
    unfinished = self._unfinished(progress)
    for k, (run, one) in enumerate(zip(self._runs, progress, strict=True)):
      if unfinished[k]:
        rows = resident.in_order(logits[k, : len(orders[k])], orders[k])
        clips = run.splits['validation']
        scores = from_logits(clips, self._loader.emotions, rows).scores()
        better[k] = one.close_epoch(len(run.splits['training']), scores)
    lines = [
      one.history[-1] for one, u in zip(progress, unfinished, strict=True) if u
    ]
    display.epoch(_mean(lines) | {'best': bool(better.any())})
    return better


@jax.jit
def _where(choose, yes, no):
  """Returns `yes` where `choose` is true and `no` elsewhere, run by run."""

  def select(a, b):
    return jnp.where(choose.reshape(-1, *[1] * (a.ndim - 1)), a, b)

  return jax.tree.map(select, yes, no)


def _mean(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  """Returns the mean of several runs' lines of metrics.jsonl, to display."""
  names = 'training_loss', 'validation_accuracy'
  return {
    'epoch': lines[0]['epoch'],
    # A step's time is divided equally among the runs that still train.
    'clips_per_second': float(np.mean([x['clips_per_second'] for x in lines])),
  } | {name: float(np.mean([x[name] for x in lines])) for name in names}
