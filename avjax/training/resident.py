"""Clips that stay on the device, and batches that are gathered there."""

import functools
from collections.abc import Callable, Mapping, Sequence

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
"""Steps per call; a signal is noticed after at most this many."""


@struct.dataclass
class PackedClips:
  """Clips concatenated over time, without padding between them.

  Attributes:
    streams: stream -> (frames of all clips, D), followed by zero frames: as
      many as the longest padded length.
    start: (clips, 2) first audio frame and first video frame of each clip.
    length: (clips, 2) audio frames and video frames of each clip.
    label: (clips,) index of the emotion, or UNKNOWN.
    speaker: (clips,) index of the speaker, or UNKNOWN; or None.
  """

  streams: Mapping[str, Float[Array, 'frames _']]
  start: Int[Array, 'clips 2']
  length: Int[Array, 'clips 2']
  label: Int[Array, ' clips']
  speaker: Int[Array, ' clips'] | None = None


def pack(clips: Sequence[Clip], loader: Loader) -> PackedClips:
  """Returns the clips concatenated, as NumPy arrays.

  Args:
    clips: with the streams of the loader.
    loader: names the streams, the emotions and the padded lengths.

  Raises:
    DataError: a label is not among the loader's emotions.
  """
  length = np.array([(c.audio_length, c.visual_length) for c in clips], 'i4')
  start = np.cumsum(length, axis=0, dtype=np.int32) - length
  streams = {}
  for name in loader.streams:
    longest = loader.buckets.lengths[-1][name != AUDIO]
    frames = length[:, int(name != AUDIO)]
    streams[name] = np.zeros(
      (frames.sum() + longest, clips[0].shapes[name][1]), np.float32
    )
    ends = np.cumsum(frames)
    for clip, end, count in zip(clips, ends, frames, strict=True):
      streams[name][end - count : end] = clip.streams[name]
  label = batching.labels(clips, loader.emotions)
  speaker = None
  if loader.speakers:
    speaker = batching.speakers(clips, loader.speakers)
  return PackedClips(streams, start, length, label, speaker)


def gather(
  packed: PackedClips, indices: Int[Array, ' B'], lengths: tuple[int, int]
) -> Batch:
  """Returns the batch that `batching.collate` makes, from clips on the device.

  Args:
    packed: the clips.
    indices: of the clips of the batch; UNKNOWN makes a padding row.
    lengths: audio and video frames to pad to, at least those of every clip.
  """
  real = indices >= 0
  clip = jnp.maximum(indices, 0)
  start = packed.start[clip]
  length = jnp.where(real[:, None], packed.length[clip], 0)

  def stream(name):
    modality = int(name != AUDIO)  # column of `start` and of `length`
    frames = jax.vmap(
      lambda first: jax.lax.dynamic_slice_in_dim(
        packed.streams[name], first, lengths[modality]
      )
    )(start[:, modality])
    within = jnp.arange(lengths[modality])[None] < length[:, modality, None]
    return jnp.where(within[..., None], frames, 0)

  visual = {name: stream(name) for name in packed.streams if name != AUDIO}
  return Batch(
    audio=stream(AUDIO) if AUDIO in packed.streams else None,
    visual=visual,
    audio_length=length[:, 0],
    visual_length=length[:, 1],
    label=jnp.where(real, packed.label[clip], batching.UNKNOWN),
    speaker=None
    if packed.speaker is None
    else jnp.where(real, packed.speaker[clip], batching.UNKNOWN),
    zero_padded=True,
  )


@struct.dataclass
class Plan:
  """The batches of an epoch.

  Attributes:
    indices: of the clips of every step; UNKNOWN for a padding row.
    bucket: index of every step's padded length in `Buckets.lengths`.
  """

  indices: Int[Array, '*runs S B']
  bucket: Int[Array, '*runs S']


class Resident:
  """Clips that stay on the devices, and steps that use them there.

  Args:
    clips: all clips that plans may contain.
    loader: batch size, padded lengths, streams and emotions.
    place: puts arrays on all devices.
    sharded: sharding of a batch; None for a single device.

  Attributes:
    packed: the clips on the devices.
  """

  def __init__(
    self,
    clips: Sequence[Clip],
    loader: Loader,
    place: Callable[[PackedClips], PackedClips],
    sharded: jax.sharding.NamedSharding | None = None,
  ):
    self._loader = loader
    self._sharded = sharded
    self._index = {id(clip): k for k, clip in enumerate(clips)}
    self._clips = clips  # keeps them alive, so that their ids stay unique
    self.packed = place(pack(clips, loader))

  def plan(
    self, clips: Sequence[Clip], order: Sequence[Int[np.ndarray, ' _']]
  ) -> Plan:
    """Returns the plan of an epoch.

    Args:
      clips: of a split.
      order: the batches, as indices of `clips`.
    """
    index = np.array([self._index[id(clip)] for clip in clips], np.int32)
    bucket_of = self._loader.buckets.of(clips)
    indices = np.full(
      (len(order), self._loader.rows), batching.UNKNOWN, np.int32
    )
    for row, batch in zip(indices, order, strict=True):
      row[: len(batch)] = index[batch]
    bucket = [bucket_of[batch].max() for batch in order]
    return Plan(indices, np.array(bucket, np.int32))

  def train(
    self, state: steps.TrainState, plan: Plan, first: int, last: int
  ) -> tuple[steps.TrainState, dict[str, np.ndarray]]:
    """Returns the state after some steps, and their metrics on the host.

    For the arguments see `train_steps`.
    """
    state, metrics = train_steps(
      state,
      self.packed,
      plan,
      first,
      last,
      buckets=self._loader.buckets,
      rows=self._loader.rows_of,
      sharding=self._sharded,
    )
    return state, jax.device_get(metrics)

  def logits(
    self, state: steps.TrainState, clips: Sequence[Clip]
  ) -> Float[np.ndarray, 'clips N']:
    """Returns the logits of every clip, without dropout."""
    order = self._loader.evaluation_order(clips)
    rows = predict(
      state,
      self.packed,
      self.plan(clips, order),
      buckets=self._loader.buckets,
      rows=self._loader.rows_of,
      sharding=self._sharded,
    )
    return in_order(np.asarray(rows), order)


def in_order(
  rows: Float[np.ndarray, 'S B N'], order: Sequence[Int[np.ndarray, ' _']]
) -> Float[np.ndarray, 'clips N']:
  """Returns the rows of all batches in the order of the clips.

  Args:
    rows: one per clip and padding row, in S batches of B rows.
    order: indices of the clips of every batch.
  """
  taken = [row[: len(batch)] for row, batch in zip(rows, order, strict=True)]
  return np.concatenate(taken)[np.argsort(np.concatenate(order))]


def _branches(compute, packed, buckets, rows, sharding):
  """Returns a function of (state, indices) for every padded length.

  Args:
    compute: (state, batch) -> (result, one value a row).
    packed: the clips.
    buckets: the padded lengths.
    rows: of a batch of each padded length; () if all have all rows.
    sharding: of a batch; None for a single device.
  """

  def padded_to(lengths, count, state, indices):
    batch = gather(packed, indices[:count], lengths)
    if sharding is not None:
      batch = jax.lax.with_sharding_constraint(batch, sharding)
    result, by_row = compute(state, batch)
    if sharding is not None and not sharding.is_fully_addressable:
      # Every process reads the rows of all.
      spec = jax.sharding.PartitionSpec()
      everywhere = jax.sharding.NamedSharding(sharding.mesh, spec)
      result, by_row = jax.lax.with_sharding_constraint(
        (result, by_row), everywhere
      )
    missing = len(indices) - len(by_row)
    widths = [(0, missing)] + [(0, 0)] * (by_row.ndim - 1)
    return result, jnp.pad(by_row, widths)

  counts = rows or [None] * len(buckets.lengths)
  return [
    functools.partial(padded_to, pair, count)
    for pair, count in zip(buckets.lengths, counts, strict=True)
  ]


@functools.partial(
  jax.jit, static_argnames=('buckets', 'rows', 'sharding'), donate_argnums=0
)
def train_steps(
  state: steps.TrainState,
  packed: PackedClips,
  plan: Plan,
  first: Int[Array, ''] | int,
  last: Int[Array, ''] | int,
  *,
  buckets: batching.Buckets,
  rows: tuple[int, ...] = (),
  sharding: jax.sharding.NamedSharding | None = None,
) -> tuple[steps.TrainState, dict[str, Array]]:
  """Returns the state after the steps [first, last) of an epoch.

  It is compiled once for any number of steps. The state is donated.

  Args:
    state: before these steps.
    packed: the clips.
    plan: of the epoch.
    first: the first step, from 0.
    last: one past the last step.
    buckets: the padded lengths.
    rows: of a batch of each padded length; () if all have all rows.
    sharding: of a batch; None for a single device.

  Returns:
    The state, and the metrics of `steps.step`, stacked over the steps of the
    epoch; zero for the steps outside [first, last).
  """

  def step(state, batch):
    state, metrics = steps.step(state, batch)
    losses = metrics.pop('losses')
    return (state, metrics), losses

  branches = _branches(step, packed, buckets, rows, sharding)

  def one(state, k):
    (state, metrics), losses = jax.lax.switch(
      plan.bucket[k], branches, state, plan.indices[k]
    )
    return state, metrics | {'losses': losses}

  def body(k, carry):
    state, stacked = carry
    state, metrics = one(state, k)
    return state, jax.tree.map(lambda s, m: s.at[k].set(m), stacked, metrics)

  shapes = jax.eval_shape(lambda: one(state, 0)[1])
  stacked = jax.tree.map(
    lambda s: jnp.zeros((len(plan.bucket), *s.shape), s.dtype), shapes
  )
  return jax.lax.fori_loop(first, last, body, (state, stacked))


@functools.partial(jax.jit, static_argnames=('buckets', 'rows', 'sharding'))
def predict(
  state: steps.TrainState,
  packed: PackedClips,
  plan: Plan,
  *,
  buckets: batching.Buckets,
  rows: tuple[int, ...] = (),
  sharding: jax.sharding.NamedSharding | None = None,
) -> Float[Array, 'S B N']:
  """Returns the logits of every batch of a plan, without dropout.

  For the arguments see `train_steps`.
  """

  def logits(state, batch):
    return (), state.apply_fn({'params': state.evaluated}, batch).logits

  branches = _branches(logits, packed, buckets, rows, sharding)
  return jax.lax.map(
    lambda step: jax.lax.switch(step[0], branches, state, step[1])[1],
    (plan.bucket, plan.indices),
  )


@functools.partial(
  jax.jit, static_argnames=('buckets', 'rows', 'together'), donate_argnums=0
)
def train_replicas(
  states: steps.TrainState,
  packed: PackedClips,
  plans: Plan,
  first: Int[Array, ''] | int,
  last: Int[Array, ' R'],
  *,
  buckets: batching.Buckets,
  rows: tuple[int, ...] = (),
  together: bool,
) -> tuple[steps.TrainState, dict[str, Array]]:
  """Returns the states and metrics of `train_steps` for several runs.

  Args:
    states: of the runs, stacked.
    packed: the clips of all runs.
    plans: of the runs, stacked; a step of padding rows only changes nothing.
    first: the first step, from 0.
    last: one past the last step of each run.
    buckets: the padded lengths.
    rows: as in `train_steps`; () if `together`.
    together: whether a step computes all runs at once, by vmap, padded to the
      longest length that one of them needs. Otherwise one run is trained after
      another, which is faster on a CPU, where XLA's batched matrix products are
      slow.
  """

  def train(state, plan, last):
    return train_steps(
      state, packed, plan, first, last, buckets=buckets, rows=rows
    )

  if together:
    bucket, end = plans.bucket.max(0), last.max()
    return jax.vmap(lambda s, indices: train(s, Plan(indices, bucket), end))(
      states, plans.indices
    )
  return jax.lax.map(
    lambda one: train(one[0], Plan(*one[1]), one[2]),
    (states, (plans.indices, plans.bucket), last),
  )


@functools.partial(jax.jit, static_argnames=('buckets', 'rows', 'together'))
def predict_replicas(
  states: steps.TrainState,
  packed: PackedClips,
  plans: Plan,
  *,
  buckets: batching.Buckets,
  rows: tuple[int, ...] = (),
  together: bool,
) -> Float[Array, 'R S B N']:
  """Returns the logits of `predict` for several runs.

  For the arguments see `train_replicas`.
  """

  def run(state, plan):
    return predict(state, packed, plan, buckets=buckets, rows=rows)

  if together:
    bucket = plans.bucket.max(0)
    return jax.vmap(lambda s, indices: run(s, Plan(indices, bucket)))(
      states, plans.indices
    )
  return jax.lax.map(
    lambda one: run(one[0], Plan(*one[1])),
    (states, (plans.indices, plans.bucket)),
  )
