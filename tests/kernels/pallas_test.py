"""The LSTM's Pallas kernels, interpreted: sizes, types, maps and devices.

No test runs a kernel on a GPU or a TPU.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

import avjax
from tests.kernels.lstm_test import LENGTHS, example

SOME = ('fused', 'fused_hc', 'pallas_gpu', 'pallas_tpu_hc', 'cpu', 'cpu_hc')
pytestmark = pytest.mark.usefixtures('interpreted')


def weights_of(steps, width):
  """Returns what the states are weighed with: no two alike, none zero."""
  return jnp.cos(jnp.arange(steps * width)).reshape(steps, width)


def weighted(name, lengths, inputs, *weights):
  """Returns a sum in which every state and last state of a row counts."""
  h, (h_last, c_last) = avjax.lstm(
    inputs, *weights, lengths, implementation=name
  )
  sums = (h * weights_of(*h.shape[1:])[None]).sum()
  return sums + (h_last - 2 * c_last).sum()


def values_and_gradients(name, lengths, *arrays):
  """Returns the result of the LSTM and the gradients of `weighted`."""
  gradient = jax.grad(weighted, argnums=(2, 3, 4, 5))
  return (
    avjax.lstm(*arrays, lengths, implementation=name),
    gradient(name, lengths, *arrays),
  )


def compare(got, wanted, tolerance):
  """Compares arrays by their largest entry, in float32."""
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@functools.cache
def reference(rows=5, steps=7, width=3, cells=4):
  arrays = example(np.float32, rows, steps, width, cells)
  lengths = np.resize(LENGTHS, rows)
  run = jax.jit(functools.partial(values_and_gradients, 'reference'))
  return arrays, lengths, run(lengths, *arrays)


@pytest.mark.parametrize(
  'name,rows,cells',
  [
    ('pallas_gpu', 3, 8),
    ('pallas_gpu_hc', 17, 32),
    ('pallas_tpu', 17, 32),
    ('pallas_tpu_hc', 3, 8),
  ],
)
def test_any_size(name, rows, cells):
  """Agreement: rows and cells that fill no block change nothing."""
  arrays, lengths, wanted = reference(rows, 7, 3, cells)
  got = jax.jit(functools.partial(values_and_gradients, name))(lengths, *arrays)
  compare(got, wanted, 1e-5)


@pytest.mark.parametrize('name', ['pallas_tpu', 'pallas_tpu_hc'])
def test_tiles_of_time(name, monkeypatch):
  """Agreement: the state passes from tile to tile, in both directions."""
  from avjax.kernels.lstm import pallas_tpu

  a_step = 12 * 4 * 128 * 16  # bytes
  monkeypatch.setattr(pallas_tpu, 'TILE_BYTES', 4 * a_step)
  assert pallas_tpu.padded(11, 3, 4, np.float32) == (12, 16, 128)
  arrays, lengths, wanted = reference(3, 11)
  run = jax.jit(functools.partial(values_and_gradients, name))
  assert 'grid=(1, 3)' in str(jax.make_jaxpr(run)(lengths, *arrays))
  compare(run(lengths, *arrays), wanted, 1e-5)


@pytest.mark.parametrize('name', ['reference', *SOME])
def test_bfloat16(name):
  """Agreement: operands are bfloat16, c and every sum float32."""
  arrays, lengths, _ = reference(5, 7, 3, 8)
  rounded = [jnp.asarray(a, jnp.bfloat16) for a in arrays]
  exact = [a.astype(np.float32) for a in rounded]
  wanted = values_and_gradients('reference', lengths, *exact)
  run = jax.jit(functools.partial(values_and_gradients, name))
  got = run(lengths, *rounded)
  (h, (h_last, c_last)), gradients = got
  assert {a.dtype.name for a in (h, h_last, *gradients)} == {'bfloat16'}
  assert c_last.dtype == np.float32
  compare(got, wanted, 2e-2)


@pytest.mark.parametrize('name', SOME)
def test_replicas(name):
  """Agreement: networks mapped over give what each gives alone."""
  arrays, lengths, first = reference()
  stacked = [np.stack([a, 0.5 * a]) for a in arrays[1:]]
  run = functools.partial(values_and_gradients, name, lengths, arrays[0])
  got = jax.jit(jax.vmap(run))(*stacked)
  second = jax.jit(functools.partial(values_and_gradients, 'reference'))(
    lengths, arrays[0], *(0.5 * a for a in arrays[1:])
  )
  compare(got, jax.tree.map(lambda a, b: np.stack([a, b]), first, second), 1e-5)


def spread(how, name, lengths, inputs, *weights):
  """Returns the gradients of `weighted`, its rows on four devices."""
  gradient = jax.grad(weighted, argnums=(2, 3, 4, 5))
  devices = np.array(jax.devices())
  rows, whole = PartitionSpec('data'), PartitionSpec()

  def one_device(lengths, inputs, *weights):
    d_inputs, *d_weights = gradient(name, lengths, inputs, *weights)
    return d_inputs, jax.lax.psum(d_weights, 'data')

  if how == 'shard_map':
    mapped = jax.shard_map(
      one_device,
      mesh=Mesh(devices, ('data',)),
      in_specs=(rows, rows, whole, whole, whole),
      out_specs=(rows, whole),
      check_vma=False,
    )
    return jax.jit(mapped)(lengths, inputs, *weights)
  if how == 'pmap':
    lengths, inputs = (
      a.reshape(4, -1, *a.shape[1:]) for a in (lengths, inputs)
    )
    mapped = jax.pmap(one_device, 'data', in_axes=(0, 0, None, None, None))
    d_inputs, d_weights = mapped(lengths, inputs, *weights)
    return d_inputs.reshape(-1, *inputs.shape[2:]), [w[0] for w in d_weights]
  sharding = jax.sharding.NamedSharding(Mesh(devices, ('data',)), rows)
  lengths, inputs = jax.device_put((lengths, inputs), sharding)
  return jax.jit(functools.partial(gradient, name))(lengths, inputs, *weights)


@pytest.mark.parametrize('how', ['jit', 'shard_map', 'pmap'])
@pytest.mark.parametrize('name', SOME)
def test_four_devices(name, how):
  """Agreement: rows spread over devices give the gradients of one."""
  arrays, lengths, (_, wanted) = reference(rows=8)
  compare(spread(how, name, lengths, *arrays), wanted, 1e-5)
