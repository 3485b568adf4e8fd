"""The LSTM of Eqs. 1-3 for a batch of sequences of different lengths."""

import functools
import itertools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from avjax.kernels.lstm import chunked, fused, pallas_scan, reference
from avjax.shapes import Array, Float, Int

IMPLEMENTATIONS: dict[str, Callable] = {
  'reference': reference.scan,
  'fused': functools.partial(fused.scan, residuals='gates'),
  'fused_hc': functools.partial(fused.scan, residuals='hc'),
  'chunked': chunked.scan,
  'pallas_gpu': functools.partial(pallas_scan.scan, 'gpu', residuals='gates'),
  'pallas_gpu_hc': functools.partial(pallas_scan.scan, 'gpu', residuals='hc'),
  'pallas_tpu': functools.partial(pallas_scan.scan, 'tpu', residuals='gates'),
  'pallas_tpu_hc': functools.partial(pallas_scan.scan, 'tpu', residuals='hc'),
}


def available() -> tuple[str, ...]:
  """Returns the names of the implementations that run on this machine."""
  missing = {'gpu', 'tpu'} - {jax.default_backend()}
  absent = tuple(f'pallas_{platform}' for platform in missing)
  return tuple(n for n in IMPLEMENTATIONS if not n.startswith(absent))


def lstm(
  inputs: Float[Array, 'B T D'],
  w_input: Float[Array, 'D 4 C'],
  w_recurrent: Float[Array, 'C 4 C'],
  bias: Float[Array, '4 C'],
  lengths: Int[Array, ' B'] | None = None,
  *,
  implementation: str | None = None,
) -> tuple[
  Float[Array, 'B T C'], tuple[Float[Array, 'B C'], Float[Array, 'B C']]
]:
  """Returns the states h of every step, and h and c of the last one.

  Eqs. 1-3, from a zero state: `[i f o g] = [s s s tanh](M [h_{t-1}; x_t])`,
  `c_t = f c_{t-1} + i g`, `h_t = o tanh(c_t)`.

  What stands in the padding, NaN included, reaches neither the result nor any
  gradient.

  Inputs and weights may be bfloat16: h is of the type of the inputs, c and
  all sums are float32.

  Args:
    inputs: x, padded on the right.
    w_input: the part of M that meets x_t; gates i, f, o, g.
    w_recurrent: the part of M that meets h_{t-1}.
    bias: of M, one for both parts.
    lengths: true steps of each row, 0 to T; all of T where None.
    implementation: 'reference', 'fused' (keeps the gates for the backward
      pass) or 'fused_hc' (keeps h and c, a third of the memory, and computes
      the gates again). 'chunked' keeps the states of every 256th step, for
      very long sequences. 'pallas_gpu' and 'pallas_tpu', each also with
      '_hc', are the first two with Pallas kernels for their loops; no device
      has run them yet.
      None picks 'fused' on every platform, since no other was measured on one.
      Rows spread over several devices want `pmap`, or `shard_map` with
      `check_vma=False`: a compiler that shards by itself gathers what a kernel
      is given (GPU) or refuses the kernel (TPU).

  Returns:
    h, zero on the padding, and (h_last, c_last) at each row's last true step,
    zero for a row of length 0.

  Raises:
    ValueError: no implementation of that name.
    ConfigError: the implementation is there but cannot run here.
  """
  if implementation is None:
    implementation = 'fused'
  if implementation not in IMPLEMENTATIONS:
    raise ValueError(
      f'no LSTM implementation {implementation!r}; there are '
      + ', '.join(IMPLEMENTATIONS)
    )
  scan = IMPLEMENTATIONS[implementation]
  if lengths is None:
    h, c = scan(inputs.swapaxes(0, 1), w_input, w_recurrent, bias)
    return h.swapaxes(0, 1), (h[-1], c[-1])

  steps = jnp.arange(inputs.shape[1])[None]
  within = (steps < lengths[:, None])[..., None]  # [B, T, 1]
  inputs = jnp.where(within, inputs, 0)
  h, c = scan(inputs.swapaxes(0, 1), w_input, w_recurrent, bias)
  h, c = h.swapaxes(0, 1), c.swapaxes(0, 1)
  return jnp.where(within, h, 0), (last_step(h, lengths), last_step(c, lengths))


def lstm_together(
  inputs: Sequence[Float[Array, 'B T _']],
  parameters: Sequence[
    tuple[Float[Array, '_ 4 _'], Float[Array, '_ 4 _'], Float[Array, '4 _']]
  ],
  lengths: Int[Array, ' B'] | None = None,
  *,
  implementation: str | None = None,
  one_scan: bool | None = None,
) -> list[tuple[Array, tuple[Array, Array]]]:
  """Returns what `lstm` does for each of several networks, from one scan.

  Ours. The networks stand side by side: one recurrent matrix with a block for
  each, so that there are as many sequential steps as for one of them.

  Args:
    inputs: of each network, over the same steps.
    parameters: w_input, w_recurrent and bias of each network; they may differ
      in width.
    lengths: as of `lstm`, the same for all.
    implementation: as of `lstm`.
    one_scan: False gives each network a scan of its own. None does so on a
      CPU, which has little to gain from fewer steps and loses by the zeros
      between the blocks (a training step of `proposed`: 3 to 5 %).
  """
  if one_scan is None:
    one_scan = jax.default_backend() != 'cpu'
  if not one_scan or len(inputs) == 1:
    return [
      lstm(x, *its, lengths, implementation=implementation)
      for x, its in zip(inputs, parameters, strict=True)
    ]
  w_input, w_recurrent, bias = zip(*parameters, strict=True)
  h, (h_last, c_last) = lstm(
    jnp.concatenate(inputs, axis=-1),
    _blocks(w_input),
    _blocks(w_recurrent),
    jnp.concatenate(bias, axis=-1),
    lengths,
    implementation=implementation,
  )
  ends = list(itertools.accumulate(b.shape[-1] for b in bias))[:-1]
  parts = (jnp.split(x, ends, axis=-1) for x in (h, h_last, c_last))
  return [
    (h, (h_last, c_last)) for h, h_last, c_last in zip(*parts, strict=True)
  ]


def _blocks(matrices: Sequence[Float[Array, '_ 4 _']]) -> Float[Array, '_ 4 _']:
  """Returns one matrix with the given ones, gate by gate, on its diagonal."""
  before, columns = 0, sum(m.shape[-1] for m in matrices)
  rows = []
  for matrix in matrices:
    after = columns - before - matrix.shape[-1]
    rows.append(jnp.pad(matrix, ((0, 0), (0, 0), (before, after))))
    before += matrix.shape[-1]
  return jnp.concatenate(rows)


def last_step(
  states: Float[Array, 'B T C'], lengths: Int[Array, ' B']
) -> Float[Array, 'B C']:
  """Returns each row's state at its last true step, zero where it has none.

  Eq. 7.
  """
  place = jnp.maximum(lengths - 1, 0)[:, None, None]
  last = jnp.take_along_axis(states, place, axis=1)[:, 0]
  return jnp.where(lengths[:, None] > 0, last, 0)
