"""Temporal alignment of audio and video: Section 2.1, Eqs. 4-6."""

from fractions import Fraction

import jax
import jax.numpy as jnp

from avjax.shapes import Array, Bool, Float, Int, checked

LONGEST = 2**20
"""Frames up to which the centre of the window is exact: over nine hours."""


@checked
def align(
  audio: Float[Array, 'Ta C'],
  visual: Float[Array, 'T V'],
  w_audio: Float[Array, 'C A'],
  w_visual: Float[Array, 'V A'],
  w_place: Float[Array, 'W A'],
  audio_length: Int[Array, ''] | int | None = None,
  visual_length: Int[Array, ''] | int | None = None,
  ratio: Fraction | None = None,
) -> tuple[Float[Array, 'T C'], Float[Array, 'T W']]:
  """Returns the aligned audio x_t (Eq. 6) and its weights l_t (Eq. 4).

  Each video frame looks at W = 2w places around its own moment. Every frame
  is computed at once: the scores do not depend on a recurrent state.

  Args:
    audio: h_{a,j}, one row an audio frame; zero on padding.
    visual: v_t, one row a video frame; finite on padding.
    w_audio: W^a of Eq. 5.
    w_visual: W^v of Eq. 5.
    w_place: W_i of Eq. 5, one row a place of the window.
    audio_length: true audio frames; all of Ta where None.
    visual_length: true video frames; all of T where None.
    ratio: audio frames a video frame, for the centre of the window; Ta / T
      where None.

  Returns:
    x_t and l_t. The weights sum to one over the places that exist; they and
    x_t are zero where none does: on padding, or without any audio.
  """
  frame, exists = window(
    w_place.shape[0],
    audio.shape[0],
    visual.shape[0],
    audio_length,
    visual_length,
    ratio,
  )
  keys, query = (audio @ w_audio)[frame], visual @ w_visual
  return combine(audio[frame], keys, query, w_place, exists)


def combine(
  nearby: Float[Array, 'T W C'],
  keys: Float[Array, 'T W A'],
  query: Float[Array, 'T A'],
  w_place: Float[Array, 'W A'],
  exists: Bool[Array, 'T W'],
) -> tuple[Float[Array, 'T C'], Float[Array, 'T W']]:
  """Returns x_t and l_t from the audio at every place; see `align`.

  Args:
    nearby: h_{a,j} at the places.
    keys: its products with W^a.
    query: W^v v_t.
    w_place: W_i.
    exists: whether there is audio at the place.
  """
  hidden = jnp.tanh(keys + query[:, None])
  scores = jnp.einsum('twa,wa->tw', hidden, w_place)  # Eq. 5
  weights = jax.nn.softmax(scores, axis=-1, where=exists)  # Eq. 4
  return jnp.einsum('tw,twc->tc', weights, nearby), weights  # Eq. 6


def centre(
  audio: Float[Array, 'Ta C'],
  places: int,
  frames: int,
  audio_length: Int[Array, ''] | int | None = None,
  visual_length: Int[Array, ''] | int | None = None,
  ratio: Fraction | None = None,
) -> tuple[Float[Array, 'T C'], Float[Array, 'T W']]:
  """Returns the audio at each window's centre p_t, with one-hot weights.

  Alignment switched off, to compare with; ours. Arguments and results as of
  `align`, with W = places and T = frames.
  """
  frame, exists = window(
    places, audio.shape[0], frames, audio_length, visual_length, ratio
  )
  middle = jnp.arange(places) == places // 2
  weights = (exists & middle[None]).astype(audio.dtype)
  return audio[frame[:, places // 2]] * weights.sum(-1)[:, None], weights


def window(
  places: int,
  audio_frames: int,
  video_frames: int,
  audio_length: Int[Array, ''] | int | None = None,
  visual_length: Int[Array, ''] | int | None = None,
  ratio: Fraction | None = None,
) -> tuple[Int[Array, 'T W'], Bool[Array, 'T W']]:
  """Returns the audio frame j = p_t - w + i of every place, and if it exists.

  A frame that does not exist is given as the nearest one that does, so that
  the result can always be used as an index.
  """
  if audio_length is None:
    audio_length = audio_frames
  if visual_length is None:
    visual_length = video_frames
  t = jnp.arange(video_frames)
  centres = window_centre(t, audio_length, visual_length, ratio)
  frame = centres[:, None] - places // 2 + jnp.arange(places)[None]
  exists = (frame >= 0) & (frame < audio_length)
  exists &= (t < visual_length)[:, None]
  return jnp.clip(frame, 0, audio_frames - 1), exists


def fixed_centre(t: Int[Array, ' T'], ratio: Fraction) -> Int[Array, ' T']:
  """Returns p_t = floor((2 t + 1) r / 2) for a fixed ratio r of the rates.

  Whole periods of the ratio first, so that no product is large.
  """
  p, q = ratio.as_integer_ratio()
  return t // q * p + (2 * (t % q) + 1) * p // (2 * q)


def window_centre(
  t: Int[Array, ' T'],
  audio_length: Int[Array, ''] | int,
  visual_length: Int[Array, ''] | int,
  ratio: Fraction | None = None,
) -> Int[Array, ' T']:
  """Returns p_t = floor((2 t + 1) Ta / (2 T)), exact up to LONGEST frames.

  With a fixed ratio of the rates it is that of `fixed_centre`.

  The product has up to 41 bits and JAX's integers 32, so it is divided as on
  paper: Ta in three digits of base 1024, the remainder carried along. Frames
  past the last true one get the last one's centre.
  """
  if ratio is not None:
    return fixed_centre(t, ratio)
  divisor = jnp.maximum(2 * jnp.asarray(visual_length), 1).astype(jnp.uint32)
  length = jnp.asarray(audio_length).astype(jnp.uint32)
  factor = jnp.minimum(2 * t.astype(jnp.uint32) + 1, divisor[None] - 1)
  quotient = remainder = jnp.zeros_like(factor)
  for shift in (20, 10, 0):
    digit = (length >> shift) & 1023
    value = remainder * 1024 + factor * digit[None]
    quotient = quotient * 1024 + value // divisor[None]
    remainder = value % divisor[None]
  return quotient.astype(jnp.int32)
