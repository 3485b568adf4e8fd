"""The checkpoints of a run, safe against kill -9, a full disk, flipped bits.

  12/          the snapshot of step 12
  quarantine/  damaged snapshots, kept for inspection
  replaced/    the old snapshot of a step while the new one is written
  trash/       snapshots that are being removed

A state is restored only into a run with the settings and data that it was saved
with. If all snapshots are damaged, training stops with an error; it never
starts again at step 0 by itself.

Orbax's CheckpointManager is not used. It ignores a step that has lost its
marker file, never empties its trash folder, fails to open a folder with one
broken metrics file, and ranks NaN as best.
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

KEPT = 2  # newest steps; the best step recorded in each is kept too; ours

Restored = tuple[int, Any, dict[str, Any]]
"""(step, state, progress) of a checkpoint."""


def newest(folder: pathlib.Path) -> int | None:
  """Returns the newest step in a folder of checkpoints, damaged or not."""
  return max(_steps_in(folder), default=None)


def _steps_in(folder: pathlib.Path) -> list[int]:
  found = folder.glob('*')
  return sorted(int(path.name) for path in found if path.name.isdecimal())


class Checkpoints:
  """The checkpoints of one run.

  Only one process may write them at a time; see `files.lock`.
  """

  def __init__(
    self,
    folder: str | pathlib.Path,
    fingerprint: Mapping[str, str],
    read_only: bool = False,
  ):
    """Opens a folder.

    Args:
      folder: for the checkpoints of this run only; created if it is missing.
      fingerprint: name -> hash, such as of the config and of the data. A
        checkpoint is restored only if all its hashes are equal to these.
      read_only: whether the folder is left as it is, damaged steps included.
        Any number of processes may read a finished run so.

    Raises:
      CheckpointError: the folder cannot be created or read.
    """
    self._folder = pathlib.Path(folder).absolute()
    self._fingerprint = dict(fingerprint)
    self._read_only = read_only
    self._worker = concurrent.futures.ThreadPoolExecutor(1, 'checkpoints')
    self._writing: concurrent.futures.Future[None] | None = None
    if read_only:
      return
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
    """Waits for the last save, and ends the writing thread."""
    self._worker.shutdown()
    self.wait()

  def save(
    self, step: int, state: Any, progress: Mapping[str, Any], best: bool
  ) -> None:
    """Saves a step in the background; the state may be donated at once.

    The two newest steps are kept, and the best step recorded in each of them.

    Args:
      step: batches trained on so far; an earlier save of this step is replaced.
      state: pytree of arrays, fully addressable by this process.
      progress: what else the loop needs to resume, as JSON.
      best: whether this is the best state of the run so far.

    Raises:
      CheckpointError: the previous save could not be written.
    """
    self.wait()
    host = jax.tree.map(np.array, jax.device_get(state))  # not views
    meta = {
      'step': int(step),
      'best': int(step) if best else None,
      'fingerprint': self._fingerprint,
      'progress': json.loads(json.dumps(progress)),  # a copy
    }
    self._writing = self._worker.submit(self._write, host, meta)

  def wait(self) -> None:
    """Waits until the last save is on disk.

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
        f' {snapshot.reason(error)}; fix that, then run it again to resume'
      ) from None

  def restore_latest(self, like: Any) -> Restored | None:
    """Returns (step, state, progress) of the newest undamaged step, or None.

    Damaged steps are moved to quarantine and logged. None means that nothing
    was ever saved.

    Args:
      like: pytree with the structure, shapes and dtypes of the state. The
        state is returned in this structure, with NumPy arrays as leaves.

    Raises:
      CheckpointError: a step is of another run or model, or all steps are
        damaged.
    """
    self.wait()
    for step in reversed(self._steps()):
      try:
        return self._read(step, like)
      except snapshot.DamagedError as damage:
        self._quarantine(damage)
    if (self._folder / 'quarantine').exists():
      raise CheckpointError(
        f'all checkpoints in {self._folder} are damaged and were moved to its'
        f' folder quarantine; remove {self._folder} to train from the start'
      )
    return None

  def restore_best(self, like: Any) -> Restored:
    """Returns (step, state, progress) of the step last saved as best.

    If this step is damaged, no other is returned instead: the results would
    change without notice.

    Args:
      like: as for `restore_latest`.

    Raises:
      CheckpointError: no step was saved as best; or the best step, or the
        newest, which records the best, is damaged or of another run or model.
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
      f'{self._folder} has no checkpoint of a best epoch; train first'
    )

  def _path(self, step: int) -> pathlib.Path:
    return self._folder / str(step)

  def _steps(self) -> list[int]:
    """Returns the steps on disk, damaged or not, in ascending order."""
    return _steps_in(self._folder)

  def _meta(self, step: int) -> snapshot.Meta:
    """Returns the metadata of a step of this run."""
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

  def _write(self, state: Any, meta: dict[str, Any]) -> None:
    """Writes one step, and removes those that are no longer needed."""
    path = self._path(meta['step'])
    before = self._steps()
    if meta['best'] is None and before:
      meta['best'] = self._meta(before[-1])['best']
    try:
      if path.exists():
        self._move(path, 'replaced')
      snapshot.write(path, state, meta)
      steps = self._steps()
      best = {self._meta(step)['best'] for step in steps[-KEPT:]}
      for step in set(steps[:-KEPT]) - best:
        self._move(self._path(step), 'trash')
    finally:
      self._tidy()

  def _tidy(self) -> None:
    """Undoes an unfinished replacement; removes trash, unfinished snapshots."""
    for path in (self._folder / 'replaced').glob('*'):
      if not (self._folder / path.name).exists():
        path.rename(self._folder / path.name)
    for path in self._folder.iterdir():
      unfinished = path.name.endswith(snapshot.UNFINISHED)
      if unfinished or path.name in ('replaced', 'trash'):
        shutil.rmtree(path, ignore_errors=True)  # else at the next call

  def _move(self, path: pathlib.Path, folder: str) -> pathlib.Path:
    """Moves a snapshot into a folder, under an unused name; returns its path.

    Args:
      path: the snapshot.
      folder: name of a folder beside it, created if it is missing.
    """
    target = self._folder / folder / path.name
    target.parent.mkdir(exist_ok=True)
    while target.exists():
      target = target.with_name(f'{target.name}-')
    path.rename(target)
    return target

  def _quarantine(self, damage: snapshot.DamagedError) -> str:
    """Moves a damaged snapshot to quarantine; logs and returns the reason."""
    note = str(damage)
    if self._read_only:
      return note
    try:
      if damage.path.exists():
        note += f'; it was moved to {self._move(damage.path, "quarantine")}'
    except OSError as error:
      raise CheckpointError(
        f'{note} and cannot be moved: {snapshot.reason(error)}; remove it'
      ) from None
    logging.warning('%s', note)
    return note
