"""Clips that are put on the device once, and batches gathered there."""

import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from avjax.clips import AUDIO, Batch, Clip
from avjax.data import batching
from avjax.data.loader import Loader
from avjax.shapes import Array, Float, Int
from avjax.training import steps

STEPS = 64
"""Steps in one call: a signal waits no longer than for these."""


@struct.dataclass
class Store:
  """Clips end to end, without padding between them.

  Attributes:
    streams: stream -> (frames of all clips, D), and as many frames behind the
      last clip as the longest batch has.
    start: (clips, 2) first audio and first video frame of each clip.
    length: (clips, 2) audio and video frames of each clip.
    label: (clips,) index of the emotion, or UNKNOWN.
  """

  streams: Mapping[str, Float[Array, 'frames _']]
  start: Int[Array, 'clips 2']
  length: Int[Array, 'clips 2']
  label: Int[Array, ' clips']


def pack(clips: Sequence[Clip], loader: Loader) -> Store:
  """Returns the clips as a store of NumPy arrays.

  Raises:
    DataError: a label is not among the loader's emotions.
  """
  length = np.array([(c.audio_length, c.visual_length) for c in clips], 'i4')
  start = np.cumsum(length, axis=0, dtype=np.int32) - length
  streams = {}
  for name in loader.streams:
    longest = loader.buckets.lengths[-1][name != AUDIO]
    width = clips[0].streams[name].shape[1]
    tail = np.zeros((longest, width), np.float32)
    streams[name] = np.concatenate(
      [*(clip.streams[name] for clip in clips), tail], dtype=np.float32
    )
  return Store(streams, start, length, batching.labels(clips, loader.emotions))


def gather(
  store: Store, indices: Int[Array, ' B'], lengths: tuple[int, int]
) -> Batch:
  """Returns what `batching.collate` does, from clips on the device.

  Args:
    store: the clips.
    indices: of the batch's clips; UNKNOWN makes a row of filler.
    lengths: audio and video frames to pad to, no less than any clip has.
  """
  real = indices >= 0
  clip = jnp.maximum(indices, 0)
  start = store.start[clip]
  length = jnp.where(real[:, None], store.length[clip], 0)

  def stream(name):
    clock = int(name != AUDIO)
    frames = jax.vmap(
      lambda first: jax.lax.dynamic_slice_in_dim(
        store.streams[name], first, lengths[clock]
      )
    )(start[:, clock])
    within = jnp.arange(lengths[clock])[None] < length[:, clock, None]
    return jnp.where(within[..., None], frames, 0)

  visual = {name: stream(name) for name in store.streams if name != AUDIO}
  return Batch(
    audio=stream(AUDIO) if AUDIO in store.streams else None,
    visual=visual,
    audio_length=length[:, 0],
    visual_length=length[:, 1],
    label=jnp.where(real, store.label[clip], batching.UNKNOWN),
    zero_padded=True,
  )


@struct.dataclass
class Plan:
  """The batches of an epoch.

  Attributes:
    indices: of each step's clips within the store; UNKNOWN is filler.
    bucket: number of each step's padded length.
  """

  indices: Int[Array, '*runs S B']
  bucket: Int[Array, '*runs S']


class Resident:
  """Clips on the devices, and what is computed with them there.

  Args:
    clips: all that will be asked for.
    loader: how to batch them.
    whole: where they are put.
    split: how a batch is spread over several devices.
  """

  def __init__(
    self,
    clips: Sequence[Clip],
    loader: Loader,
    whole: jax.sharding.Sharding,
    split: jax.sharding.Sharding | None = None,
  ):
    self._loader = loader
    self._split = split
    self._place = {id(clip): k for k, clip in enumerate(clips)}
    self._clips = clips  # so that no other gets one of these ids
    self.store = jax.device_put(pack(clips, loader), whole)

  def plan(
    self, clips: Sequence[Clip], order: Sequence[Int[np.ndarray, ' _']]
  ) -> Plan:
    """Returns the plan of batches that are given as numbers of `clips`."""
    place = np.array([self._place[id(clip)] for clip in clips], np.int32)
    bucket_of = self._loader.buckets.of(clips)
    indices = np.full(
      (len(order), self._loader.rows), batching.UNKNOWN, np.int32
    )
    for row, batch in zip(indices, order, strict=True):
      row[: len(batch)] = place[batch]
    bucket = [bucket_of[batch].max() for batch in order]
    return Plan(indices, np.array(bucket, np.int32))

  def train(
    self, state: steps.TrainState, plan: Plan, first: int, last: int
  ) -> tuple[steps.TrainState, dict[str, np.ndarray]]:
    """Returns what `train_steps` does, its metrics on the host."""
    state, metrics = train_steps(
      state,
      self.store,
      plan,
      first,
      last,
      buckets=self._loader.buckets,
      sharding=self._split,
    )
    return state, jax.device_get(metrics)

  def logits(
    self, state: steps.TrainState, clips: Sequence[Clip]
  ) -> Float[np.ndarray, 'clips N']:
    """Returns the logits of every clip."""
    order = batching.evaluation_order(
      self._loader.buckets.of(clips), self._loader.batch_size
    )
    rows = predict(
      state,
      self.store,
      self.plan(clips, order),
      buckets=self._loader.buckets,
      sharding=self._split,
    )
    return in_order(np.asarray(rows), order)


def in_order(
  rows: Float[np.ndarray, 'S B N'], order: Sequence[Int[np.ndarray, ' _']]
) -> Float[np.ndarray, 'clips N']:
  """Returns the rows of batches in the order of their clips."""
  taken = [row[: len(batch)] for row, batch in zip(rows, order, strict=True)]
  return np.concatenate(taken)[np.argsort(np.concatenate(order))]


def _branches(compute, store, buckets, sharding):
  """Returns a function of (state, indices) for every padded length."""

  def at(lengths, state, indices):
    batch = gather(store, indices, lengths)
    if sharding is not None:
      batch = jax.lax.with_sharding_constraint(batch, sharding)
    return compute(state, batch)

  return [functools.partial(at, lengths) for lengths in buckets.lengths]


@functools.partial(
  jax.jit, static_argnames=('buckets', 'sharding'), donate_argnums=0
)
def train_steps(
  state: steps.TrainState,
  store: Store,
  plan: Plan,
  first: Int[Array, ''] | int,
  last: Int[Array, ''] | int,
  *,
  buckets: batching.Buckets,
  sharding: jax.sharding.Sharding | None = None,
) -> tuple[steps.TrainState, dict[str, Array]]:
  """Returns the state after the steps [first, last) of an epoch.

  One program for any number of steps; the state is donated.

  Args:
    state: before them.
    store: of the training clips.
    plan: of the epoch.
    first: step to begin with.
    last: step to end before.
    buckets: the padded lengths that the plan counts.
    sharding: of a batch over several devices.

  Returns:
    The state, and what `steps.train_step` says of every step, stacked; zero
    for the others.
  """
  branches = _branches(steps.step, store, buckets, sharding)

  def body(k, carry):
    state, seen = carry
    state, metrics = jax.lax.switch(
      plan.bucket[k], branches, state, plan.indices[k]
    )
    return state, jax.tree.map(lambda s, m: s.at[k].set(m), seen, metrics)

  shapes = jax.eval_shape(lambda: branches[0](state, plan.indices[0])[1])
  seen = jax.tree.map(
    lambda s: jnp.zeros((len(plan.bucket), *s.shape), s.dtype), shapes
  )
  return jax.lax.fori_loop(first, last, body, (state, seen))


@functools.partial(jax.jit, static_argnames=('buckets', 'sharding'))
def predict(
  state: steps.TrainState,
  store: Store,
  plan: Plan,
  *,
  buckets: batching.Buckets,
  sharding: jax.sharding.Sharding | None = None,
) -> Float[Array, 'S B N']:
  """Returns the logits of every batch of a plan, without dropout."""

  def logits(state, batch):
    return state.apply_fn({'params': state.params}, batch).logits

  branches = _branches(logits, store, buckets, sharding)
  return jax.lax.map(
    lambda step: jax.lax.switch(step[0], branches, state, step[1]),
    (plan.bucket, plan.indices),
  )


@functools.partial(
  jax.jit, static_argnames=('buckets', 'together'), donate_argnums=0
)
def train_replicas(
  states: steps.TrainState,
  store: Store,
  plans: Plan,
  first: Int[Array, ''] | int,
  last: Int[Array, ' R'],
  *,
  buckets: batching.Buckets,
  together: bool,
) -> tuple[steps.TrainState, dict[str, Array]]:
  """Returns what `train_steps` does for each of several runs.

  Args:
    states: stacked.
    store: of all training clips.
    plans: stacked; a step of filler alone changes nothing.
    first: step to begin with.
    last: step of each run to end before.
    buckets: the padded lengths that the plans count.
    together: every step of all runs at once, by vmap, each at the longest
      padding that one of them needs; otherwise one run after another, which
      is faster on a CPU: XLA multiplies stacked matrices slowly there.
  """

  def train(state, plan, last):
    return train_steps(state, store, plan, first, last, buckets=buckets)

  if together:
    bucket, end = plans.bucket.max(0), last.max()
    return jax.vmap(lambda s, indices: train(s, Plan(indices, bucket), end))(
      states, plans.indices
    )
  return jax.lax.map(
    lambda one: train(one[0], Plan(*one[1]), one[2]),
    (states, (plans.indices, plans.bucket), last),
  )


@functools.partial(jax.jit, static_argnames=('buckets', 'together'))
def predict_replicas(
  states: steps.TrainState,
  store: Store,
  plans: Plan,
  *,
  buckets: batching.Buckets,
  together: bool,
) -> Float[Array, 'R S B N']:
  """Returns what `predict` does for each of several runs, all stacked."""

  def run(state, plan):
    return predict(state, store, plan, buckets=buckets)

  if together:
    bucket = plans.bucket.max(0)
    return jax.vmap(lambda s, indices: run(s, Plan(indices, bucket)))(
      states, plans.indices
    )
  return jax.lax.map(
    lambda one: run(one[0], Plan(*one[1])),
    (states, (plans.indices, plans.bucket)),
  )
