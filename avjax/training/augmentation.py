"""Random changes of a training batch: additions to the paper, off by default.

Every draw depends on the seed, the step and the clip's row in the global batch,
as in dropout: a resumed run and one on other devices see the same batches.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from avjax.clips import AUDIO, Batch, Clip
from avjax.data import standardising
from avjax.errors import DataError
from avjax.models.dropout import clip_keys
from avjax.settings import RegularisationConfig
from avjax.shapes import Array, Bool, Float, Int, Key


@struct.dataclass
class Speakers:
  """Mean and standard deviation of every speaker's training clips.

  Attributes:
    mean: stream -> (S, D).
    std: stream -> (S, D).
    centre: stream -> (2, D), the mean over the training speakers of their mean
      and of the logarithm of their standard deviation.
    spread: stream -> (2, D), the standard deviations of the same.
    training: (S,) whether the speaker has training clips; others are not drawn.
  """

  mean: Mapping[str, Float[Array, '*runs S _']]
  std: Mapping[str, Float[Array, '*runs S _']]
  centre: Mapping[str, Float[Array, '*runs 2 _']]
  spread: Mapping[str, Float[Array, '*runs 2 _']]
  training: Bool[Array, '*runs S']

  @classmethod
  def of(
    cls,
    mean: Mapping[str, np.ndarray],
    std: Mapping[str, np.ndarray],
    training: np.ndarray,
  ) -> 'Speakers':
    """Returns the moments, with those of the training speakers together."""
    logs = {
      name: np.stack([mean[name], np.log(std[name])])[:, training]
      for name in mean
    }
    return cls(
      mean={name: x.astype(np.float32) for name, x in mean.items()},
      std={name: x.astype(np.float32) for name, x in std.items()},
      centre={name: x.mean(1).astype(np.float32) for name, x in logs.items()},
      spread={name: x.std(1).astype(np.float32) for name, x in logs.items()},
      training=training,
    )


def changes(settings: RegularisationConfig) -> bool:
  """Returns whether `augmented` changes anything."""
  return bool(
    settings.time_mask
    or settings.modality_dropout
    or settings.noise
    or settings.offset
    or settings.speaker_exchange
  )


def moments(
  clips: Sequence[Clip], names: Sequence[str], streams: Sequence[str]
) -> Speakers:
  """Returns the moments of the training clips' speakers.

  Args:
    clips: for training.
    names: all speakers; those without a clip are not drawn.
    streams: to compute them of.

  Raises:
    DataError: no speaker of a clip is known.
  """
  known = [clip for clip in clips if clip.speaker]
  present = {clip.speaker for clip in known}
  if len(present) < 2:
    raise DataError(
      'training.regularisation.speaker_exchange needs two speakers or more'
      ' among the training clips; name them in the store, or set it to 0'
    )
  training = np.array([name in present for name in names])
  rows = {name: _rows(known, names, name) for name in streams}
  return Speakers.of(
    {name: mean for name, (mean, _) in rows.items()},
    {name: std for name, (_, std) in rows.items()},
    training,
  )


def _rows(
  clips: Sequence[Clip], names: Sequence[str], stream: str
) -> tuple[np.ndarray, np.ndarray]:
  """Returns mean and std (S, D) of speakers; 0 and 1 for one without a clip."""
  by_name = standardising.moments_of(clips, stream)
  width = clips[0].shapes[stream][1]
  unknown = np.zeros(width), np.ones(width)
  rows = [by_name.get(name, unknown) for name in names]
  return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def augmented(
  batch: Batch,
  key: Key[Array, ''],
  first_row: Int[Array, ''] | int,
  settings: RegularisationConfig,
  speakers: Speakers | None = None,
) -> Batch:
  """Returns a training batch with random changes; its padding stays zero.

  Args:
    batch: the clips of this device, zero-padded.
    key: of the step.
    first_row: of this device in the global batch.
    settings: how much of what.
    speakers: for the exchange of speakers.
  """
  keys = clip_keys(key, first_row, batch.visual_length.shape[0])

  def drawn(site: int) -> Key[Array, ' B']:
    return jax.vmap(lambda one: jax.random.fold_in(one, site))(keys)

  streams = {name: jnp.asarray(x) for name, x in batch.visual.items()}
  if batch.audio is not None:
    streams[AUDIO] = jnp.asarray(batch.audio)
  for site, name in enumerate(sorted(streams)):
    length = batch.audio_length if name == AUDIO else batch.visual_length
    x = streams[name]
    if settings.speaker_exchange:
      x = _exchanged(x, batch, drawn(0), settings, speakers, name)
    if settings.noise:
      x = x + settings.noise * _normal(drawn(10 + site), x.shape)
    if settings.offset:
      constant = _normal(drawn(20 + site), (x.shape[0], 1, x.shape[2]))
      x = x + settings.offset * constant
    frame = jnp.arange(x.shape[1])[None]
    kept = frame < length[:, None]
    if settings.time_mask:
      first, stop = _interval(drawn(30 + site), length, settings.time_mask)
      kept &= (frame < first[:, None]) | (frame >= stop[:, None])
    streams[name] = jnp.where(kept[..., None], x, 0)
  if settings.modality_dropout and AUDIO in streams and len(streams) > 1:
    silent = _silenced(drawn(1), settings.modality_dropout)
    for name, x in streams.items():
      off = silent[0] if name == AUDIO else silent[1]
      streams[name] = jnp.where(off[:, None, None], 0, x)
  return dataclasses.replace(
    batch, audio=streams.pop(AUDIO, None), visual=streams, zero_padded=True
  )


def mixed(
  batch: Batch, key: Key[Array, ''], first_row, alpha: float
) -> tuple[Batch, Float[Array, ' B'], Int[Array, ' B']]:
  """Returns each clip mixed with its neighbour in the batch (mixup).

  Zhang et al. (2018), "mixup"; the rows 0 and 1, 2 and 3, ... are neighbours,
  so that both are on one device. A mixed clip is as long as the longer one.

  Args:
    batch: the clips of this device, zero-padded.
    key: of the step.
    first_row: of this device in the global batch.
    alpha: of the beta distribution of the clip's own share.

  Returns:
    The batch, the own share (B,) of each clip, and its neighbour's row (B,).
  """
  rows = batch.visual_length.shape[0]
  other = jnp.minimum(jnp.arange(rows) ^ 1, rows - 1)
  keys = clip_keys(jax.random.fold_in(key, 2), first_row, rows)
  share = jax.vmap(lambda one: jax.random.beta(one, alpha, alpha))(keys)
  real = batch.visual_length > 0
  share = jnp.where(real & real[other], jnp.maximum(share, 1 - share), 1)

  def mix(x):
    part = share[:, None, None]
    return part * x + (1 - part) * x[other]

  def longer(length):
    together = jnp.maximum(length, length[other])
    return jnp.where(share < 1, together, length)

  mixture = dataclasses.replace(
    batch,
    audio=None if batch.audio is None else mix(batch.audio),
    visual={name: mix(x) for name, x in batch.visual.items()},
    audio_length=longer(batch.audio_length),
    visual_length=longer(batch.visual_length),
  )
  return mixture, share, other


def losses(
  logits: Float[Array, 'B N'],
  label: Int[Array, ' B'],
  smoothing: float,
  share: Float[Array, ' B'] | None = None,
  other: Int[Array, ' B'] | None = None,
) -> Float[Array, ' B']:
  """Returns the cross-entropy of every clip.

  Args:
    logits: of the clips.
    label: index of each clip's emotion.
    smoothing: share of the target that all emotions divide equally (Szegedy
      et al., 2016, Section 7).
    share: of a clip's own label; None for all of it.
    other: row whose label has the rest.
  """
  if not smoothing and share is None:
    return optax.softmax_cross_entropy_with_integer_labels(logits, label)
  target = jax.nn.one_hot(label, logits.shape[-1], dtype=logits.dtype)
  if share is not None:
    own = jnp.asarray(share)[:, None]
    target = own * target + (1 - own) * target[other]
  return optax.softmax_cross_entropy(
    logits, optax.smooth_labels(target, smoothing)
  )


def _exchanged(x, batch, keys, settings, speakers, name):
  """Returns some clips with the moments of another speaker, of one stream.

  Ours: a speaker's mean and deviation then say nothing about the emotion. With
  `speaker_spread` r the other speaker is made: for every column the mean is
  drawn from a normal distribution with the mean of the training speakers' means
  and r times their standard deviation, and so is the logarithm of the standard
  deviation. Otherwise it is one of the training speakers.
  """
  chance, choice = jnp.unstack(jax.vmap(jax.random.split)(keys), axis=1)
  swap = jax.vmap(jax.random.uniform)(chance) < settings.speaker_exchange
  changed = (swap & (batch.speaker >= 0))[:, None, None]
  own = jnp.maximum(batch.speaker, 0)
  mean, std = speakers.mean[name], speakers.std[name]
  score = (x - mean[own][:, None]) / std[own][:, None]
  if settings.speaker_spread:
    site = sorted(speakers.mean).index(name)
    mean, std = _made(speakers, name, settings.speaker_spread, choice, site)
  else:
    other = _another(speakers.training, choice, own)
    mean, std = mean[other], std[other]
  return jnp.where(changed, score * std[:, None] + mean[:, None], x)


def _another(training, keys, own):
  """Returns (B,) another training speaker than the clip's own."""

  def draw(key, speaker):
    others = training & (jnp.arange(len(training)) != speaker)
    return jax.random.categorical(key, jnp.where(others, 0.0, -jnp.inf))

  return jax.vmap(draw)(keys, own)


def _made(speakers, name, spread, keys, site):
  """Returns mean and standard deviation (B, D) of speakers that are made."""
  keys = jax.vmap(lambda one: jax.random.fold_in(one, site))(keys)
  centre, deviation = speakers.centre[name], speakers.spread[name]
  normal = _normal(keys, (len(keys), *centre.shape))
  drawn = centre[None] + spread * deviation[None] * normal
  return drawn[:, 0], jnp.exp(drawn[:, 1])


def _normal(keys, shape):
  """Returns noise of standard deviation 1, (B, T, D).

  The sum of four random bytes, centred: close to a normal distribution but for
  its tails, which end at 3.5, and drawn in less than half the time.
  """
  size = shape[1] * shape[2]
  words = jax.vmap(lambda key: jax.random.bits(key, (size,), jnp.uint32))(keys)
  quarters = jax.lax.bitcast_convert_type(words, jnp.uint8)
  total = quarters.astype(jnp.int32).sum(-1)
  # A byte has the variance (256**2 - 1) / 12.
  scale = (4 * (256**2 - 1) / 12) ** -0.5
  return ((total - 4 * 127.5) * scale).astype(jnp.float32).reshape(shape)


def _interval(keys, length, share: float):
  """Returns first and stop frame (B,) of an interval within each clip."""

  def draw(key, frames):
    size, start = jax.random.uniform(key, (2,))
    most = jnp.floor(share * frames)
    masked = jnp.floor(size * (most + 1)).astype(jnp.int32)
    first = jnp.floor(start * (frames - masked + 1)).astype(jnp.int32)
    return first, first + masked

  return jax.vmap(draw)(keys, length)


def _silenced(keys, share: float):
  """Returns (B,) whether the audio, and whether all others, are silenced."""

  def draw(key):
    value = jax.random.uniform(key)
    return value < share / 2, (value >= share / 2) & (value < share)

  return jax.vmap(draw)(keys)
