"""One LSTM layer."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from avjax.benchmarks import agreement, case, cudnn_peer, flax_peers, inputs
from avjax.benchmarks.case import Case
from avjax.benchmarks.inputs import Shape
from avjax.benchmarks.timing import Implementation, compiled
from avjax.errors import AvjaxError
from avjax.kernels import KernelError
from avjax.kernels.lstm import lstm as layer_of_ours


def lstm(shape: Shape, peers: Sequence[str], gradients: bool = True) -> Case:
  """Returns a layer, its input 2 C wide: forward, and backward if asked for.

  The gradients, of inputs and parameters, are those of the mean squared state.
  """
  arrays, length = inputs.layer(shape), inputs.lengths(shape)
  every = jnp.asarray(length)
  # What has no padding is told so, that it need not look for any.
  lengths = every if shape.ragged else None
  check = agreement.values_and_gradients if gradients else agreement.values

  def jitted(layer):
    program, seconds, peak_bytes = compiled(jax.jit(check(layer)), arrays)
    call = functools.partial(program, arrays)
    return Implementation(
      call,
      lambda: case.arrays(call()),
      compile_seconds=seconds,
      peak_bytes=peak_bytes,
    )

  def ours(implementation):
    return jitted(lambda arrays: _layer(arrays, lengths, implementation))

  makers = case.ours(ours, peers)
  if 'flax' in peers:
    for name, unroll in ('flax', 1), ('flax_unroll8', 8):
      layer = functools.partial(flax_peers.lstm, lengths=lengths, unroll=unroll)
      makers[name] = functools.partial(jitted, layer)
  if 'torch' in peers:
    makers |= case.torch('layer', shape, arrays, length, gradients=gradients)
  if 'cudnn' in peers:
    layer = functools.partial(cudnn_peer.lstm, lengths=every)
    makers['cudnn'] = functools.partial(jitted, layer)
  wanted = agreement.in_float64(
    check(lambda arrays: _layer(arrays, lengths, 'reference')), arrays
  )
  return Case(wanted, makers)


def _layer(arrays, lengths, implementation):
  inputs, w_input, w_recurrent, bias = arrays
  try:
    h, _ = layer_of_ours(
      inputs, w_input, w_recurrent, bias, lengths, implementation=implementation
    )
  except KernelError as error:
    raise AvjaxError(str(error)) from error
  return h
