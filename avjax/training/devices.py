"""Placement of states and batches on the local devices, by jit or pmap."""

import jax
import numpy as np

from avjax import freed_memory
from avjax.clips import Batch
from avjax.training import steps


class Devices:
  """All local devices, and how a step is distributed over them.

  Args:
    parallelism: 'jit' shards the batch, and the compiler inserts the
      communication; 'pmap' maps the step over the devices explicitly. Both
      compute the same updates.
  """

  def __init__(self, parallelism: str):
    self._pmap = parallelism == 'pmap'
    freed_memory.keep()
    self._devices = tuple(jax.local_devices())
    mesh = jax.sharding.Mesh(np.array(self._devices), ('data',))
    spec = jax.sharding.PartitionSpec
    self._sharded = jax.sharding.NamedSharding(mesh, spec('data'))
    self._replicated = jax.sharding.NamedSharding(mesh, spec())

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
        that would save a tenth of an epoch but take longer to compile.
      size: of the clips, in bytes.
    """
    if placement != 'auto':
      return placement == 'device'
    device = self._devices[0]
    if self._pmap or self.is_cpu:
      return False
    memory = device.memory_stats() or {}
    return 2 * size <= memory.get('bytes_limit', 0)

  @property
  def is_cpu(self) -> bool:
    """Whether the devices are a CPU."""
    return self._devices[0].platform == 'cpu'

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
  def replicated(self) -> jax.sharding.Sharding:
    """The sharding of an array that is replicated on every device."""
    return self._replicated

  @property
  def sharded(self) -> jax.sharding.Sharding | None:
    """The sharding of a batch over the devices; None for a single device."""
    return self._sharded if len(self) > 1 else None

  def put_state(self, state: steps.TrainState) -> steps.TrainState:
    """Returns a state on every device, in the form that `train_step` takes."""
    if self._pmap:
      state = jax.tree.map(lambda x: np.stack([x] * len(self)), state)
      return jax.device_put(state, self._sharded, may_alias=False)
    return self.replicate(state)

  def replicate(self, state: steps.TrainState) -> steps.TrainState:
    """Returns a state replicated on every device, as `eval_step` takes it."""
    return jax.device_put(state, self._replicated, may_alias=False)

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
      batch: NumPy arrays.
    """
    if self._pmap:
      batch = jax.tree.map(
        lambda x: x.reshape(len(self), -1, *x.shape[1:]), batch
      )
      step = steps.pmapped_train_step(self._devices)
      state, metrics = step(state, batch)
      losses = metrics.pop('losses').reshape(-1)
      return state, {k: v[0] for k, v in metrics.items()} | {'losses': losses}
    return steps.train_step(state, jax.device_put(batch, self._sharded))

  def eval_step(self, state: steps.TrainState, batch: Batch):
    """Returns the prediction for a batch of NumPy arrays, without dropout."""
    return steps.eval_step(state, jax.device_put(batch, self._sharded))
