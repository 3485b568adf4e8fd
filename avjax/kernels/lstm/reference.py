"""The LSTM as the paper prints it."""

import jax
import jax.numpy as jnp

from avjax.shapes import Array, Float


def scan(
  inputs: Float[Array, 'T B D'],
  w_input: Float[Array, 'D 4 C'],
  w_recurrent: Float[Array, 'C 4 C'],
  bias: Float[Array, '4 C'],
) -> tuple[Float[Array, 'T B C'], Float[Array, 'T B C']]:
  """Returns h and c of every step, from a zero state; Eqs. 1-3."""
  wide = jnp.promote_types(inputs.dtype, jnp.float32)  # of all that is computed
  w_input, w_recurrent, bias = (
    array.astype(wide) for array in (w_input, w_recurrent, bias)
  )

  def step(carry, x):
    h, c = carry
    z = jnp.einsum('bd,dgc->gbc', x, w_input)
    z = z + jnp.einsum('bh,hgc->gbc', h, w_recurrent) + bias[:, None]
    i, f, o = jax.nn.sigmoid(z[0]), jax.nn.sigmoid(z[1]), jax.nn.sigmoid(z[2])
    g = jnp.tanh(z[3])  # Eq. 1
    c = f * c + i * g  # Eq. 2
    h = o * jnp.tanh(c)  # Eq. 3
    return (h, c), (h, c)

  zeros = jnp.zeros((inputs.shape[1], w_recurrent.shape[0]), wide)
  _, (h, c) = jax.lax.scan(step, (zeros, zeros), inputs.astype(wide))
  return h.astype(inputs.dtype), c
