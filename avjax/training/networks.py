"""Networks on the divisions of a corpus: fitted, and judged on every split."""

import dataclasses
import hashlib
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.clips import Clip
from avjax.data import batching
from avjax.data.loader import Loader
from avjax.settings import Settings
from avjax.training import records
from avjax.training.checkpoints import Checkpoints
from avjax.training.devices import Devices
from avjax.training.evaluate import Outcome, evaluate
from avjax.training.loop import Trainer, as_saved, parameter_count
from avjax.training.progress import Progress
from avjax.training.replicas import Replicas, Run
from avjax.training.steps import TrainState

Parts = Mapping[str, Sequence[Clip]]
"""Split -> clips."""
Fitted = tuple[dict[str, Outcome], dict[str, Any]]
"""What a model says of each split, and the facts that results.json adds."""


def fit(
  config: Settings,
  about: Mapping[str, Any],
  parts: Parts,
  workdir: pathlib.Path,
  title: str,
) -> Fitted:
  """Returns the outcomes of a network's best state, trained if need be."""
  devices = Devices(config.training.parallelism)
  loader = make_loader(config, about['emotions'], parts, devices)
  trainer = Trainer(config, parts, loader, devices)
  with Checkpoints(
    workdir / 'checkpoints', checkpoint_fingerprint(config, about)
  ) as checkpoints:
    progress = trainer.train(workdir, checkpoints, title)
    _, saved, _ = checkpoints.restore_best(as_saved(trainer.initial))
  return _outcomes(
    config, parts, trainer.initial, saved, progress, loader, devices
  )


def fit_together(
  config: Settings,
  about: Mapping[str, Any],
  runs: Sequence[Run],
  workdir: pathlib.Path,
) -> None:
  """Trains several runs in one program; each folder becomes a finished run's.

  Args:
    config: of all together.
    about: what else config.json says.
    runs: with their folders, of which some may be finished.
    workdir: gets the checkpoints of all.
  """
  if all((run.folder / records.RESULTS).exists() for run in runs):
    print(f'{workdir} holds finished runs; nothing to do', file=sys.stderr)
    return
  devices = Devices(config.training.parallelism)
  # As for each alone: a division has all the clips.
  loader = make_loader(config, about['emotions'], runs[0].parts, devices)
  replicas = Replicas(runs, loader, devices)
  with Checkpoints(
    workdir / 'checkpoints', checkpoint_fingerprint(config, about)
  ) as checkpoints:
    best = replicas.train(workdir, checkpoints)
  for run, initial, (saved, progress) in zip(
    runs, replicas.initial, best, strict=True
  ):
    with Checkpoints(
      run.folder / 'checkpoints', checkpoint_fingerprint(run.config, run.about)
    ) as own:
      step = int(saved['step'])
      own.save(step, saved, dataclasses.asdict(progress), best=True)
    outcomes, facts = _outcomes(
      run.config, run.parts, initial, saved, progress, loader, devices
    )
    write(run.folder, run.config, run.about, outcomes, facts)


def _outcomes(
  config: Settings,
  parts: Parts,
  initial: TrainState,
  saved: Mapping[str, Any],
  progress: Progress,
  loader: Loader,
  devices: Devices,
) -> Fitted:
  """Returns what the best state says of every split."""
  # On several devices the first step has taken the memory of the first state.
  seed = np.asarray(config.seed, np.int32)
  state = devices.one_state(initial.replace(seed=seed, **saved))
  outcomes = {
    split: evaluate(devices, state, clips, loader)
    for split, clips in parts.items()
  }
  return outcomes, {
    'best_epoch': progress.selection.epoch,
    'epochs': progress.epoch,
    'seconds': progress.seconds,
    'clips_per_second': (
      progress.epoch * len(parts['training']) / max(progress.seconds, 1e-9)
    ),
    'parameters': parameter_count(state),
    'device': str(devices),
  }


def write(
  folder: pathlib.Path,
  config: Settings,
  about: Mapping[str, Any],
  outcomes: Mapping[str, Outcome],
  facts: Mapping[str, Any],
) -> dict[str, Any]:
  """Writes predictions.csv and results.json; returns what is in the latter."""
  content = {
    'splits': {name: one.summary() for name, one in outcomes.items()},
    'protocol': config.data.protocol,
    'audit': about['audit'],
  } | dict(facts)
  records.write_predictions(folder, outcomes)
  records.write_json(folder / records.RESULTS, content)
  return content


def make_loader(
  config: Settings, emotions: Sequence[str], parts: Parts, devices: Devices
) -> Loader:
  """Returns the batches of a run; one set of lengths serves every split."""
  clips = [clip for part in parts.values() for clip in part]
  return Loader(
    buckets=batching.buckets(clips, config.data.buckets),
    emotions=tuple(emotions),
    streams=config.model.streams,
    batch_size=config.training.batch_size,
    rows=devices.rows(config.training.batch_size),
  )


def checkpoint_fingerprint(
  config: Settings, about: Mapping[str, Any]
) -> dict[str, str]:
  """Returns what ties a run's checkpoints to its config and data."""
  text = json.dumps(records.settings_as_json(config), sort_keys=True)
  return {
    'config': hashlib.sha256(text.encode()).hexdigest(),
    'data': about['data_fingerprint'],
  }
