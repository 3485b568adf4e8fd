"""The loops of the LSTM as TPU kernels: time in tiles, the state on the chip.

The grid runs over blocks of rows and, in order, over tiles of time; h and c,
or their gradients, wait in scratch memory for the next tile, so a sequence may
be of any length. Cells fill lanes of 128, so a gate is a whole number of
registers and the four of them are one product.

What `jax.default_matmul_precision` asks for is honoured: 'highest' makes the
products of float32 operands float32.
"""

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu

from avjax.kernels import KernelError
from avjax.kernels.lstm import cell

LANES = 128
ROWS = 16  # the tile of bfloat16; float32 has 8
MOST_ROWS = 128  # of a block, what fills the matrix unit
TILE_BYTES = 4 * 2**20  # of one tile; two are in flight, 16 MiB are there
MOST_CELLS = 512  # whose weights, 4 MiB, leave room for the tiles


def padded(steps: int, rows: int, cells: int, dtype) -> tuple[int, int, int]:
  """Returns the sizes that the kernels want: whole tiles of time, rows, cells.

  Raises:
    KernelError: the weights do not fit beside the tiles, or are float64.
  """
  if dtype == jnp.float64 or cells > MOST_CELLS:
    raise KernelError(
      f"the LSTM implementation 'pallas_tpu' got {cells} cells of {dtype}; it"
      f" takes {MOST_CELLS} at most, of float32 or bfloat16; choose 'fused'"
    )
  cells = pl.cdiv(cells, LANES) * LANES
  rows = pl.cdiv(rows, ROWS) * ROWS
  if rows > MOST_ROWS:
    rows = pl.cdiv(rows, MOST_ROWS) * MOST_ROWS
  tile = _tile(steps, rows, cells)
  return pl.cdiv(steps, tile) * tile, rows, cells


def _tile(steps, rows, cells):
  """Returns the steps of a tile; of padded steps, a divisor of them."""
  # The backward kernel moves most: d_h, d_c, 5 slopes, f and 4 d_z.
  most = TILE_BYTES // (12 * 4 * cells * min(rows, MOST_ROWS))
  return pl.cdiv(steps, pl.cdiv(steps, max(1, most)))


def launch(kernel, arrays, weights, out, interpret):
  """Returns the kernel's results, each (T, B, width) of its (width, dtype).

  Args:
    kernel: lstm_forward or lstm_backward, which gets its tiles from the last.
    arrays: (T, B, .) each, of padded sizes.
    weights: whole for every block.
    out: the widths and types of the results.
    interpret: run it without a TPU.
  """
  steps, rows, _ = arrays[0].shape
  cells = min(weights.shape)
  height, tile = min(rows, MOST_ROWS), _tile(steps, rows, cells)
  tiles = steps // tile

  def place(block, n):
    return (tiles - 1 - n if kernel is lstm_backward else n), block, 0

  def tiled(width):
    return pl.BlockSpec((tile, height, width), place)

  state = tpu.VMEM((height, cells), cell.wide(weights))
  return pl.pallas_call(
    kernel,
    grid=(rows // height, tiles),
    in_specs=[
      *(tiled(array.shape[-1]) for array in arrays),
      pl.BlockSpec(weights.shape, lambda block, n: (0, 0)),
    ],
    out_specs=[tiled(width) for width, _ in out],
    out_shape=[
      jax.ShapeDtypeStruct((steps, rows, width), dtype) for width, dtype in out
    ],
    scratch_shapes=[state, state],
    compiler_params=tpu.CompilerParams(
      dimension_semantics=('parallel', 'arbitrary')
    ),
    interpret=interpret,
    name=kernel.__name__,
  )(*arrays, weights)


def _reset(*states):
  """Clears the states before the first tile of a block of rows."""

  @pl.when(pl.program_id(1) == 0)
  def _():
    for state in states:
      state[...] = jnp.zeros_like(state)


def _columns(array, count):
  return jnp.split(array, count, axis=-1)


def lstm_forward(z_ref, w_ref, h_ref, c_ref, *refs):
  """Writes h, c and perhaps the gates of one tile."""
  *gates_ref, h_state, c_state = refs
  _reset(h_state, c_state)

  def step(t, carry):
    h, c = carry
    h = h.astype(w_ref.dtype)
    gates = jax.nn.sigmoid(z_ref[t] + cell.product(h, w_ref[...]))
    h, c = cell.forward(_columns(gates, 4), c)
    h_ref[t] = h.astype(h_ref.dtype)
    c_ref[t] = c
    for ref in gates_ref:
      ref[t] = gates.astype(ref.dtype)
    return h, c

  carry = h_state[...], c_state[...]
  carry = jax.lax.fori_loop(0, h_ref.shape[0], step, carry)
  h_state[...], c_state[...] = carry


def lstm_backward(
  d_h_ref, d_c_ref, slopes_ref, f_ref, w_ref, d_z_ref, d_h_state, d_c_state
):
  """Writes d_z of one tile; w_ref is (4 C, C)."""
  _reset(d_h_state, d_c_state)
  last = f_ref.shape[0] - 1

  def step(s, carry):
    t = last - s
    d_h, d_c = carry
    d_z, d_c = cell.backward(
      _columns(slopes_ref[t], 5), d_h + d_h_ref[t], d_c + d_c_ref[t]
    )
    d_z = jnp.concatenate(d_z, axis=-1).astype(d_z_ref.dtype)
    d_z_ref[t] = d_z
    return cell.product(d_z, w_ref[...]), f_ref[t] * d_c

  carry = d_h_state[...], d_c_state[...]
  carry = jax.lax.fori_loop(0, last + 1, step, carry)
  d_h_state[...], d_c_state[...] = carry
