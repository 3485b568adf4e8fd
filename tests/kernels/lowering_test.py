"""The LSTM's Pallas kernels: what is lowered for them, what is refused.

No test runs a kernel on a GPU or a TPU.
"""

import contextlib
import functools
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh

import avjax
from avjax.kernels import KernelError
from avjax.kernels.lstm import IMPLEMENTATIONS, available, pallas_scan
from avjax.kernels.lstm.api import WHOLE
from tests.kernels.lstm_test import example

PALLAS = tuple(n for n in IMPLEMENTATIONS if n.startswith('pallas'))
DEVICES = {
  'gpu': ('cuda', 'NVIDIA H100 80GB HBM3', '__gpu$xla.gpu.triton'),
  'tpu': ('tpu', 'TPU v5 lite', 'tpu_custom_call'),
}

# Triton's part of Pallas says so from jax 0.11 on.
lowers_triton = pytest.mark.filterwarnings('ignore:The Pallas Triton backend')


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
  found = tuple(one for one in available() if one not in WHOLE)
  assert found == ('reference', 'fused', 'fused_hc', 'chunked')
  platform = name.split('_')[1]
  message = f"'pallas_{platform}' needs a {platform.upper()}, but .* a CPU; .*"
  with pytest.raises(KernelError, match=message):
    avjax.lstm(*example(), implementation=name)


@pytest.mark.usefixtures('interpreted')
@pytest.mark.parametrize('platform,cells', [('gpu', 65), ('tpu', 513)])
def test_too_many_cells(platform, cells):
  """Law: what does not fit on the chip is refused, with the limit."""
  arrays = example(rows=1, steps=2, cells=cells)
  with pytest.raises(KernelError, match=f'got {cells} cells .* at most'):
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
