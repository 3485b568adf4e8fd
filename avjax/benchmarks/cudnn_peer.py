"""cuDNN's LSTM, by JAX's wrapper; only for NVIDIA GPUs and float32."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax.experimental import rnn

from avjax.shapes import Array, Float, Int


def lstm(
  arrays: Sequence[Array], lengths: Int[Array, ' B']
) -> Float[Array, 'B T C']:
  """Returns the states of one layer.

  Args:
    arrays: inputs and parameters, as for `avjax.lstm`.
    lengths: of each row.
  """
  inputs, *params = arrays
  rows, _, width = inputs.shape
  hidden_size = params[2].shape[1]
  zeros = jnp.zeros((1, rows, hidden_size), inputs.dtype)
  flat = jnp.concatenate([x.reshape(-1) for x in weights(*params)])
  h, _, _ = rnn.lstm(
    inputs, zeros, zeros, flat, lengths, width, hidden_size, 1, 0.0, False
  )
  return h


def weights(
  w_input: Float[Array, 'D 4 C'],
  w_recurrent: Float[Array, 'C 4 C'],
  bias: Float[Array, '4 C'],
) -> tuple[Float[Array, 'G D'], Float[Array, 'G C'], Array, Array]:
  """Returns W_ih, W_hh, b_ih and b_hh; G = 4 C, with gates i, f, g, o.

  Only the sum of the two biases matters: the first is ours, the second is 0.
  """

  def matrix(x):
    x = jnp.concatenate([x[..., :2, :], x[..., 3:, :], x[..., 2:3, :]], -2)
    return x.reshape(*x.shape[:-2], -1).T

  first = matrix(bias)
  return matrix(w_input), matrix(w_recurrent), first, jnp.zeros_like(first)
