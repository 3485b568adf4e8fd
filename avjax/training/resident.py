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


def size(clips: Sequence[Clip], streams: Sequence[str]) -> int:
  """Returns the bytes of the clips' streams in float32."""
  return sum(4 * clip.streams[name].size for clip in clips for name in streams)


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


@functools.partial(
  jax.jit, static_argnames=('buckets', 'sharding'), donate_argnums=0
)
def train_steps(
  state: steps.TrainState,
  store: Store,
  order: Int[Array, 'S B'],
  bucket: Int[Array, ' S'],
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
    order: the clips of every step of the epoch; UNKNOWN is filler.
    bucket: the padded length of every step.
    first: step to begin with.
    last: step to end before.
    buckets: the lengths that `bucket` counts.
    sharding: of a batch over several devices.

  Returns:
    The state, and what `steps.train_step` says of every step, zero for the
    others.
  """

  def take(lengths, state, indices):
    batch = gather(store, indices, lengths)
    if sharding is not None:
      batch = jax.lax.with_sharding_constraint(batch, sharding)
    return steps.step(state, batch)

  branches = [functools.partial(take, pair) for pair in buckets.lengths]

  def body(k, carry):
    state, seen = carry
    state, metrics = jax.lax.switch(bucket[k], branches, state, order[k])
    return state, jax.tree.map(lambda s, m: s.at[k].set(m), seen, metrics)

  shapes = jax.eval_shape(branches[0], state, order[0])[1]
  seen = jax.tree.map(
    lambda s: jnp.zeros((len(order), *s.shape), s.dtype), shapes
  )
  return jax.lax.fori_loop(first, last, body, (state, seen))
