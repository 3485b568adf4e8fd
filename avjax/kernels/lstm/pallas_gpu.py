"""The loops of the LSTM as Triton kernels: a whole sequence in one launch.

Each program takes 16 rows of the batch through all steps. The recurrent
weights are loaded once, before the loop, and h, c and their gradients stay on
the chip. Triton cannot cut a value into columns, but it can load columns: the
gates are four products of (16, C) by (C, C).

The products of float32 operands are TF32, unless
`jax.default_matmul_precision` asks for more: 'highest' makes them float32.
"""

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from avjax.kernels import KernelError
from avjax.kernels.lstm import cell

ROWS = 16  # of a program; the least that a matrix instruction takes
WEIGHT_BYTES = 2**17  # the kernels keep them in shared memory, with 72 KiB more
LOG2_E = 1.4426950408889634


def padded(steps: int, rows: int, cells: int, dtype) -> tuple[int, int, int]:
  """Returns the sizes that the kernels want: blocks of rows, a power of two.

  Raises:
    KernelError: the weights do not fit on the chip.
  """
  whole = max(16, pl.next_power_of_2(cells))
  if 4 * whole**2 * jnp.dtype(dtype).itemsize > WEIGHT_BYTES:
    raise KernelError(
      f"the LSTM implementation 'pallas_gpu' got {cells} cells of {dtype}; it"
      " takes 64 of float32 or 128 of bfloat16 at most; choose 'fused'"
    )
  return steps, pl.cdiv(rows, ROWS) * ROWS, whole


def launch(kernel, arrays, weights, out, interpret):
  """Returns the kernel's results, each (T, B, width) of its (width, dtype).

  Args:
    kernel: lstm_forward or lstm_backward.
    arrays: (T, B, .) each, of padded sizes.
    weights: whole for every program.
    out: the widths and types of the results.
    interpret: run it without a GPU.
  """
  steps, rows, _ = arrays[0].shape

  def block(width):
    return pl.BlockSpec((steps, ROWS, width), lambda n: (0, n, 0))

  return pl.pallas_call(
    kernel,
    grid=(rows // ROWS,),
    in_specs=[
      *(block(array.shape[-1]) for array in arrays),
      pl.BlockSpec(weights.shape, lambda n: (0, 0)),
    ],
    out_specs=[block(width) for width, _ in out],
    out_shape=[
      jax.ShapeDtypeStruct((steps, rows, width), dtype) for width, dtype in out
    ],
    compiler_params=triton.CompilerParams(
      num_warps=4 if min(weights.shape) < 64 else 8, num_stages=2
    ),
    interpret=interpret,
    name=kernel.__name__,
  )(*arrays, weights)


def _parts(cells, count):
  return [pl.ds(k * cells, cells) for k in range(count)]


def _sigmoid(x):
  # Far fewer instructions than what Triton makes of exp and tanh.
  return 1 / (1 + jnp.exp2(-LOG2_E * x))


def _tanh(x):
  return 2 * _sigmoid(2 * x) - 1


def lstm_forward(z_ref, w_ref, h_ref, c_ref, *gates_ref):
  """Writes h, c and perhaps the gates of all steps of a block of rows."""
  steps, rows, cells = h_ref.shape
  parts = _parts(cells, 4)
  weights = [w_ref[:, part] for part in parts]

  def step(t, carry):
    h, c = carry
    h = h.astype(w_ref.dtype)
    gates = [
      _sigmoid(z_ref[t, :, part] + cell.product(h, w))
      for part, w in zip(parts, weights, strict=True)
    ]
    h, c = cell.forward(gates, c, _tanh)
    h_ref[t] = h.astype(h_ref.dtype)
    c_ref[t] = c
    for ref in gates_ref:
      for part, gate in zip(parts, gates, strict=True):
        ref[t, :, part] = gate.astype(ref.dtype)
    return h, c

  zeros = jnp.zeros((rows, cells), c_ref.dtype)
  jax.lax.fori_loop(0, steps, step, (zeros, zeros))


def lstm_backward(d_h_ref, d_c_ref, slopes_ref, f_ref, w_ref, d_z_ref):
  """Writes d_z of all steps of a block of rows; w_ref is (4 C, C)."""
  steps, rows, cells = f_ref.shape
  parts = _parts(cells, 5)
  weights = [w_ref[part] for part in parts[:4]]

  def step(s, carry):
    t = steps - 1 - s
    d_h, d_c = carry
    d_z, d_c = cell.backward(
      [slopes_ref[t, :, part] for part in parts],
      d_h + d_h_ref[t],
      d_c + d_c_ref[t],
    )
    d_z = [d.astype(d_z_ref.dtype) for d in d_z]
    for part, d in zip(parts, d_z, strict=False):
      d_z_ref[t, :, part] = d
    d_h = sum(cell.product(d, w) for d, w in zip(d_z, weights, strict=True))
    return d_h, f_ref[t] * d_c

  zeros = jnp.zeros((rows, cells), f_ref.dtype)
  jax.lax.fori_loop(0, steps, step, (zeros, zeros))
