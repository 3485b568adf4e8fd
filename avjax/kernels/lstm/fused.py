"""The LSTM with one small product a step, and a backward pass by hand.

Forward, all inputs are projected in one product, so that the loop holds only
`h R`. The candidate's columns arrive doubled (`tanh z = 2 sigmoid(2 z) - 1`),
so that one sigmoid serves all four gates. It is computed as a tanh, which is
cheaper: `sigmoid z = (1 + tanh(z / 2)) / 2`.

Backward, everything that does not depend on the gradient's own recursion is
computed for all steps at once; the loop is one product and no transcendental.
The gradients of the weights are products over all steps after it.

The two loops are `lax.scan` here; the Pallas kernels are others. Operands may
be bfloat16: then the projections, c, both carries and all sums are float32.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from avjax.kernels.lstm import cell
from avjax.shapes import Array, Float


class Loops(NamedTuple):
  """What runs step after step.

  Attributes:
    forward: (z, w_recurrent, dtype, keep_gates) to h (T, B, C) of the dtype, c
      and, if kept, the gates (T, B, 4 C) of the dtype, else None.
    backward: (d_h, d_c, slopes, f, w_recurrent) to d_z (T, B, 4 C), of the
      type of the weights.
  """

  forward: Callable
  backward: Callable


def _forward_loop(z, w_recurrent, dtype, keep_gates):
  cells = w_recurrent.shape[0]
  z, half = 0.5 * z, 0.5 * w_recurrent

  def step(carry, z):
    h, c = carry
    h = h.astype(half.dtype)
    gates = 0.5 + 0.5 * jnp.tanh(z + cell.product(h, half))
    h, c = cell.forward(jnp.split(gates, 4, axis=-1), c)
    kept = (h, c, gates) if keep_gates else (h, c)
    # One stacked output: small separate ones are slow on some XLA releases.
    return (h, c), jnp.concatenate(kept, axis=-1)

  zeros = jnp.zeros_like(z[0, :, :cells])
  _, kept = jax.lax.scan(step, (zeros, zeros), z)
  h, c, gates = jnp.split(kept, (cells, 2 * cells), axis=-1)
  return h.astype(dtype), c, gates.astype(dtype) if keep_gates else None


def _backward_loop(d_h, d_c, slopes, f, w_recurrent):
  transposed = w_recurrent.T

  def step(carry, xs):
    d_h_next, d_c_next = carry
    d_h, d_c, slopes, f = xs
    d_z, d_c = cell.backward(
      jnp.split(slopes, 5, axis=-1), d_h + d_h_next, d_c + d_c_next
    )
    d_z = jnp.concatenate(d_z, axis=-1).astype(transposed.dtype)
    return (cell.product(d_z, transposed), f * d_c), d_z

  zeros = jnp.zeros_like(d_c[0])
  _, d_z = jax.lax.scan(
    step, (zeros, zeros), (d_h, d_c, slopes, f), reverse=True
  )
  return d_z


SCAN = Loops(_forward_loop, _backward_loop)


def scan(
  inputs: Float[Array, 'T B D'],
  w_input: Float[Array, 'D 4 C'],
  w_recurrent: Float[Array, 'C 4 C'],
  bias: Float[Array, '4 C'],
  residuals: str = 'gates',
  loops: Loops = SCAN,
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
    loops: over the steps.

  Returns:
    h in the type of the inputs, c in float32 at least.
  """
  cells = w_recurrent.shape[0]
  double = jnp.array([1, 1, 1, 2])[None, :, None]
  flat = (-1, 4 * cells)
  return _scan(
    (residuals, loops),
    inputs,
    (w_input * double).reshape(flat),
    (w_recurrent * double).reshape(flat),
    (bias * double[0]).reshape(-1),
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scan(options, inputs, w_input, w_recurrent, bias):
  """Returns h and c; the weights are (., 4 C), the g columns doubled."""
  _, loops = options
  z = cell.product(inputs, w_input) + bias[None, None]
  h, c, _ = loops.forward(z, w_recurrent, inputs.dtype, keep_gates=False)
  return h, c


def _scan_forward(options, inputs, w_input, w_recurrent, bias):
  residuals, loops = options
  z = cell.product(inputs, w_input) + bias[None, None]
  h, c, gates = loops.forward(
    z, w_recurrent, inputs.dtype, keep_gates=residuals == 'gates'
  )
  return (h, c), (inputs, w_input, w_recurrent, bias, h, c, gates)


def _previous(states):
  """Returns the states one step earlier, zero before the first."""
  return jnp.concatenate([jnp.zeros_like(states[:1]), states[:-1]])


def _rows(x):
  """Returns (T, B, D) as (T B, D)."""
  return x.reshape(-1, x.shape[-1])


def _scan_backward(options, kept, cotangents):
  _, loops = options
  inputs, w_input, w_recurrent, bias, h, c, gates = kept
  d_h, d_c = cotangents
  h_before = _previous(h)
  if gates is None:
    z = cell.product(inputs, w_input) + cell.product(h_before, w_recurrent)
    gates = jax.nn.sigmoid(z + bias[None, None])

  gates = jnp.split(gates.astype(c.dtype), 4, axis=-1)
  slopes = cell.slopes(gates, _previous(c), c)
  d_z = loops.backward(d_h, d_c, slopes, gates[1], w_recurrent)
  gradients = (
    cell.product(d_z, w_input.T),
    cell.product(_rows(inputs).T, _rows(d_z)),
    cell.product(_rows(h_before).T, _rows(d_z)),
    d_z.sum((0, 1), dtype=c.dtype),
  )
  return tuple(
    gradient.astype(array.dtype)
    for gradient, array in zip(gradients, kept, strict=False)
  )


_scan.defvjp(_scan_forward, _scan_backward)
