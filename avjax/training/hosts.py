"""One training in several processes: how they meet, agree and part.

`joined` begins `jax.distributed`, through which processes exchange words (its
key-value store) and arrays (collectives of the devices). Whatever one process
decides alone, such as what it read from disk or that it was told to stop, is
exchanged before the others depend on it. In a program of one process all of
this is there, and does nothing.

When a process dies, JAX ends the others by abort() from a thread of its own,
after pages of its log. No Python is called then, so the handler of SIGABRT is
set with ctypes; it says in one line what happened and what to type.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import shlex
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax._src import distributed  # the store has no public name
from jax.experimental import multihost_utils

from avjax import interrupts
from avjax.errors import AvjaxError, CheckpointError, ConfigError
from avjax.processes import Process

JOIN_S = 300
"""Seconds for all processes to come; JAX's default."""
GRACE_S = 20
"""Seconds after SIGTERM to reach a step of all processes and save; ours.
SLURM and Kubernetes wait for 30 s before they kill."""
PARTING_S = 10
"""Seconds that a process waits, after an error, for others to have the same."""
_FOREVER_MS = 7 * 24 * 3600 * 1000
"""A dead process ends a wait sooner, by the heartbeat."""
_LOST = (
  'Gloo',
  'NCCL',
  'coordination service',
  'Coordination service',
  'heartbeat',
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
)
"""Words of JAX's exceptions when another process is gone."""


class _Telling:
  """What this process says if JAX ends it, and where.

  Attributes:
    text: the line.
    terminal: file descriptors of standard error, that of the log included.
    parting: whether this process has an error of its own to tell.
    turn: number of the next exchange, which is the same in every process.
    handler: of SIGABRT; kept, since C has nothing but its address.
  """

  text = ''
  terminal: tuple[int, ...] = (2,)
  parting = False
  turn = 0
  handler: Any = None


def this() -> Process:
  """Returns which process this is."""
  state = distributed.global_state
  return Process(state.process_id, state.num_processes)


@contextlib.contextmanager
def joined(
  coordinator: str | None,
  process: Process | None,
  heartbeat: int,
  join_s: int = JOIN_S,
) -> Iterator[Process]:
  """Meets the other processes, and yields which of them this is.

  This must run before JAX is asked for its devices. An error inside is raised
  after `PARTING_S` at most; then the caller must end by `os._exit`, since
  JAX's own end waits for the other processes.

  Args:
    coordinator: 'HOST:PORT' of process 0; None if JAX finds it.
    process: which process this is; None if JAX finds it.
    heartbeat: seconds after which a silent process counts as dead.
    join_s: seconds for all processes to come.

  Raises:
    ConfigError: JAX does not find the other processes.
  """
  where = coordinator or 'the coordinator'
  _answer_abort()
  _Telling.text = (
    f'not all processes came to {where} within {join_s} s; start the same'
    ' command on every host within that time, and give an address and a port'
    ' of the host of process 0 that all hosts reach'
  )
  _connect(coordinator, process, heartbeat, join_s)
  _Telling.text = (
    'another process of this training has ended or cannot be reached (see what'
    f' it says); run the same on every host to go on: {shlex.join(sys.argv)}'
  )
  interrupts.grace_s = GRACE_S
  try:
    yield this()
  except AvjaxError:
    _part()
    raise
  except Exception as error:
    _end(error)
  except SystemExit:
    _leave()
    raise
  _leave()


def _connect(coordinator, process, heartbeat, join_s) -> None:
  """Begins `jax.distributed`."""
  # JAX's own handler of SIGTERM would replace ours, and knows no SIGINT.
  jax.config.update('jax_enable_preemption_service', False)
  try:
    jax.distributed.initialize(
      coordinator,
      None if process is None else process.count,
      None if process is None else process.index,
      initialization_timeout=join_s,
      # Until all have been told, a second or two more pass.
      heartbeat_timeout_seconds=heartbeat - heartbeat // 5,
    )
  except (ValueError, KeyError, IndexError, RuntimeError) as error:
    raise ConfigError(
      f'JAX does not find the other processes ({error}); start this with srun,'
      ' mpirun or on a TPU pod, or give --coordinator=HOST:PORT --processes=N'
      ' --process=I'
    ) from None


def _answer_abort() -> None:
  """Makes abort() print what `_Telling` has, and end with 1.

  After a signal the process ends with what it would have ended with.
  """
  program = os.path.basename(sys.argv[0])

  def say(number) -> None:
    del number
    if _Telling.parting:
      time.sleep(PARTING_S)  # the error is printed meanwhile, and ends this
    text, code = f'{program}: error: {_Telling.text}', 1
    if interrupts.received is not None:
      text = interrupts.line(program, interrupts.received)
      code = 128 + interrupts.received
    for stream in _Telling.terminal:
      os.write(stream, f'{text}\n'.encode())
    os._exit(code)

  _Telling.handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(say)
  ctypes.CDLL(None).signal(signal.SIGABRT, _Telling.handler)


def _part() -> None:
  """Waits for the other processes, if they come to this place at all."""
  _Telling.parting = True
  with contextlib.suppress(Exception):
    _client().wait_at_barrier('avjax/error', PARTING_S * 1000)


def _end(error: Exception) -> None:
  """Ends this process after an exception that is not for users.

  If another process is gone, it says so, as after abort().
  """
  if any(word in str(error) for word in _LOST):
    os.abort()
  traceback.print_exception(error)
  sys.stderr.flush()
  os._exit(1)


def _leave() -> None:
  """Waits for the other processes to have done their work too."""
  with contextlib.suppress(RuntimeError):  # this one's work is done
    jax.distributed.shutdown()


def _client() -> Any:
  return distributed.global_state.client


def exchange(text: str) -> list[str]:
  """Returns what every process says, in their order.

  All processes must call this, in the same order.
  """
  own = this()
  if own.count == 1:
    return [text]
  turn, _Telling.turn = _Telling.turn, _Telling.turn + 1
  client, key = _client(), f'avjax/{turn}'
  client.key_value_set(f'{key}/{own.index}', text)
  return [
    client.blocking_key_value_get(f'{key}/{k}', _FOREVER_MS)
    for k in range(own.count)
  ]


def gathered(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
  """Returns the facts of every process, as JSON, in their order."""
  return [json.loads(text) for text in exchange(json.dumps(facts))]


def barrier() -> None:
  """Waits until every process is here."""
  exchange('')


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
  """Waits behind the block until every process has done it.

  Raises:
    CheckpointError: another process could not; with its error. The process
      itself raises the error.
  """
  own = this()
  try:
    yield
  except AvjaxError as error:
    exchange(f'{socket.gethostname()}\n{error}')
    raise
  for index, text in enumerate(exchange('')):
    if text and index != own.index:
      host, _, said = text.partition('\n')
      raise CheckpointError(f'process {index} ({host}) has ended: {said}')


def from_first(make: Callable[[], bytes]) -> bytes:
  """Returns what `make` returns in process 0, the only one that calls it.

  Raises:
    AvjaxError: `make` raised one; the others raise a CheckpointError.
  """
  data = b''
  with all_or_none():
    if this().first:
      data = make()
  if this().count == 1:
    return data
  first = this().first
  size = multihost_utils.broadcast_one_to_all(np.array(len(data), 'i4'), first)
  array = np.zeros(size, np.uint8)
  if first:
    array[:] = np.frombuffer(data, np.uint8)
  return multihost_utils.broadcast_one_to_all(array, first).tobytes()


def tree_from_first(tree: Any) -> Any:
  """Returns the arrays of process 0, to the bit.

  Args:
    tree: pytree of arrays, of the same shapes and types in every process.
  """
  if this().count == 1:
    return tree
  leaves, structure = jax.tree.flatten(tree)
  arrays = [np.asarray(leaf) for leaf in leaves]
  data = from_first(lambda: b''.join(one.tobytes() for one in arrays))
  made, start = [], 0
  for one in arrays:
    made.append(
      np.frombuffer(data, one.dtype, one.size, start).reshape(one.shape)
    )
    start += one.nbytes
  return jax.tree.unflatten(structure, made)


def agreed(signal_number: int | None) -> int | None:
  """Returns the signal that any process has received, or None.

  All processes must call this, in the same order.
  """
  if this().count == 1:
    return signal_number
  numbers = multihost_utils.process_allgather(np.array(signal_number or 0))
  return int(numbers.max()) or None


def log_to(path: pathlib.Path) -> None:
  """Makes this process print into a file from now on.

  Raises:
    CheckpointError: it cannot be written to.
  """
  try:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
  except OSError as error:
    raise CheckpointError(
      f'{path} cannot be written to: {error.strerror}; use a folder that every'
      ' host can write to'
    ) from None
  sys.stdout.flush()
  sys.stderr.flush()
  _Telling.terminal = (os.dup(2), file)
  os.dup2(file, 1)
  os.dup2(file, 2)
