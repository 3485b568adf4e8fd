"""The checkpoints of a run, which survive kill -9, a full disk, flipped bits.

  12/          the snapshot of step 12
  quarantine/  damaged snapshots, for a person to look at
  replaced/    the old snapshot of a step while its new one is being written
  trash/       snapshots on their way out, so that none is ever half there

What is restored was saved by a run of the same settings and data, and nothing
begins again at zero without being told to.

Orbax's CheckpointManager would do part of this. It is not used: a step that
lost its marker file is no step to it, what it moves to its trash stays there,
it opens no folder with one broken metrics file, and it ranks NaN as best.
"""

import concurrent.futures
import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from absl import logging

from avjax.errors import CheckpointError
from avjax.training import snapshot

KEPT = 2  # newest steps, each with the best one it knows of; ours

Restored = tuple[int, Any, dict[str, Any]]


class Checkpoints:
  """The checkpoints of one run; one process at a time, see `workdir.lock`.

  What was found damaged, and where it was moved, stands in `notes`.
  """

  def __init__(
    self, folder: str | pathlib.Path, fingerprint: Mapping[str, str]
  ):
    """Opens a folder.

    Args:
      folder: of this run's checkpoints alone; made if need be.
      fingerprint: what a run must share with a checkpoint to restore it, by
        name: hashes of the config, of the data.

    Raises:
      CheckpointError: the folder cannot be made or read.
    """
    self.notes: list[str] = []
    self._folder = pathlib.Path(folder).absolute()
    self._fingerprint = dict(fingerprint)
    self._worker = concurrent.futures.ThreadPoolExecutor(1, 'checkpoints')
    self._writing: concurrent.futures.Future[None] | None = None
    try:
      self._folder.mkdir(parents=True, exist_ok=True)
      self._tidy()
    except OSError as error:
      raise CheckpointError(
        f'{self._folder} cannot be used: {snapshot.reason(error)}; use another'
      ) from None

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, *error: Any) -> None:
    self.close()

  def close(self) -> None:
    """Waits for the last save and ends its thread."""
    self._worker.shutdown()
    self.wait()

  def save(
    self, step: int, state: Any, progress: Mapping[str, Any], best: bool
  ) -> None:
    """Saves a step in the background; the state may be donated at once.

    Kept are the two newest steps and the best one that each of them knows of.

    Args:
      step: batches trained on so far; a step of this number is replaced.
      state: pytree of arrays, each whole on this process.
      progress: what else the loop must know to go on; JSON.
      best: whether this is the best state of the run up to now.

    Raises:
      CheckpointError: the save before this one could not be written.
    """
    self.wait()
    host = jax.tree.map(np.array, jax.device_get(state))  # not views
    about = {
      'step': int(step),
      'best': int(step) if best else None,
      'fingerprint': self._fingerprint,
      'progress': json.loads(json.dumps(progress)),  # as it is now
    }
    self._writing = self._worker.submit(self._write, host, about)

  def wait(self) -> None:
    """Returns when the last save is on disk.

    Raises:
      CheckpointError: it could not be written.
    """
    writing, self._writing = self._writing, None
    try:
      if writing is not None:
        writing.result()
    except CheckpointError:
      raise
    except Exception as error:
      raise CheckpointError(
        f'a checkpoint could not be written to {self._folder}:'
        f' {snapshot.reason(error)}; mend that and run again to resume'
      ) from None

  def restore_latest(self, like: Any) -> Restored | None:
    """Returns (step, state, progress) of the newest sound step, or None.

    Damaged ones are moved to quarantine and noted. None: none was ever saved.

    Args:
      like: pytree with the structure, shapes and dtypes of the state, which
        comes back in it with NumPy arrays as leaves.

    Raises:
      CheckpointError: a step is of another run or model, or there were steps
        and none is sound.
    """
    self.wait()
    for step in reversed(self._steps()):
      try:
        return self._read(step, like)
      except snapshot.DamagedError as damage:
        self._quarantine(damage)
    if (self._folder / 'quarantine').exists():
      raise CheckpointError(
        f'no checkpoint in {self._folder} is sound; the damaged ones are in its'
        ' folder quarantine; remove both to train from the start'
      )
    return None

  def restore_best(self, like: Any) -> Restored:
    """Returns (step, state, progress) of the step last saved as best.

    No other stands in for a damaged one: results would change without a word.

    Args:
      like: as for `restore_latest`.

    Raises:
      CheckpointError: no step was saved as best, or it (or the newest, which
        says which it is) is damaged or of another run or model.
    """
    self.wait()
    steps = self._steps()
    try:
      best = self._meta(steps[-1])['best'] if steps else None
      if best is not None:
        return self._read(best, like)
    except snapshot.DamagedError as damage:
      raise CheckpointError(
        f'{self._quarantine(damage)}; train again to have the best epoch: in'
        ' the same folder if the run had not ended, else in a new one'
      ) from None
    raise CheckpointError(
      f'{self._folder} holds no checkpoint of a best epoch; train first'
    )

  def _path(self, step: int) -> pathlib.Path:
    return self._folder / str(step)

  def _steps(self) -> list[int]:
    """Returns the steps on disk, sound or not, in ascending order."""
    found = self._folder.glob('*')
    return sorted(int(path.name) for path in found if path.name.isdecimal())

  def _meta(self, step: int) -> snapshot.Meta:
    """Returns the meta of a step of this run."""
    meta = snapshot.read_meta(self._path(step))
    ours, theirs = self._fingerprint, meta['fingerprint']
    differ = [k for k in {**ours, **theirs} if ours.get(k) != theirs.get(k)]
    if differ:
      raise CheckpointError(
        f'{self._path(step)} was saved with another {" and ".join(differ)};'
        ' use what it was saved with, or another folder'
      )
    if meta['step'] != step:
      raise snapshot.DamagedError(self._path(step), 'it is of another step')
    return meta

  def _read(self, step: int, like: Any) -> Restored:
    meta = self._meta(step)
    state = snapshot.read_state(self._path(step), meta, like)
    return step, state, meta['progress']

  def _write(self, state: Any, about: dict[str, Any]) -> None:
    """Writes one step and drops those that are no longer needed."""
    path = self._path(about['step'])
    before = self._steps()
    if about['best'] is None and before:
      about['best'] = self._meta(before[-1])['best']
    try:
      if path.exists():
        self._move(path, 'replaced')
      snapshot.write(path, state, about)
      steps = self._steps()
      best = {self._meta(step)['best'] for step in steps[-KEPT:]}
      for step in set(steps[:-KEPT]) - best:
        self._move(self._path(step), 'trash')
    finally:
      self._tidy()

  def _tidy(self) -> None:
    """Undoes half a replacement; removes trash and unfinished snapshots."""
    for path in (self._folder / 'replaced').glob('*'):
      if not (self._folder / path.name).exists():
        path.rename(self._folder / path.name)
    for path in self._folder.iterdir():
      unfinished = path.name.endswith(snapshot.UNFINISHED)
      if unfinished or path.name in ('replaced', 'trash'):
        shutil.rmtree(path, ignore_errors=True)  # the next time will do

  def _move(self, path: pathlib.Path, place: str) -> pathlib.Path:
    """Moves a snapshot into a folder beside it, under a name not taken."""
    target = self._folder / place / path.name
    target.parent.mkdir(exist_ok=True)
    while target.exists():
      target = target.with_name(f'{target.name}-')
    path.rename(target)
    return target

  def _quarantine(self, damage: snapshot.DamagedError) -> str:
    """Moves a damaged snapshot aside; returns, logs and keeps a line on it."""
    note = str(damage)
    try:
      if damage.path.exists():
        note += f'; it was moved to {self._move(damage.path, "quarantine")}'
    except OSError as error:
      raise CheckpointError(
        f'{note} and cannot be moved: {snapshot.reason(error)}; remove it'
      ) from None
    self.notes.append(note)
    logging.warning('%s', note)
    return note
