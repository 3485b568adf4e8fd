"""The LSTM on a CPU: the whole layer, forward and backward, in C++.

It reads a batch as it is, and rows only as far as they go. Inputs are
projected a few steps at a time, and the gradients of weights and inputs are
summed where the backward loop goes, so that neither pre-activations nor their
gradients are ever written to memory. See `cpu_source/`.
"""

import functools

import jax
import jax.numpy as jnp
from absl import logging
from jax.custom_derivatives import SymbolicZero

from avjax.kernels import compiled
from avjax.kernels.lstm import cell
from avjax.shapes import Array, Float, Int

KEPT = 16  # the states of a cell are kept in multiples of so many


def layer(
  inputs: Float[Array, 'B T D'],
  w_input: Float[Array, 'D 4 C'],
  w_recurrent: Float[Array, 'C 4 C'],
  bias: Float[Array, '4 C'],
  lengths: Int[Array, ' B'] | None = None,
  residuals: str = 'gates',
) -> tuple[
  Float[Array, 'B T C'], tuple[Float[Array, 'B C'], Float[Array, 'B C']]
]:
  """Returns what `api.lstm` does.

  Args:
    inputs: as there, with the weights and lengths.
    w_input: of them.
    w_recurrent: of them.
    bias: of them.
    lengths: of them.
    residuals: as in `fused.scan`.

  Raises:
    KernelError: JAX does not run on a CPU, or the kernel cannot be compiled.
  """
  compiled.require("the LSTM implementation 'cpu'")
  wide = cell.wide(inputs, w_input, w_recurrent, bias)
  stored = inputs.dtype if inputs.dtype == jnp.bfloat16 else wide
  if lengths is None:
    lengths = jnp.full(inputs.shape[:1], inputs.shape[1], jnp.int32)
  h, h_last, c_last = untried(
    residuals,
    inputs.astype(stored),
    *(weights.astype(wide) for weights in (w_input, w_recurrent, bias)),
    lengths.astype(jnp.int32),
  )
  return h.astype(inputs.dtype), (h_last.astype(inputs.dtype), c_last)


@functools.cache
def chosen() -> bool:
  """Returns whether the kernel is what `api.lstm` picks by itself."""
  reason = compiled.missing()
  if reason and jax.default_backend() == 'cpu':
    logging.warning("the LSTM runs as 'fused', half as fast: %s", reason)
  return not reason


def _forward(inputs, weights, lengths, keep):
  """Returns h, h_last, c_last and the first `keep` of c and the gates."""
  rows, steps, _ = inputs.shape
  cells, wide = weights[1].shape[0], weights[1].dtype
  kept = -(-cells // KEPT) * KEPT
  results = [
    jax.ShapeDtypeStruct((rows, steps, cells), inputs.dtype),
    jax.ShapeDtypeStruct((rows, cells), inputs.dtype),
    jax.ShapeDtypeStruct((rows, cells), wide),
    jax.ShapeDtypeStruct((rows, steps, kept), wide),
    jax.ShapeDtypeStruct((rows, steps, 4 * kept), inputs.dtype),
  ]
  return compiled.call(
    'avjax_lstm_forward', results[: 3 + keep], inputs, *weights, lengths
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def untried(residuals, inputs, w_input, w_recurrent, bias, lengths):
  """Returns h, h_last and c_last; all but stored inputs and h are wide."""
  del residuals
  return tuple(_forward(inputs, (w_input, w_recurrent, bias), lengths, 0))


def _layer_forward(residuals, inputs, *rest):
  arrays = [one.value for one in (inputs, *rest)]
  h, h_last, c_last, *kept = _forward(
    arrays[0], arrays[1:4], arrays[4], 2 if residuals == 'gates' else 1
  )
  # An entry of the tree, since only arrays may be kept: whether the inputs
  # have a gradient at all, a third of the backward pass.
  wanted = () if inputs.perturbed else None
  return (h, h_last, c_last), (wanted, *arrays, h, *kept)


def _layer_backward(residuals, kept, cotangents):
  del residuals
  wanted, inputs, w_input, w_recurrent, bias, lengths, h, c, *gates = kept
  cotangents = [
    jnp.zeros(d.shape, d.dtype) if isinstance(d, SymbolicZero) else d
    for d in cotangents
  ]
  results = [
    jax.ShapeDtypeStruct(array.shape, array.dtype)
    for array in (w_input, w_recurrent, bias, inputs)
  ]
  arguments = inputs, w_input, w_recurrent, bias, lengths, h, c, *cotangents
  gradients = compiled.call(
    'avjax_lstm_backward',
    results[: 3 + (wanted is not None)],
    *arguments,
    *gates,
  )
  d_inputs = gradients[3] if wanted is not None else None
  return (d_inputs, *gradients[:3], None)


untried.defvjp(_layer_forward, _layer_backward, symbolic_zeros=True)
