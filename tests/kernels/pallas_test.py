"""The LSTM's Pallas kernels: interpreted, mapped, sharded and lowered.

No test runs a kernel on a GPU or a TPU.
"""

import contextlib
import functools
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, Mesh, PartitionSpec

import avjax
from avjax.errors import ConfigError
from avjax.kernels.lstm import IMPLEMENTATIONS, available, pallas_scan
from tests.kernels.lstm_test import LENGTHS, example

PALLAS = tuple(n for n in IMPLEMENTATIONS if n.startswith('pallas'))
SOME = ('fused', 'fused_hc', 'pallas_gpu', 'pallas_tpu_hc')
DEVICES = {
  'gpu': ('cuda', 'NVIDIA H100 80GB HBM3', '__gpu$xla.gpu.triton'),
  'tpu': ('tpu', 'TPU v5 lite', 'tpu_custom_call'),
}

interpreted = pytest.mark.usefixtures('interpreted')
# Triton's part of Pallas says so from jax 0.11 on.
lowers_triton = pytest.mark.filterwarnings('ignore:The Pallas Triton backend')


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


@interpreted
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


@interpreted
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


@interpreted
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


@interpreted
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


@interpreted
@pytest.mark.parametrize('how', ['jit', 'shard_map', 'pmap'])
@pytest.mark.parametrize('name', SOME)
def test_four_devices(name, how):
  """Agreement: rows spread over devices give the gradients of one."""
  arrays, lengths, (_, wanted) = reference(rows=8)
  compare(spread(how, name, lengths, *arrays), wanted, 1e-5)


def lowered(name, backward, sizes=(5, 7, 3, 64), dtype='float32', replicas=0):
  """Returns the program that a device of the platform would be given."""
  rows, steps, width, cells = sizes
  shapes = (
    (rows, steps, width),
    (width, 4, cells),
    (cells, 4, cells),
    (4, cells),
  )
  avals = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
  scan = functools.partial(IMPLEMENTATIONS[name], interpret=False)

  def function(inputs, *weights):
    h, c = scan(inputs.swapaxes(0, 1), *weights)
    return (h.sum() + c.sum()).astype('float32')

  if backward:
    function = jax.grad(function, argnums=(0, 1, 2, 3))
  if replicas:
    function = jax.vmap(function, (None, 0, 0, 0))
    avals[1:] = [
      jax.ShapeDtypeStruct((replicas, *a.shape), dtype) for a in avals[1:]
    ]
  platform, kind, _ = DEVICES[name.split('_')[1]]
  device = AbstractDevice(
    device_kind=kind, num_cores=1, platform=name.split('_')[1]
  )
  mesh = AbstractMesh((1,), ('data',), abstract_device=device)
  with jax.sharding.use_abstract_mesh(mesh):
    traced = jax.jit(function).trace(*avals)
    return traced.lower(lowering_platforms=(platform,)).as_text()


@lowers_triton
@pytest.mark.parametrize('name', PALLAS)
@pytest.mark.parametrize(
  'options',
  [{}, {'sizes': (33, 7, 3, 4)}, {'dtype': 'bfloat16'}, {'replicas': 3}],
  ids=['plain', 'no_blocks', 'bfloat16', 'replicas'],
)
def test_lowered(name, options):
  """Law: the programs for CUDA and TPU hold the kernels, one call a pass."""
  call = DEVICES[name.split('_')[1]][2]
  for backward, wanted in (
    (False, ['lstm_forward']),
    (True, ['lstm_forward', 'lstm_backward']),
  ):
    program = lowered(name, backward, **options)
    calls = [line for line in program.splitlines() if call in line]
    found = [re.search('lstm_(for|back)ward', line)[0] for line in calls]
    assert found == wanted
    assert 'while' not in program


@pytest.mark.parametrize('platform', ['gpu', 'tpu'])
def test_precision(platform):
  """Law: the products are float32 where float32 is asked for, else TF32."""
  run = functools.partial(pallas_scan.scan, platform, interpret=True)

  def products(precision):
    arrays = example(steps=5, rows=7)
    with precision:
      # A new function each time: the jaxpr of an old one is remembered.
      jaxpr = str(jax.make_jaxpr(lambda *a: run(*a))(*arrays))
    return len(re.findall('precision=.*HIGHEST', jaxpr))

  assert products(contextlib.nullcontext()) == 0
  # The projection, and in the kernel one product or one for each gate.
  wanted = 1 + {'gpu': 4, 'tpu': 1}[platform]
  assert products(jax.default_matmul_precision('highest')) == wanted


@pytest.mark.parametrize('platform', ['gpu', 'tpu'])
def test_backward_loop(platform):
  """Law: the loop of the backward pass holds no transcendental function."""
  kernels = pallas_scan._kernels(platform)
  loops = pallas_scan._loops(kernels, True)
  steps, rows, cells = kernels.padded(5, 7, 3, np.float32)
  state = jax.ShapeDtypeStruct((steps, rows, cells), 'float32')
  slopes = jax.ShapeDtypeStruct((steps, rows, 5 * cells), 'float32')
  weights = jax.ShapeDtypeStruct((cells, 4 * cells), 'float32')
  jaxpr = str(
    jax.make_jaxpr(loops.backward)(state, state, slopes, state, weights)
  )
  assert 'dot_general' in jaxpr
  assert not re.search('exp|tanh|logistic|log', jaxpr)


@pytest.mark.parametrize('name', PALLAS)
def test_elsewhere(name):
  """Law: without its device a kernel is refused in one line, by name."""
  assert available() == ('reference', 'fused', 'fused_hc')
  platform = name.split('_')[1]
  message = f"'pallas_{platform}' needs a {platform.upper()}, but .* a CPU; .*"
  with pytest.raises(ConfigError, match=message):
    avjax.lstm(*example(), implementation=name)


@interpreted
@pytest.mark.parametrize('platform,cells', [('gpu', 65), ('tpu', 513)])
def test_too_many_cells(platform, cells):
  """Law: what does not fit on the chip is refused, with the limit."""
  arrays = example(rows=1, steps=2, cells=cells)
  with pytest.raises(ConfigError, match=f'got {cells} cells .* at most'):
    avjax.lstm(*arrays, implementation=f'pallas_{platform}')


def test_a_jax_without_triton():
  """Program: avjax works without it, and says so where it is asked for."""
  code = (
    'import sys; sys.modules["jax.experimental.pallas.triton"] = None;'
    'import numpy as np, avjax; from avjax.kernels.lstm import pallas_scan;'
    'a = [np.ones(s, "f") for s in ((2, 3, 4), (4, 4, 2), (2, 4, 2), (4, 2))];'
    'print(avjax.lstm(*a)[0].shape);'
    'pallas_scan.scan("gpu", *a, interpret=True)'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=False
  )
  assert done.stdout == '(2, 3, 2)\n'
  assert "'pallas_gpu' needs a part of Pallas" in done.stderr.splitlines()[-1]
