"""The LSTM whose loops are Pallas kernels: what those of all platforms share.

A platform's module has the two kernels, `launch`, which runs one, and
`padded`, the sizes that it takes. It is imported when it is asked for: Pallas
takes time to load, and a release of JAX that has lost a part of it still has
the other implementations.
"""

import functools
import importlib
from types import ModuleType

import jax
import jax.numpy as jnp

from avjax.kernels import KernelError
from avjax.kernels.lstm import fused
from avjax.shapes import Array, Float


def scan(
  platform: str,
  inputs: Float[Array, 'T B D'],
  w_input: Float[Array, 'D 4 C'],
  w_recurrent: Float[Array, 'C 4 C'],
  bias: Float[Array, '4 C'],
  residuals: str = 'gates',
  interpret: bool | None = None,
) -> tuple[Float[Array, 'T B C'], Float[Array, 'T B C']]:
  """Returns what `fused.scan` does, its loops run by kernels of a platform.

  The kernels want whole blocks of steps, rows and cells. What is added stays
  zero, in the states and in the gradients, and is cut off again.

  Args:
    platform: 'gpu' or 'tpu'.
    inputs: as in `fused.scan`, with the weights.
    w_input: of them.
    w_recurrent: of them.
    bias: of them.
    residuals: as in `fused.scan`.
    interpret: None wants a device of the platform. For tests, True runs the
      kernels on any device, as XLA's own operations, and False compiles them
      for whatever platform the program is lowered for.

  Raises:
    KernelError: no device of the platform, no such kernels in this JAX, or
      more cells than they take.
  """
  if interpret is None and jax.default_backend() != platform:
    raise KernelError(
      f"the LSTM implementation 'pallas_{platform}' needs a"
      f' {platform.upper()}, but JAX runs on a {jax.default_backend().upper()};'
      " choose 'fused', or none"
    )
  kernels = _kernels(platform)
  cells, dtype = w_recurrent.shape[0], w_recurrent.dtype
  sizes = (*inputs.shape[:2], cells)
  steps, rows, columns = (
    (0, wanted - size)
    for wanted, size in zip(kernels.padded(*sizes, dtype), sizes, strict=True)
  )
  states = fused.scan(
    jnp.pad(inputs, (steps, rows, (0, 0))),
    jnp.pad(w_input, ((0, 0), (0, 0), columns)),
    jnp.pad(w_recurrent, (columns, (0, 0), columns)),
    jnp.pad(bias, ((0, 0), columns)),
    residuals,
    _loops(kernels, bool(interpret)),
  )
  h, c = (state[tuple(slice(size) for size in sizes)] for state in states)
  return h, c


def _kernels(platform: str) -> ModuleType:
  try:
    return importlib.import_module(f'avjax.kernels.lstm.pallas_{platform}')
  except ImportError as error:
    raise KernelError(
      f"the LSTM implementation 'pallas_{platform}' needs a part of Pallas that"
      f" JAX {jax.__version__} does not have ({error}); choose 'fused', or none"
    ) from error


@functools.cache
def _loops(kernels: ModuleType, interpret: bool) -> fused.Loops:
  """Returns the loops of a platform; cached, so that they compare equal."""

  def forward(z, w_recurrent, dtype, keep_gates):
    cells = w_recurrent.shape[0]
    out = [(cells, dtype), (cells, z.dtype)]
    if keep_gates:
      out.append((4 * cells, dtype))
    h, c, *gates = kernels.launch(
      kernels.lstm_forward, (z,), w_recurrent, out, interpret
    )
    return h, c, gates[0] if keep_gates else None

  def backward(d_h, d_c, slopes, f, w_recurrent):
    out = [(w_recurrent.shape[1], w_recurrent.dtype)]
    arrays = d_h, d_c, slopes, f
    (d_z,) = kernels.launch(
      kernels.lstm_backward, arrays, w_recurrent.T, out, interpret
    )
    return d_z

  return fused.Loops(forward, backward)
