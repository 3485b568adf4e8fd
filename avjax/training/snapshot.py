"""One training state on disk: what is read is bit for bit what was written.

  state/     the arrays in Orbax's format, for any program that uses Orbax
  meta.json  what else there is to know, with digests of everything

Orbax takes what it reads on trust: a flipped bit or another dtype comes back
without a word. And where it does fail, tensorstore goes on in threads whose
event loop is gone, and fills the terminal. So every file is checked before
Orbax sees it, and every array after.
"""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

import flax
import jax
import numpy as np
import optax
import orbax.checkpoint as ocp
from absl import logging

import avjax
from avjax.errors import CheckpointError

SCHEMA = 1  # of meta; another number is refused
UNFINISHED = '.unfinished'

Meta = dict[str, Any]


class DamagedError(Exception):
  """The snapshot at `path` is not what was written."""

  def __init__(self, path: pathlib.Path, how: str):
    super().__init__(f'checkpoint {path} is damaged ({how})')
    self.path = path


def write(path: pathlib.Path, state: Any, about: Mapping[str, Any]) -> None:
  """Writes a snapshot where none is; it appears there when it is whole.

  Args:
    path: its folder; until then one beside it that ends in UNFINISHED.
    state: pytree of NumPy arrays.
    about: what `read_meta` is to give back, beside what is added here; JSON.

  Raises:
    OSError, ValueError: as the system and Orbax have it, see `reason`.
  """
  # A name of its own: threads of a failed write may go on writing there.
  new = path.with_name(f'{path.name}.{time.time_ns()}{UNFINISHED}')
  new.mkdir()
  needed = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) + 2**20
  if shutil.disk_usage(new).free < needed:  # Orbax would say so at length
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
  with _orbax() as orbax:
    orbax.save(new / 'state', args=ocp.args.PyTreeSave(state))
  meta = {
    **about,
    'schema': SCHEMA,
    'leaves': _forms(state),
    'digest': _digest(state),
    'files': _files(new),
    'versions': {
      module.__name__: module.__version__
      for module in (avjax, jax, flax, optax, ocp)
    },
  }
  meta = json.loads(json.dumps(meta))  # as it will be read
  with open(new / 'meta.json', 'w') as file:
    json.dump({'sha256': _seal(meta), **meta}, file, indent=1)
    file.flush()
    os.fsync(file.fileno())
  new.rename(path)


def read_meta(path: pathlib.Path) -> Meta:
  """Returns what was said about a snapshot when it was written.

  Raises:
    DamagedError: it cannot be read, or is not what was written.
    CheckpointError: it was written by another version of avjax.
  """
  try:
    meta = json.loads((path / 'meta.json').read_bytes())
    sound = meta.pop('sha256') == _seal(meta)
  except Exception as error:  # of any kind: it depends on the bytes
    raise DamagedError(path, f'meta.json: {reason(error)}') from None
  if not sound:
    raise DamagedError(path, 'meta.json is not what was written')
  if meta['schema'] != SCHEMA:
    raise CheckpointError(
      f'{path} has form {meta["schema"]}, where this version of avjax reads'
      f' {SCHEMA}; use the one that wrote it, {meta["versions"]["avjax"]}'
    )
  return meta


def read_state(path: pathlib.Path, meta: Meta, like: Any) -> Any:
  """Returns the state of a snapshot in the structure of `like`, in NumPy.

  Args:
    path: its folder.
    meta: its own, from `read_meta`.
    like: pytree with the structure, shapes and dtypes of the state.

  Raises:
    DamagedError: the arrays are not those that were written.
    CheckpointError: they are, but do not fit `like`.
  """
  here, there = _forms(like), meta['leaves']
  for name in {**here, **there}:
    if here.get(name) != there.get(name):
      raise CheckpointError(
        f'{path} holds {there.get(name, "nothing")} at {name}, where this'
        f' model has {here.get(name, "nothing")}; use the version of avjax'
        f' that wrote it, {meta["versions"]["avjax"]}, or another folder'
      )
  as_numpy = ocp.RestoreArgs(restore_type=np.ndarray)
  args = ocp.args.PyTreeRestore(
    like, restore_args=jax.tree.map(lambda _: as_numpy, like)
  )
  try:
    files = _files(path)
    for name, digest in meta['files'].items():
      if files.get(name) != digest:
        raise DamagedError(path, f'{name} is not what was written')
    with _orbax() as orbax:
      state = orbax.restore(path / 'state', args=args)
    sound = _digest(state) == meta['digest']
  except DamagedError:
    raise
  except Exception as error:  # of any kind: it depends on the bytes
    raise DamagedError(path, reason(error)) from None
  if not sound:
    raise DamagedError(path, 'its arrays are not those that were written')
  return state


def reason(error: Exception) -> str:
  """Returns an error of Orbax or the system, of any length, within a line."""
  text = ' '.join(str(error).split()) or type(error).__name__
  for known in ('No space left on device', 'File too large'):
    if known in text:
      return known
  return text if len(text) <= 200 else f'{text[:200]} ...'


@contextlib.contextmanager
def _orbax() -> Iterator[ocp.Checkpointer]:
  """Gives Orbax for this process alone, without its log lines.

  By itself it waits for all processes of `jax.distributed` to do the same,
  and logs the errors that it raises with their tracebacks.
  """
  alone = ocp.options.MultiprocessingOptions(
    primary_host=jax.process_index(), active_processes={jax.process_index()}
  )
  handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
  logger = logging.get_absl_logger()
  logger.addFilter(_not_from_orbax)
  try:
    with ocp.Checkpointer(handler, multiprocessing_options=alone) as orbax:
      yield orbax
  finally:
    logger.removeFilter(_not_from_orbax)


def _not_from_orbax(record: Any) -> bool:
  return 'orbax' not in pathlib.Path(record.pathname).parts


def _files(folder: pathlib.Path) -> dict[str, str]:
  """Returns the SHA-256 of every file of the state, by its name in it."""
  return {
    str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted((folder / 'state').rglob('*'))
    if path.is_file()
  }


def _leaves(tree: Any) -> dict[str, Any]:
  """Returns the leaves by their place in the tree, 'params/head/kernel'."""
  flat, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {
    jax.tree_util.keystr(path, simple=True, separator='/'): leaf
    for path, leaf in flat
  }


def _forms(tree: Any) -> dict[str, str]:
  """Returns dtype and shape of every leaf: 'float32[3, 4]'."""
  return {
    name: f'{np.dtype(leaf.dtype).name}{list(leaf.shape)}'
    for name, leaf in _leaves(tree).items()
  }


def _digest(tree: Any) -> str:
  """Returns the SHA-256 of the leaves' places, dtypes, shapes and bytes."""
  digest = hashlib.sha256(json.dumps(_forms(tree)).encode())
  for leaf in _leaves(tree).values():
    digest.update(leaf.tobytes())
  return digest.hexdigest()


def _seal(meta: Meta) -> str:
  """Returns the SHA-256 of meta, the same before and after a file."""
  return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()
