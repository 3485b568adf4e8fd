"""The LSTM for very long sequences: computed again, chunk by chunk.

Only the states at the borders of chunks are kept for the backward pass, which
computes each chunk again before it differentiates it. So the memory beside
inputs and outputs is that of one chunk, for one more forward pass.
"""

import jax
import jax.numpy as jnp

from avjax.kernels.lstm import cell
from avjax.shapes import Array, Float

STEPS = 256
"""Of a chunk: near the root of T = 100,000, where borders and chunk balance."""


def scan(
  inputs: Float[Array, 'T B D'],
  w_input: Float[Array, 'D 4 C'],
  w_recurrent: Float[Array, 'C 4 C'],
  bias: Float[Array, '4 C'],
  steps: int = STEPS,
) -> tuple[Float[Array, 'T B C'], Float[Array, 'T B C']]:
  """Returns h and c of every step, from a zero state; Eqs. 1-3.

  Args:
    inputs: one row a step.
    w_input: the columns of M that meet x_t, gates i, f, o, g.
    w_recurrent: the columns of M that meet h_{t-1}.
    bias: one for both.
    steps: of a chunk.

  Returns:
    h in the type of the inputs, c in float32 at least.
  """
  length, rows, width = inputs.shape
  cells = w_recurrent.shape[0]
  half = jnp.array([0.5, 0.5, 0.5, 1])[None, :, None]
  flat = (-1, 4 * cells)
  w_input, w_recurrent = (
    (w * half).astype(w.dtype).reshape(flat) for w in (w_input, w_recurrent)
  )
  bias = (bias * half[0]).reshape(-1)

  def step(carry, z):
    h, c = carry
    h = h.astype(w_recurrent.dtype)
    i, f, o, g = jnp.split(
      jnp.tanh(z + cell.product(h, w_recurrent)), 4, axis=-1
    )
    c = (0.5 + 0.5 * f) * c + (0.5 + 0.5 * i) * g
    h = (0.5 + 0.5 * o) * jnp.tanh(c)
    return (h, c), jnp.concatenate([h, c], axis=-1)

  @jax.checkpoint
  def chunk(carry, inputs):
    z = cell.product(inputs, w_input) + bias[None, None]
    return jax.lax.scan(step, carry, z)

  count = -(-length // steps)
  padded = jnp.pad(inputs, ((0, count * steps - length), (0, 0), (0, 0)))
  zeros = jnp.zeros((rows, cells), cell.wide(inputs, w_input))
  _, states = jax.lax.scan(
    chunk, (zeros, zeros), padded.reshape(count, steps, rows, width)
  )
  states = states.reshape(-1, rows, 2 * cells)[:length]
  return states[..., :cells].astype(inputs.dtype), states[..., cells:]
