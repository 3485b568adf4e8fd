"""One training step and one evaluation step, on one device or several."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from avjax import settings
from avjax.clips import EMOTIONS, Batch
from avjax.models.classifiers import Prediction, build
from avjax.shapes import Array, Int
from avjax.training import augmentation
from avjax.training.augmentation import Speakers
from avjax.training.optimiser import Schedule, optimiser, schedule


class TrainState(struct.PyTreeNode):
  """The state of a training.

  Attributes:
    step: number of steps taken.
    params: parameters of the network.
    opt_state: state of the optimiser.
    seed: of the dropout masks, together with `step`.
    apply_fn: `apply` of the network.
    tx: the optimiser.
    regularisation: additions to the paper's training.
    schedule: share of the learning rate at a step, or None if it is constant.
    steps: of the whole training, for the schedule; or None.
    average: moving average of the parameters, or None without one.
    speakers: of the training clips, or None if none are exchanged.
  """

  step: Int[Array, '...']
  params: chex.ArrayTree
  opt_state: optax.OptState
  seed: Int[Array, '...']
  apply_fn: Callable = struct.field(pytree_node=False)
  tx: optax.GradientTransformation = struct.field(pytree_node=False)
  regularisation: settings.RegularisationConfig = struct.field(
    pytree_node=False, default=settings.RegularisationConfig()
  )
  schedule: Schedule | None = struct.field(pytree_node=False, default=None)
  steps: Int[Array, '...'] | None = None
  average: chex.ArrayTree | None = None
  speakers: Speakers | None = None

  @property
  def evaluated(self) -> chex.ArrayTree:
    """The parameters that predict: their average, if there is one."""
    return self.params if self.average is None else self.average


@functools.cache
def _network(model: settings.ModelConfig, emotions: tuple[str, ...]):
  """Returns one module and its `init` per setting, so equal runs share both."""
  module = build(model, emotions)
  # This runs once, so compile time matters; without optimisation it is half.
  init = jax.jit(
    module.init, compiler_options={'xla_backend_optimization_level': 0}
  )
  return module, init


def create_state(
  config: Any,
  batch: Batch,
  emotions: Sequence[str] = EMOTIONS,
  steps: int = 1,
  speakers: Speakers | None = None,
) -> TrainState:
  """Returns the state before the first step.

  Args:
    config: a whole config, or `settings.Settings`.
    batch: any batch with the streams and widths of the data.
    emotions: names of the classes.
    steps: of the whole training, for the schedule of the learning rate.
    speakers: of the training clips, if they are to be exchanged.
  """
  config = settings.whole(config)
  _, init = _network(config.model, tuple(emotions))
  state = _state(config, batch, emotions, init)
  if state.schedule is not None:
    state = state.replace(steps=jnp.asarray(steps, jnp.int32))
  if config.training.regularisation.speaker_exchange:
    state = state.replace(speakers=speakers)
  return state


def saved_shapes(
  config: settings.Settings, batch: Batch, emotions: Sequence[str]
) -> dict[str, Any]:
  """Returns `as_saved` of a new state, with shapes in place of arrays.

  Nothing is compiled, which takes seconds and a quarter of a gigabyte.
  """
  module, _ = _network(config.model, tuple(emotions))
  return jax.eval_shape(
    lambda: as_saved(_state(config, batch, emotions, module.init))
  )


def restored_state(
  config: settings.Settings, saved: Mapping[str, Any], emotions: Sequence[str]
) -> TrainState:
  """Returns the state whose `as_saved` is `saved`."""
  module, _ = _network(config.model, tuple(emotions))
  return TrainState(
    **saved,
    seed=np.asarray(config.seed, np.int32),
    apply_fn=module.apply,
    tx=optimiser(config.training),
  )


def _state(
  config: settings.Settings,
  batch: Batch,
  emotions: Sequence[str],
  init: Callable,
) -> TrainState:
  module, _ = _network(config.model, tuple(emotions))
  # The parameters' shapes depend on the widths only: one frame is enough, and
  # one shape for any clips.
  example = jax.tree.map(
    lambda x: jnp.asarray(x[:1, :1, ...] if x.ndim > 1 else x[:1]), batch
  )
  example = example.replace(
    audio_length=jnp.minimum(example.audio_length, 1),
    visual_length=jnp.minimum(example.visual_length, 1),
  )
  key = jax.random.fold_in(jax.random.key(config.seed), 0)
  variables = init(key, example)
  params = variables['params']
  tx = optimiser(config.training)
  regularisation = config.training.regularisation
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    opt_state=tx.init(params),
    seed=jnp.asarray(config.seed, jnp.int32),
    apply_fn=module.apply,
    tx=tx,
    regularisation=regularisation,
    schedule=schedule(config.training),
    average=params if regularisation.average else None,
  )


def step(
  state: TrainState, batch: Batch, axis_name: str | None = None
) -> tuple[TrainState, dict[str, jax.Array]]:
  """Returns the state after one training step, and its metrics.

  The loss is the cross-entropy, averaged over the clips of all devices without
  padding rows. If the loss or a gradient is not finite, the state is returned
  unchanged.

  Args:
    state: the same on every device.
    batch: the clips of this device.
    axis_name: of the device axis; None where `batch` is the whole batch.

  Returns:
    The new state, and the metrics. Over all devices: 'loss' (mean), 'correct'
    and 'count' (numbers of clips), 'finite' (bool). Of this device: 'losses'
    (B,), 0 for padding rows.
  """

  def total(x):
    return x if axis_name is None else jax.lax.psum(x, axis_name)

  rows = batch.visual_length.shape[0]
  first_row = 0 if axis_name is None else jax.lax.axis_index(axis_name) * rows
  key = jax.random.fold_in(jax.random.key(state.seed), 1)
  key = jax.random.fold_in(key, state.step)
  real = batch.visual_length > 0
  label = jnp.maximum(jnp.asarray(batch.label), 0)
  count = total(real.sum())
  batch, target = _augmented(state, batch, label, first_row)

  def mean_loss(params):
    logits = state.apply_fn(
      {'params': params},
      batch,
      train=True,
      first_row=first_row,
      rngs={'dropout': key},
    ).logits
    losses = jnp.where(real, target(logits), 0)
    return losses.sum() / count, (losses, logits.argmax(-1) == label)

  (loss, (losses, correct)), gradients = jax.value_and_grad(
    mean_loss, has_aux=True
  )(state.params)
  loss, gradients = total(loss), total(gradients)
  finite = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(gradients))
  updates, opt_state = state.tx.update(gradients, state.opt_state, state.params)
  if state.schedule is not None:
    assert state.steps is not None
    share = state.schedule(state.step, state.steps)
    updates = jax.tree.map(lambda x: share * x, updates)
  params = optax.apply_updates(state.params, updates)
  updated = state.replace(
    step=state.step + 1,
    params=params,
    opt_state=opt_state,
    average=_averaged(state, params),
  )
  state = jax.tree.map(
    lambda new, old: jnp.where(finite, new, old), updated, state
  )
  metrics = {
    'loss': loss,
    'correct': total((correct & real).sum()),
    'count': count,
    'finite': finite,
    'losses': losses,
  }
  return state, metrics


def _augmented(state: TrainState, batch: Batch, label, first_row):
  """Returns the batch to learn from, and a function of logits to losses.

  Without an addition to the paper's training it is the batch itself.
  """
  given = state.regularisation
  share = other = None
  key = jax.random.fold_in(jax.random.key(state.seed), 2)
  key = jax.random.fold_in(key, state.step)
  if augmentation.changes(given):
    batch = augmentation.augmented(batch, key, first_row, given, state.speakers)
  if given.mixup:
    batch, share, other = augmentation.mixed(batch, key, first_row, given.mixup)
  return batch, lambda logits: augmentation.losses(
    logits, label, given.label_smoothing, share, other
  )


def _averaged(state: TrainState, params: chex.ArrayTree):
  """Returns the moving average of the parameters, or None without one."""
  if state.average is None:
    return None
  decay = state.regularisation.average
  return jax.tree.map(
    lambda old, new: decay * old + (1 - decay) * new, state.average, params
  )


def as_saved(state: TrainState) -> dict[str, Any]:
  """Returns the arrays of a state to save; the config determines the rest."""
  saved = {
    'step': state.step,
    'params': state.params,
    'opt_state': state.opt_state,
  }
  return saved if state.average is None else saved | {'average': state.average}


train_step = jax.jit(step, donate_argnums=0)
"""`train_step(state, batch) -> (state, metrics)`, see `step`.

With a sharded batch and a replicated state it trains data-parallel. The state
is donated.
"""


@functools.cache
def sharded_train_step(mesh: jax.sharding.Mesh):
  """Returns `train_step` for the devices of several processes.

  Each takes the steps of its own rows, as under pmap. Left to itself the
  compiler gathers the inputs of every LSTM's loop, and has each device compute
  it for all rows, which costs more between hosts than within one.

  Args:
    mesh: of all devices, along 'data'.
  """
  whole, rows = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec('data')
  metrics = dict.fromkeys(('loss', 'correct', 'count', 'finite'), whole)
  return jax.jit(
    jax.shard_map(
      functools.partial(step, axis_name='data'),
      mesh=mesh,
      in_specs=(whole, rows),
      out_specs=(whole, metrics | {'losses': rows}),
      check_vma=False,
    ),
    donate_argnums=0,
  )


@functools.cache
def sharded_eval_step(mesh: jax.sharding.Mesh):
  """Returns `eval_step` for the devices of several processes.

  Each has its own rows.

  Args:
    mesh: of all devices, along 'data'.
  """
  whole, rows = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec('data')
  return jax.jit(
    jax.shard_map(
      eval_step,
      mesh=mesh,
      in_specs=(whole, rows),
      out_specs=rows,
      check_vma=False,
    )
  )


@functools.cache
def largest(sharding: jax.sharding.Sharding):
  """Returns a function of an array to its largest entry, everywhere.

  Args:
    sharding: that replicates an array on all devices.
  """
  return jax.jit(jnp.max, out_shardings=sharding)


@functools.cache
def pmapped_train_step(devices: tuple[jax.Device, ...]):
  """Returns `step` under pmap; all arguments have a leading device axis."""
  return jax.pmap(
    functools.partial(step, axis_name='data'),
    axis_name='data',
    devices=devices,
    donate_argnums=0,
  )


@jax.jit
def eval_step(state: TrainState, batch: Batch) -> Prediction:
  """Returns the prediction for a batch, without dropout."""
  return state.apply_fn({'params': state.evaluated}, batch)
