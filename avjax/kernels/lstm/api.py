"""The LSTM of Eqs. 1-3 for a batch of sequences of different lengths."""

import functools
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp

from avjax.kernels import KernelError, compiled
from avjax.kernels.lstm import chunked, cpu, fused, pallas_scan, reference
from avjax.shapes import Array, Float, Int, checked

IMPLEMENTATIONS: dict[str, Callable] = {
  'reference': reference.scan,
  'fused': functools.partial(fused.scan, residuals='gates'),
  'fused_hc': functools.partial(fused.scan, residuals='hc'),
  'chunked': chunked.scan,
  'pallas_gpu': functools.partial(pallas_scan.scan, 'gpu', residuals='gates'),
  'pallas_gpu_hc': functools.partial(pallas_scan.scan, 'gpu', residuals='hc'),
  'pallas_tpu': functools.partial(pallas_scan.scan, 'tpu', residuals='gates'),
  'pallas_tpu_hc': functools.partial(pallas_scan.scan, 'tpu', residuals='hc'),
  'cpu': functools.partial(cpu.layer, residuals='gates'),
  'cpu_hc': functools.partial(cpu.layer, residuals='hc'),
}
"""Name -> a scan of dense time-major arrays, or, of `WHOLE`, all of `lstm`."""

WHOLE = ('cpu', 'cpu_hc')


def picked() -> str:
  """Returns the implementation that None means on this machine.

  The one that the environment names in `AVJAX_LSTM`, else 'cpu' where it works
  and is the only device: a compiler that shards a program over several would
  gather all rows for it.
  """
  if named := os.environ.get('AVJAX_LSTM'):
    return named
  return 'cpu' if jax.device_count() == 1 and cpu.chosen() else 'fused'


def implementations() -> dict[str, str | None]:
  """Returns why each implementation cannot run here, None if it can."""
  here = jax.default_backend()
  reasons: dict[str, str | None] = dict.fromkeys(IMPLEMENTATIONS)
  for name in IMPLEMENTATIONS:
    kind, _, platform = name.partition('_')
    if kind == 'pallas' and not platform.startswith(here):
      reasons[name] = f'JAX runs on a {here.upper()}'
    elif name in WHOLE:
      reasons[name] = compiled.missing()
  return reasons


def available() -> tuple[str, ...]:
  """Returns the names of the implementations that run on this machine."""
  return tuple(name for name, no in implementations().items() if not no)


@checked
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
      has run them yet. 'cpu' and 'cpu_hc' are the first two in C++, compiled
      for the machine when they are first used.
      None picks 'cpu' on a CPU, of one device, where it compiles and works,
      else 'fused': no other was measured on a device. What must have the same
      bits elsewhere names 'fused'.
      Rows spread over several devices want `pmap`, or `shard_map` with
      `check_vma=False`: a compiler that shards by itself gathers what a kernel
      is given (GPU) or refuses the kernel (TPU).

  Returns:
    h, zero on the padding, and (h_last, c_last) at each row's last true step,
    zero for a row of length 0.

  Raises:
    KernelError: no implementation of that name, or it cannot run here.
    ShapeError: an array does not fit.
  """
  if implementation is None:
    implementation = picked()
  if implementation not in IMPLEMENTATIONS:
    raise KernelError(
      f'no LSTM implementation {implementation!r}; there are '
      + ', '.join(IMPLEMENTATIONS)
    )
  scan = IMPLEMENTATIONS[implementation]
  if implementation in WHOLE:
    return scan(inputs, w_input, w_recurrent, bias, lengths)
  if lengths is None:
    h, c = scan(inputs.swapaxes(0, 1), w_input, w_recurrent, bias)
    return h.swapaxes(0, 1), (h[-1], c[-1])

  steps = jnp.arange(inputs.shape[1])[None]
  within = (steps < lengths[:, None])[..., None]  # [B, T, 1]
  inputs = jnp.where(within, inputs, 0)
  h, c = scan(inputs.swapaxes(0, 1), w_input, w_recurrent, bias)
  h, c = h.swapaxes(0, 1), c.swapaxes(0, 1)
  return jnp.where(within, h, 0), (last_step(h, lengths), last_step(c, lengths))


def last_step(
  states: Float[Array, 'B T C'], lengths: Int[Array, ' B']
) -> Float[Array, 'B C']:
  """Returns each row's state at its last true step, zero where it has none.

  Eq. 7.
  """
  place = jnp.maximum(lengths - 1, 0)[:, None, None]
  last = jnp.take_along_axis(states, place, axis=1)[:, 0]
  return jnp.where(lengths[:, None] > 0, last, 0)
