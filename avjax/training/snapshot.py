"""One training state on disk, verified bit for bit when it is read.

  state/     the arrays in Orbax's format, for any program that uses Orbax
  meta.json  step, progress, versions, and digests of all files and arrays

Orbax does not verify what it reads: a flipped bit or another dtype causes no
error. Where it does fail, threads of tensorstore continue with a closed event
loop, and print many tracebacks. So every file is checked before Orbax reads it,
and every array after.
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

SCHEMA = 1  # version of meta.json; others are refused
UNFINISHED = '.unfinished'

Meta = dict[str, Any]


class DamagedError(Exception):
  """The snapshot at `path` is not bit for bit what was written."""

  def __init__(self, path: pathlib.Path, how: str):
    super().__init__(f'checkpoint {path} is damaged ({how})')
    self.path = path


def write(path: pathlib.Path, state: Any, fields: Mapping[str, Any]) -> None:
  """Writes a snapshot under a temporary name, then renames it.

  Args:
    path: folder of the snapshot; it must not exist. The temporary name ends in
      UNFINISHED.
    state: pytree of NumPy arrays.
    fields: further fields for `read_meta` to return, as JSON.

  Raises:
    OSError, ValueError: from the system or from Orbax; see `reason`.
  """
  # A new name each time: threads of a failed write may still write to theirs.
  new = path.with_name(f'{path.name}.{time.time_ns()}{UNFINISHED}')
  new.mkdir()
  needed = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) + 2**20
  if shutil.disk_usage(new).free < needed:  # Orbax's own error is pages long
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
  with _orbax() as orbax:
    orbax.save(new / 'state', args=ocp.args.PyTreeSave(state))
  meta = {
    **fields,
    'schema': SCHEMA,
    'leaves': _types(state),
    'digest': _digest(state),
    'files': _files(new),
    'versions': {
      module.__name__: module.__version__
      for module in (avjax, jax, flax, optax, ocp)
    },
  }
  meta = json.loads(json.dumps(meta))  # as `read_meta` gets it
  with open(new / 'meta.json', 'w') as file:
    json.dump({'sha256': _seal(meta), **meta}, file, indent=1)
    file.flush()
    os.fsync(file.fileno())
  new.rename(path)


def read_meta(path: pathlib.Path) -> Meta:
  """Returns the metadata of a snapshot.

  Raises:
    DamagedError: it cannot be read, or is not what was written.
    CheckpointError: it was written by another version of avjax.
  """
  try:
    meta = json.loads((path / 'meta.json').read_bytes())
    sound = meta.pop('sha256') == _seal(meta)
  except Exception as error:  # of any type, depending on the bytes
    raise DamagedError(path, f'meta.json: {reason(error)}') from None
  if not sound:
    raise DamagedError(path, 'meta.json is not what was written')
  if meta['schema'] != SCHEMA:
    raise CheckpointError(
      f'{path} has schema {meta["schema"]}; this version of avjax reads schema'
      f' {SCHEMA}; use the version that wrote it,'
      f' {meta["versions"]["avjax"]}'
    )
  return meta


def read_state(path: pathlib.Path, meta: Meta, like: Any) -> Any:
  """Returns the state of a snapshot as NumPy arrays in the tree of `like`.

  Args:
    path: folder of the snapshot.
    meta: metadata of the snapshot, from `read_meta`.
    like: pytree with the structure, shapes and dtypes of the state.

  Raises:
    DamagedError: the arrays are not those that were written.
    CheckpointError: structure, shapes or dtypes differ from those of `like`.
  """
  wanted, found = _types(like), meta['leaves']
  for name in {**wanted, **found}:
    if wanted.get(name) != found.get(name):
      raise CheckpointError(
        f'{path} holds {found.get(name, "nothing")} at {name}, where this'
        f' model has {wanted.get(name, "nothing")}; use the version of avjax'
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
  except Exception as error:  # of any type, depending on the bytes
    raise DamagedError(path, reason(error)) from None
  if not sound:
    raise DamagedError(path, 'its arrays are not those that were written')
  return state


def reason(error: Exception) -> str:
  """Returns the message of an error as one line of moderate length."""
  text = ' '.join(str(error).split()) or type(error).__name__
  for known in ('No space left on device', 'File too large'):
    if known in text:
      return known
  return text if len(text) <= 200 else f'{text[:200]} ...'


@contextlib.contextmanager
def _orbax() -> Iterator[ocp.Checkpointer]:
  """Yields a checkpointer for this process only, without its log lines.

  By default Orbax waits for all processes of `jax.distributed`, and logs the
  tracebacks of the errors that it raises.
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
  """Returns path below `folder` -> SHA-256, for every file of the state."""
  return {
    str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted((folder / 'state').rglob('*'))
    if path.is_file()
  }


def _leaves(tree: Any) -> dict[str, Any]:
  """Returns path in the tree -> leaf; a path is 'params/head/kernel'."""
  flat, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {
    jax.tree_util.keystr(path, simple=True, separator='/'): leaf
    for path, leaf in flat
  }


def _types(tree: Any) -> dict[str, str]:
  """Returns path in the tree -> dtype and shape, 'float32[3, 4]'."""
  return {
    name: f'{np.dtype(leaf.dtype).name}{list(leaf.shape)}'
    for name, leaf in _leaves(tree).items()
  }


def _digest(tree: Any) -> str:
  """Returns the SHA-256 of the leaves' paths, dtypes, shapes and bytes."""
  digest = hashlib.sha256(json.dumps(_types(tree)).encode())
  for leaf in _leaves(tree).values():
    digest.update(leaf.tobytes())
  return digest.hexdigest()


def _seal(meta: Meta) -> str:
  """Returns the SHA-256 of the metadata, independent of the order of keys."""
  return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()
