"""A dense layer of the true frames alone, on a CPU, in C++.

A batch of clips of half to the full number of frames is a quarter padding, and
the products with a wide stream are half of a training step.
"""

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from avjax.kernels import compiled
from avjax.shapes import Array, Float, Int, checked


@checked
def dense(
  inputs: Float[Array, 'B T D'],
  kernel: Float[Array, 'D V'],
  bias: Float[Array, ' V'],
  lengths: Int[Array, ' B'],
) -> Float[Array, 'B T V']:
  """Returns `inputs kernel + bias`, zero on padding, which is not read.

  Args:
    inputs: float32 or float64, as the weights.
    kernel: one column an output.
    bias: of the outputs.
    lengths: true frames of each row.

  Raises:
    KernelError: the kernel cannot run here; see `compiled.runs`.
  """
  compiled.require('the dense layer')
  kind = jnp.result_type(inputs, kernel, bias)
  arrays = (array.astype(kind) for array in (inputs, kernel, bias))
  return untried(*arrays, lengths.astype(jnp.int32))


@jax.custom_vjp
def untried(inputs, kernel, bias, lengths):
  """Returns what `dense` does, wherever the calls are registered."""
  shape = (*inputs.shape[:2], kernel.shape[1])
  (outputs,) = compiled.call(
    'avjax_dense_forward',
    [jax.ShapeDtypeStruct(shape, inputs.dtype)],
    *(inputs, lengths, kernel, bias),
  )
  return outputs


def _forward(inputs, *rest):
  kernel, bias, lengths = (one.value for one in rest)
  outputs = untried(inputs.value, kernel, bias, lengths)
  # An entry of the tree, since only arrays may be kept: whether the inputs
  # have a gradient.
  wanted = () if inputs.perturbed else None
  return outputs, (wanted, inputs.value, kernel, lengths)


def _backward(kept, d_outputs):
  wanted, inputs, kernel, lengths = kept
  if isinstance(d_outputs, SymbolicZero):
    d_outputs = jnp.zeros(d_outputs.shape, d_outputs.dtype)
  d_kernel, d_bias = compiled.call(
    'avjax_dense_backward',
    [
      jax.ShapeDtypeStruct(kernel.shape, kernel.dtype),
      jax.ShapeDtypeStruct(kernel.shape[1:], kernel.dtype),
    ],
    *(inputs, lengths, d_outputs),
  )
  d_inputs = None
  if wanted is not None:
    within = jnp.arange(inputs.shape[1])[None] < lengths[:, None]
    d_outputs = jnp.where(within[..., None], d_outputs, 0)
    d_inputs = jnp.einsum('btv,dv->btd', d_outputs, kernel)
  return d_inputs, d_kernel, d_bias, None


untried.defvjp(_forward, _backward, symbolic_zeros=True)
