"""The loops of the LSTM as Triton kernels: a whole sequence in one launch.

Each program takes 16 rows of the batch through all steps. The recurrent
weights are loaded once, before the loop, and h, c and their gradients stay on
the chip. Triton cannot cut a value into columns, but it can load columns: the
gates are four products of (16, C) by (C, C).

The products are TF32 on float32 operands; what
`jax.default_matmul_precision` asks for is honoured: 'highest' makes them
float32, 'TF32_TF32_F32_X3' nearly so.
"""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from avjax.kernels.lstm import cell
from avjax.kernels.lstm.fused import Loops

ROWS = 16  # of a program; the least that a matrix instruction takes
LOG2_E = 1.4426950408889634


def padded(steps: int, rows: int, cells: int) -> tuple[int, int, int]:
  """Returns the sizes that the kernels want: blocks of rows, a power of two."""
  return steps, pl.cdiv(rows, ROWS) * ROWS, max(16, pl.next_power_of_2(cells))


@functools.cache
def loops(interpret: bool) -> Loops:
  """Returns the two loops as kernels."""
  return Loops(
    functools.partial(_forward_loop, interpret),
    functools.partial(_backward_loop, interpret),
  )


def _forward_loop(interpret, z, w_recurrent, dtype, keep_gates):
  steps, rows, width = z.shape
  cells = width // 4
  out = [(cells, dtype), (cells, z.dtype)]
  if keep_gates:
    out.append((width, dtype))
  h, c, *gates = _launch(
    _forward_kernel, 'lstm_forward', interpret, (z,), w_recurrent, out
  )
  return h, c, gates[0] if keep_gates else None


def _backward_loop(interpret, d_h, d_c, slopes, f, w_recurrent):
  (d_z,) = _launch(
    _backward_kernel,
    'lstm_backward',
    interpret,
    (d_h, d_c, slopes, f),
    w_recurrent.T,
    [(4 * f.shape[-1], w_recurrent.dtype)],
  )
  return d_z


def _launch(kernel, name, interpret, arrays, weights, out):
  """Returns the kernel's results, each (T, B, width) of its (width, dtype)."""
  steps, rows, _ = arrays[0].shape

  def block(width):
    return pl.BlockSpec((steps, ROWS, width), lambda n: (0, n, 0))

  wide = weights.size * weights.dtype.itemsize > 2**16
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
      num_warps=8 if wide else 4, num_stages=2
    ),
    interpret=interpret,
    name=name,
  )(*arrays, weights)


def _parts(cells, count):
  return [pl.ds(k * cells, cells) for k in range(count)]


def _sigmoid(x):
  # Half the instructions of what Triton makes of exp and tanh.
  return 1 / (1 + jnp.exp2(-LOG2_E * x))


def _tanh(x):
  return 2 * _sigmoid(2 * x) - 1


def _forward_kernel(z_ref, w_ref, h_ref, c_ref, *gates_ref):
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


def _backward_kernel(d_h_ref, d_c_ref, slopes_ref, f_ref, w_ref, d_z_ref):
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
