"""The attention of Eqs. 4-6 on a CPU, in C++: see `cpu_source/window.h`.

It goes clip by clip and frame by frame, so that no array has the size of frames
times places times columns, forward or backward.
"""

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from avjax.kernels import compiled
from avjax.shapes import Array, Float, Int, checked


@checked
def attention(
  audio: Float[Array, 'B Ta C'],
  keys: Float[Array, 'B Ta A'],
  query: Float[Array, 'B T A'],
  w_place: Float[Array, 'W A'],
  centre: Int[Array, 'B T'],
  audio_length: Int[Array, ' B'],
  visual_length: Int[Array, ' B'],
) -> tuple[Float[Array, 'B T C'], Float[Array, 'B T W']]:
  """Returns x_t and l_t of every clip, as `models.alignment.align` does.

  What stands in the padding, NaN included, is not read.

  Args:
    audio: h_{a,j}; float32 or float64, as the next three.
    keys: W^a h_{a,j}.
    query: W^v v_t.
    w_place: W_i.
    centre: p_t.
    audio_length: true audio frames.
    visual_length: true video frames.

  Raises:
    KernelError: the kernel cannot run here; see `compiled.runs`.
  """
  compiled.require('the attention')
  kind = jnp.result_type(audio, keys, query, w_place)
  return untried(
    *(array.astype(kind) for array in (audio, keys, query, w_place)),
    *(one.astype(jnp.int32) for one in (centre, audio_length, visual_length)),
  )


@jax.custom_vjp
def untried(audio, keys, query, w_place, *places):
  """Returns what `attention` does, wherever the calls are registered."""
  rows, frames, _ = query.shape
  results = [
    jax.ShapeDtypeStruct((rows, frames, audio.shape[2]), audio.dtype),
    jax.ShapeDtypeStruct((rows, frames, len(w_place)), audio.dtype),
  ]
  return tuple(
    compiled.call(
      'avjax_window_forward', results, audio, keys, query, w_place, *places
    )
  )


def _forward(*arguments):
  arrays = [one.value for one in arguments]
  aligned, weights = untried(*arrays)
  return (aligned, weights), (arrays, weights)


def _backward(kept, cotangents):
  arrays, weights = kept
  cotangents = [
    jnp.zeros(d.shape, d.dtype) if isinstance(d, SymbolicZero) else d
    for d in cotangents
  ]
  results = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays[:4]]
  gradients = compiled.call(
    'avjax_window_backward', results, *arrays, weights, *cotangents
  )
  return (*gradients, None, None, None)


untried.defvjp(_forward, _backward, symbolic_zeros=True)
