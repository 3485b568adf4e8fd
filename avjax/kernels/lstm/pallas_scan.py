"""The LSTM whose loops are Pallas kernels: sizes, platforms, what is missing.

The kernels come into play when they are asked for: importing Pallas takes
time, and a release of JAX without its Triton part still has the other loops.
"""

import importlib

import jax
import jax.numpy as jnp

from avjax.errors import ConfigError
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

  The kernels want blocks of rows and a power of two of cells. What is added
  stays zero, in the states and in the gradients, and is cut off again.

  Args:
    platform: 'gpu' or 'tpu'.
    inputs: as in `fused.scan`, with all the others.
    interpret: None wants a device of the platform. True runs the kernels
      without one, step by step and slowly; False compiles them for whatever
      the program is lowered for. Both are for tests.

  Raises:
    ConfigError: no device of the platform, or no such kernels in this JAX.
  """
  if interpret is None and jax.default_backend() != platform:
    raise ConfigError(
      f"the LSTM implementation 'pallas_{platform}' needs a"
      f' {platform.upper()}, and JAX runs on a {jax.default_backend().upper()}'
      " here; choose 'fused' or none"
    )
  kernels = _kernels(platform)
  steps, rows, _ = inputs.shape
  cells = w_recurrent.shape[0]
  sizes = kernels.padded(steps, rows, cells)
  more = [(0, size - n) for size, n in zip(sizes, inputs.shape[:2] + (cells,))]
  h, c = fused.scan(
    jnp.pad(inputs, (more[0], more[1], (0, 0))),
    jnp.pad(w_input, ((0, 0), (0, 0), more[2])),
    jnp.pad(w_recurrent, (more[2], (0, 0), more[2])),
    jnp.pad(bias, ((0, 0), more[2])),
    residuals,
    kernels.loops(bool(interpret)),
  )
  return h[:steps, :rows, :cells], c[:steps, :rows, :cells]


def _kernels(platform: str):
  try:
    return importlib.import_module(f'avjax.kernels.lstm.pallas_{platform}')
  except ImportError as error:
    raise ConfigError(
      f"the LSTM implementation 'pallas_{platform}' needs a part of Pallas that"
      f" jax {jax.__version__} does not have ({error}); choose 'fused' or none"
    ) from error
