"""Placement of states and batches on all devices, by jit or pmap.

In several processes a batch has the rows of this process only, and what is read
from the devices is the same in every process.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from avjax import freed_memory
from avjax.clips import Batch
from avjax.errors import ConfigError
from avjax.processes import Process
from avjax.training import steps

_ROWS = {'losses'}
"""Metrics with one value a row."""


class Devices:
  """All devices of all processes, and how a step is distributed over them.

  Args:
    parallelism: 'jit' shards the batch, and the compiler inserts the
      communication; in several processes shard_map does. 'pmap' maps the step
      over the devices explicitly. All compute the same updates.

  Attributes:
    process: which process this is; its rows follow those of the one before.

  Raises:
    ConfigError: the processes have different numbers of devices.
  """

  def __init__(self, parallelism: str):
    self._pmap = parallelism == 'pmap'
    freed_memory.keep()
    self.process = Process(jax.process_index(), jax.process_count())
    self._devices = tuple(
      sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
    )
    self._local = tuple(
      d for d in self._devices if d.process_index == self.process.index
    )
    counts = Counter(device.process_index for device in self._devices)
    if len(set(counts.values())) > 1:
      raise ConfigError(
        'the processes have different numbers of devices'
        f' ({", ".join(str(counts[k]) for k in sorted(counts))}); give each'
        ' process as many'
      )
    self._mesh = jax.sharding.Mesh(np.array(self._devices), ('data',))
    spec = jax.sharding.PartitionSpec
    self._sharded = jax.sharding.NamedSharding(self._mesh, spec('data'))
    self._replicated = jax.sharding.NamedSharding(self._mesh, spec())

  def __len__(self) -> int:
    return len(self._devices)

  def __str__(self) -> str:
    return f'{len(self)} x {self._devices[0].device_kind}'

  def rows(self, batch_size: int) -> int:
    """Returns the batch size rounded up to a multiple of the device count."""
    return -(-batch_size // len(self)) * len(self)

  def keep_clips(self, placement: str, size: int) -> bool:
    """Returns whether all clips of a run are kept on the devices.

    Args:
      placement: 'device', 'host' or 'auto'. 'auto' keeps them on accelerators
        if they fill at most half of a device's memory. On a CPU it does not:
        that would save a tenth of an epoch but take longer to compile. Nor in
        several processes, where the steps would exchange more than gradients.
      size: of the clips, in bytes.
    """
    if placement != 'auto':
      return placement == 'device'
    device = self._local[0]
    if self._pmap or self.is_cpu or self.process.count > 1:
      return False
    memory = device.memory_stats() or {}
    return 2 * size <= memory.get('bytes_limit', 0)

  @property
  def is_cpu(self) -> bool:
    """Whether the devices are a CPU."""
    return self._local[0].platform == 'cpu'

  def run_shardings(
    self, runs: int
  ) -> tuple[jax.sharding.Sharding, jax.sharding.Sharding]:
    """Returns the shardings of stacked runs, and of what all runs share.

    The runs are sharded over the largest possible number of devices that
    divides their number. On a CPU they use one device, since virtual devices
    share its cores. What they share is replicated on the same devices.
    """
    count = next(n for n in range(len(self), 0, -1) if runs % n == 0)
    devices = self._devices[: 1 if self.is_cpu else count]
    mesh = jax.sharding.Mesh(np.array(devices), ('run',))
    spec = jax.sharding.PartitionSpec
    return (
      jax.sharding.NamedSharding(mesh, spec('run')),
      jax.sharding.NamedSharding(mesh, spec()),
    )

  @property
  def sharded(self) -> jax.sharding.NamedSharding | None:
    """The sharding of a batch over the devices; None for a single device."""
    return self._sharded if len(self) > 1 else None

  def put_state(self, state: steps.TrainState) -> steps.TrainState:
    """Returns a state on every device, in the form that `train_step` takes."""
    if not self._pmap:
      return self.replicate(state)
    stacked = jax.tree.map(lambda x: np.asarray(x)[None], state)
    return self._copied(stacked, self._sharded, len(self))

  def replicate(self, tree: Any) -> Any:
    """Returns arrays replicated on every device, as `eval_step` takes them."""
    return self._copied(tree, self._replicated, 1)

  def _copied(self, tree: Any, sharding: jax.sharding.Sharding, count: int):
    """Returns arrays of which every device has a copy as its own part.

    Args:
      tree: pytree of arrays, which every process has.
      sharding: of the results.
      count: how many parts they have along their first axis.
    """

    def copied(x):
      shape = np.shape(x)
      shape = (count * shape[0], *shape[1:]) if count > 1 else shape
      parts = [jax.device_put(x, d, may_alias=False) for d in self._local]
      return jax.make_array_from_single_device_arrays(shape, sharding, parts)

    return jax.tree.map(copied, tree)

  def _put_batch(self, batch: Batch) -> Batch:
    """Returns a batch, of which this process has its own rows, on devices."""
    if self.process.count == 1:
      return jax.device_put(batch, self._sharded)
    return jax.tree.map(
      lambda x: jax.make_array_from_process_local_data(self._sharded, x), batch
    )

  def unstack(self, state: steps.TrainState) -> steps.TrainState:
    """Returns a state of `train_step` without the device axis of pmap."""
    if self._pmap:
      return self.replicate(
        jax.tree.map(lambda x: x.addressable_shards[0].data[0], state)
      )
    return state

  def train_step(
    self, state: steps.TrainState, batch: Batch
  ) -> tuple[steps.TrainState, dict]:
    """Returns the new state and metrics; see `steps.step`.

    Args:
      state: from `put_state` or from the previous step.
      batch: NumPy arrays, of which this process has its own rows.
    """
    if not self._pmap:
      return self._jitted_step(state, self._put_batch(batch))
    local = len(self._local)
    batch = jax.tree.map(lambda x: x.reshape(local, -1, *x.shape[1:]), batch)
    state, metrics = steps.pmapped_train_step(self._devices)(state, batch)
    losses = metrics.pop('losses')
    first = {
      name: value.addressable_shards[0].data[0]
      for name, value in metrics.items()
    }
    return state, first | {'losses': losses}

  @property
  def apart(self) -> bool:
    """Whether a step is several, one a device with rows of its own."""
    return len(self) > 1 and (self._pmap or self.process.count > 1)

  @property
  def _jitted_step(self):
    """The step under jit."""
    if self.process.count == 1:
      return steps.train_step
    return steps.sharded_train_step(self._mesh)

  def on_host(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the metrics of a step as this process can read them.

    'losses' is one array of all rows, and there only if the step failed.
    """
    read = {name: np.asarray(metrics[name]) for name in metrics.keys() - _ROWS}
    if not read['finite']:
      for name in _ROWS:
        rows = multihost_utils.process_allgather(metrics[name], tiled=True)
        read[name] = np.asarray(rows).reshape(-1)
    return read

  def largest(self, number: int):
    """Returns the largest number that a process gives, perhaps not yet known.

    All processes must call this, in the same order.
    """
    if self.process.count == 1:
      return number
    own = np.full(len(self._local), number, np.int32)
    numbers = jax.make_array_from_process_local_data(self._sharded, own)
    return steps.largest(self._replicated)(numbers)

  def eval_step(self, state: steps.TrainState, batch: Batch):
    """Returns the prediction for a batch, as NumPy arrays without dropout.

    Args:
      state: from `replicate` or `unstack`.
      batch: NumPy arrays, of which this process has its own rows; the
        prediction has those of all processes.
    """
    batch = self._put_batch(batch)
    if self.process.count == 1:
      return jax.device_get(steps.eval_step(state, batch))
    prediction = steps.sharded_eval_step(self._mesh)(state, batch)
    return multihost_utils.process_allgather(prediction, tiled=True)
