"""The LSTM with one small product a step, and a backward pass by hand.

Forward, all inputs are projected in one product, so that the loop holds only
`h R`. The candidate's columns arrive doubled (`tanh z = 2 sigmoid(2 z) - 1`),
so that one sigmoid serves all four gates.

Backward, everything that does not depend on the gradient's own recursion is
computed for all steps at once; the loop is one product and no transcendental.
The gradients of the weights are products over all steps after it.
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
  double = jnp.array([1, 1, 1, 2], inputs.dtype)[None, :, None]
  flat = (-1, 4 * cells)
  return _scan(
    residuals,
    inputs,
    (w_input * double).reshape(flat),
    (w_recurrent * double).reshape(flat),
    (bias * double[0]).reshape(-1),
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scan(residuals, inputs, w_input, w_recurrent, bias):
  """Returns h and c; the weights are (., 4 C), the g columns doubled."""
  del residuals
  states, _ = _forward(inputs, w_input, w_recurrent, bias, keep_gates=False)
  return states


def _forward(inputs, w_input, w_recurrent, bias, *, keep_gates):
  """Returns (h, c) of every step, and the gates (T, B, 4 C) or None."""
  cells = w_recurrent.shape[0]
  projected = inputs @ w_input + bias[None, None]

  def step(carry, z):
    h, c = carry
    gates = jax.nn.sigmoid(z + h @ w_recurrent)
    i, f, o, g = jnp.split(gates, 4, axis=-1)
    c = f * c + i * (2 * g - 1)
    h = o * jnp.tanh(c)
    kept = (h, c, gates) if keep_gates else (h, c)
    # One stacked output: small separate ones are slow on some XLA releases.
    return (h, c), jnp.concatenate(kept, axis=-1)

  zeros = jnp.zeros((inputs.shape[1], cells), projected.dtype)
  _, kept = jax.lax.scan(step, (zeros, zeros), projected)
  states = kept[..., :cells], kept[..., cells : 2 * cells]
  return states, kept[..., 2 * cells :] if keep_gates else None


def _scan_forward(residuals, inputs, w_input, w_recurrent, bias):
  (h, c), gates = _forward(
    inputs, w_input, w_recurrent, bias, keep_gates=residuals == 'gates'
  )
  return (h, c), (inputs, w_input, w_recurrent, bias, h, c, gates)


def _previous(states):
  """Returns the states one step earlier, zero before the first."""
  return jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])


def _scan_backward(residuals, kept, cotangents):
  del residuals
  inputs, w_input, w_recurrent, bias, h, c, gates = kept
  d_h_outer, d_c_outer = cotangents
  h_before, c_before = _previous(h), _previous(c)
  if gates is None:
    z = inputs @ w_input + h_before @ w_recurrent + bias[None, None]
    gates = jax.nn.sigmoid(z)

  i, f, o, g = jnp.split(gates, 4, axis=-1)
  g = 2 * g - 1
  tanh_c = jnp.tanh(c)
  # How each pre-activation moves c (i, f, g) or h (o), for all steps at once.
  slope = jnp.concatenate(
    [
      g * i * (1 - i),
      c_before * f * (1 - f),
      tanh_c * o * (1 - o),
      i * (1 - g * g) / 2,  # half: its column arrived doubled
      o * (1 - tanh_c * tanh_c),
    ],
    axis=-1,
  )
  transposed = w_recurrent.T

  def step(carry, xs):
    d_h_next, d_c_next = carry
    d_h, d_c, slope, f = xs
    d_i, d_f, d_o, d_g, d_tanh = jnp.split(slope, 5, axis=-1)
    d_h = d_h + d_h_next
    d_c = d_c + d_c_next + d_tanh * d_h
    d_z = jnp.concatenate([d_i * d_c, d_f * d_c, d_o * d_h, d_g * d_c], axis=-1)
    return (d_z @ transposed, f * d_c), d_z

  zeros = jnp.zeros_like(h[0])
  _, d_z = jax.lax.scan(
    step, (zeros, zeros), (d_h_outer, d_c_outer, slope, f), reverse=True
  )
  return (
    d_z @ w_input.T,
    jnp.einsum('tbd,tbg->dg', inputs, d_z),
    jnp.einsum('tbc,tbg->cg', h_before, d_z),
    d_z.sum((0, 1)),
  )


_scan.defvjp(_scan_forward, _scan_backward)
