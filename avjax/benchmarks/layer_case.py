"""The case of one LSTM layer."""

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
  """Returns the case of a layer with inputs 2 C wide.

  Args:
    shape: of the inputs.
    peers: names of the peers.
    gradients: whether to compute the gradients of the mean squared state with
      respect to inputs and parameters, or only the states.
  """
  arrays, length = inputs.layer(shape), inputs.lengths(shape)
  all_lengths = jnp.asarray(length)
  # Without padding, implementations may skip the masking.
  lengths = all_lengths if shape.ragged else None
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
    layer = functools.partial(cudnn_peer.lstm, lengths=all_lengths)
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
