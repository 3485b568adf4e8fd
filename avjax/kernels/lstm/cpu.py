"""The LSTM on a CPU: the whole layer, forward and backward, in C++.

It reads a batch as it is, and rows only as far as they go. Inputs are
projected a few steps at a time, and the gradients of weights and inputs are
summed where the backward loop goes, so that neither pre-activations nor their
gradients are ever written to memory. See `cpu_source/`.
"""

import ctypes
import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from jax.custom_derivatives import SymbolicZero

from avjax.kernels import KernelError
from avjax.kernels.lstm import cell, compiled
from avjax.shapes import Array, Float, Int

CALLS = ('avjax_lstm_forward', 'avjax_lstm_backward')
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
  if reason := missing():
    raise KernelError(
      f"the LSTM implementation 'cpu' cannot run here: {reason}; choose"
      " 'fused', or none"
    )
  wide = cell.wide(inputs, w_input, w_recurrent, bias)
  stored = inputs.dtype if inputs.dtype == jnp.bfloat16 else wide
  if lengths is None:
    lengths = jnp.full(inputs.shape[:1], inputs.shape[1], jnp.int32)
  h, h_last, c_last = _layer(
    residuals,
    inputs.astype(stored),
    *(weights.astype(wide) for weights in (w_input, w_recurrent, bias)),
    lengths.astype(jnp.int32),
  )
  return h.astype(inputs.dtype), (h_last.astype(inputs.dtype), c_last)


@functools.cache
def missing() -> str | None:
  """Returns why the kernel cannot run here, None if it can."""
  if jax.default_backend() != 'cpu':
    return f'JAX runs on a {jax.default_backend().upper()}'
  try:
    _register(compiled.library())
  except KernelError as error:
    return str(error)
  return None


@functools.cache
def chosen() -> bool:
  """Returns whether the kernel is what `api.lstm` picks by itself."""
  reason = missing()
  if reason and jax.default_backend() == 'cpu':
    logging.warning("the LSTM runs as 'fused', half as fast: %s", reason)
  return not reason


def _register(path: pathlib.Path) -> None:
  try:
    library = ctypes.CDLL(str(path))
  except OSError as error:
    raise KernelError(f'the C++ kernel does not load: {error}') from error
  for name in CALLS:
    pointer = jax.ffi.pycapsule(getattr(library, name))
    jax.ffi.register_ffi_target(name, pointer, platform='cpu')


def trial(path: str) -> None:
  """Raises if a freshly compiled kernel gives other results than `fused`."""
  from avjax.kernels.lstm import fused

  _register(pathlib.Path(path))
  random = np.random.default_rng(0)
  shapes = (5, 9, 3), (3, 4, 20), (20, 4, 20), (4, 20)
  arrays = [random.standard_normal(s, np.float32) for s in shapes]
  lengths = np.full(5, 9, np.int32)

  def total(run, *arrays):
    return jnp.sin(run(*arrays)).sum()

  def kernel(*arrays):
    return _layer('gates', *arrays, lengths)[0]

  def scan(inputs, *weights):
    return fused.scan(inputs.swapaxes(0, 1), *weights)[0]

  got, wanted = (
    jax.jit(jax.value_and_grad(functools.partial(total, run), (0, 1, 2, 3)))(
      *arrays
    )
    for run in (kernel, scan)
  )
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4),
    got,
    wanted,
  )


def _call(name, results, *arguments) -> list[Array]:
  call = jax.ffi.ffi_call(name, results, vmap_method='sequential')
  return call(*arguments)


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
  return _call(CALLS[0], results[: 3 + keep], inputs, *weights, lengths)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _layer(residuals, inputs, w_input, w_recurrent, bias, lengths):
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
  gradients = _call(
    CALLS[1], results[: 3 + (wanted is not None)], *arguments, *gates
  )
  d_inputs = gradients[3] if wanted is not None else None
  return (d_inputs, *gradients[:3], None)


_layer.defvjp(_layer_forward, _layer_backward, symbolic_zeros=True)
