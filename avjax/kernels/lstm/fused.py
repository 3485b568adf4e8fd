"""The LSTM with one small product a step, and a backward pass by hand.

Forward, all inputs are projected in one product, so that the loop holds only
`h R`. The columns of the gates i, f and o arrive halved
(`sigmoid z = (1 + tanh(z / 2)) / 2`), so that one tanh serves all four.

Backward, the loop is again one product a step. The gradients of the weights
are products over all steps after it.
"""

import functools

import jax
import jax.numpy as jnp

from avjax.shapes import Array, Float


def scan(
  inputs: Float[Array, 'T B D'],
  w_input: Float[Array, 'D 4 C'],
  w_recurrent: Float[Array, 'C 4 C'],
  bias: Float[Array, '4 C'],
  residuals: str = 'gates',
) -> tuple[Float[Array, 'T B C'], Float[Array, 'T B C']]:
  """Returns h and c of every step, from a zero state; Eqs. 1-3.

  Args:
    inputs: one row a step.
    w_input: the columns of M that meet x_t, gates i, f, o, g.
    w_recurrent: the columns of M that meet h_{t-1}.
    bias: one for both.
    residuals: what the backward pass keeps. 'gates': i, f, o, g, c and h, 6 C
      numbers a step and clip. 'hc': h and c, 2 C; the gates are computed again
      in one product.
  """
  cells = w_recurrent.shape[0]
  half = jnp.array([0.5, 0.5, 0.5, 1], inputs.dtype)[None, :, None]
  flat = (-1, 4 * cells)
  return _scan(
    residuals,
    inputs,
    (w_input * half).reshape(flat),
    (w_recurrent * half).reshape(flat),
    (bias * half[0]).reshape(-1),
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scan(residuals, inputs, w_input, w_recurrent, bias):
  """Returns h and c; the weights are (., 4 C), the columns i, f, o halved."""
  del residuals
  cells = w_recurrent.shape[0]
  kept = _forward(inputs, w_input, w_recurrent, bias, keep_gates=False)
  return kept[..., :cells], kept[..., cells:]


def _forward(inputs, w_input, w_recurrent, bias, *, keep_gates):
  """Returns h, c and, if asked for, the tanh of the gates, side by side."""
  projected = inputs @ w_input + bias[None, None]

  def step(carry, z):
    h, c = carry
    squashed = jnp.tanh(z + h @ w_recurrent)
    i, f, o, g = _gates(squashed)
    c = f * c + i * g
    h = o * jnp.tanh(c)
    kept = (h, c, squashed) if keep_gates else (h, c)
    # One stacked output: small separate ones are slow on some XLA releases.
    return (h, c), jnp.concatenate(kept, axis=-1)

  zeros = jnp.zeros((inputs.shape[1], w_recurrent.shape[0]), projected.dtype)
  return jax.lax.scan(step, (zeros, zeros), projected)[1]


def _gates(squashed):
  """Returns i, f, o, g from the tanh of their columns."""
  i, f, o, g = jnp.split(squashed, 4, axis=-1)
  return 0.5 + 0.5 * i, 0.5 + 0.5 * f, 0.5 + 0.5 * o, g


def _scan_forward(residuals, inputs, w_input, w_recurrent, bias):
  cells = w_recurrent.shape[0]
  kept = _forward(
    inputs, w_input, w_recurrent, bias, keep_gates=residuals == 'gates'
  )
  states = kept[..., :cells], kept[..., cells : 2 * cells]
  return states, (inputs, w_input, w_recurrent, bias, kept)


def _scan_backward(residuals, saved, cotangents):
  inputs, w_input, w_recurrent, bias, kept = saved
  cells = w_recurrent.shape[0]
  before = jnp.concatenate([jnp.zeros_like(kept[:1]), kept[:-1]])
  h_before, c_before = before[..., :cells], before[..., cells : 2 * cells]
  c = kept[..., cells : 2 * cells]
  if residuals == 'gates':
    squashed = kept[..., 2 * cells :]
  else:
    z = inputs @ w_input + h_before @ w_recurrent + bias[None, None]
    squashed = jnp.tanh(z)
  transposed = w_recurrent.T

  def step(carry, xs):
    d_h_next, d_c_next = carry
    d_h, d_c, squashed, c, c_before = xs
    i, f, o, g = _gates(squashed)
    tanh_c = jnp.tanh(c)
    d_h = d_h + d_h_next
    d_c = d_c + d_c_next + o * (1 - tanh_c * tanh_c) * d_h
    d_gates = [d_c * g, d_c * c_before, d_h * tanh_c, 2 * d_c * i]
    d_z = jnp.concatenate(d_gates, axis=-1) * (0.5 - 0.5 * squashed * squashed)
    return (d_z @ transposed, f * d_c), d_z

  zeros = jnp.zeros_like(c[0])
  _, d_z = jax.lax.scan(
    step,
    (zeros, zeros),
    (*cotangents, squashed, c, c_before),
    reverse=True,
  )
  return (
    d_z @ w_input.T,
    _rows(inputs).T @ _rows(d_z),
    _rows(h_before).T @ _rows(d_z),
    d_z.sum((0, 1)),
  )


def _rows(x):
  """Returns (T, B, D) as (T B, D)."""
  return x.reshape(-1, x.shape[-1])


_scan.defvjp(_scan_forward, _scan_backward)
