"""Where a state and its batches live: the local devices, by jit or pmap."""

import jax
import numpy as np

from avjax.clips import Batch
from avjax.training import steps


class Devices:
  """All local devices, and how a step is spread over them.

  Args:
    parallelism: 'jit' shards the batch and lets the compiler communicate;
      'pmap' maps the step over the devices by hand. Both train alike.
  """

  def __init__(self, parallelism: str):
    self._pmap = parallelism == 'pmap'
    self._devices = tuple(jax.local_devices())
    mesh = jax.sharding.Mesh(np.array(self._devices), ('data',))
    spec = jax.sharding.PartitionSpec
    self._split = jax.sharding.NamedSharding(mesh, spec('data'))
    self._whole = jax.sharding.NamedSharding(mesh, spec())

  def __len__(self) -> int:
    return len(self._devices)

  def __str__(self) -> str:
    return f'{len(self)} x {self._devices[0].device_kind}'

  def rows(self, batch_size: int) -> int:
    """Returns the rows of a batch: the next multiple of the devices."""
    return -(-batch_size // len(self)) * len(self)

  def hold(self, placement: str, size: int) -> bool:
    """Says whether a run's clips are put on the devices once and for all.

    Args:
      placement: 'device' and 'host' decide it. 'auto' does so on accelerators
        where the clips fill at most half of a device's memory: on a CPU it
        saves a tenth of an epoch, and compiles longer.
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

  def over_runs(
    self, runs: int
  ) -> tuple[jax.sharding.Sharding, jax.sharding.Sharding]:
    """Returns how stacked runs are spread, and what lies whole beside them.

    Over as many devices as divide their number; on a CPU over one, since its
    cores are shared anyway.
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
  def whole(self) -> jax.sharding.Sharding:
    """How an array lies whole on every device."""
    return self._whole

  @property
  def split(self) -> jax.sharding.Sharding | None:
    """How a batch is spread over the devices; None for a single one."""
    return self._split if len(self) > 1 else None

  def put_state(self, state: steps.TrainState) -> steps.TrainState:
    """Returns the state on every device, ready for `train_step`."""
    if self._pmap:
      state = jax.tree.map(lambda x: np.stack([x] * len(self)), state)
      return jax.device_put(state, self._split, may_alias=False)
    return self.one_state(state)

  def one_state(self, state: steps.TrainState) -> steps.TrainState:
    """Returns a state as `eval_step` takes it, whole on every device."""
    return jax.device_put(state, self._whole, may_alias=False)

  def first(self, state: steps.TrainState) -> steps.TrainState:
    """Returns what `put_state` was given, from what came of it since."""
    if self._pmap:
      return self.one_state(
        jax.tree.map(lambda x: x.addressable_shards[0].data[0], state)
      )
    return state

  def train_step(
    self, state: steps.TrainState, batch: Batch
  ) -> tuple[steps.TrainState, dict]:
    """Returns what `steps.train_step` does, for a batch from the host."""
    if self._pmap:
      batch = jax.tree.map(
        lambda x: x.reshape(len(self), -1, *x.shape[1:]), batch
      )
      step = steps.pmapped_train_step(self._devices)
      state, metrics = step(state, batch)
      losses = metrics.pop('losses').reshape(-1)
      return state, {k: v[0] for k, v in metrics.items()} | {'losses': losses}
    return steps.train_step(state, jax.device_put(batch, self._split))

  def eval_step(self, state: steps.TrainState, batch: Batch):
    """Returns what `steps.eval_step` does, for a batch from the host."""
    return steps.eval_step(state, jax.device_put(batch, self._split))
