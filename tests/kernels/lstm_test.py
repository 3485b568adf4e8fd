"""The LSTM: every implementation against Eqs. 1-3 and against each other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import avjax
from avjax.kernels import KernelError
from avjax.kernels.lstm import IMPLEMENTATIONS, chunked

pytestmark = pytest.mark.usefixtures('interpreted')

NAMES = tuple(IMPLEMENTATIONS)
DOUBLE = tuple(n for n in NAMES if not n.startswith('pallas_tpu'))
LENGTHS = np.array([7, 1, 4, 0, 7], np.int32)  # full, shortest, ragged, filler


def sigmoid(z):
  return 1 / (1 + np.exp(-z))


def example(dtype=np.float32, rows=5, steps=7, width=3, cells=4):
  random = np.random.default_rng(0)
  shapes = (
    (rows, steps, width),
    (width, 4, cells),
    (cells, 4, cells),
    (4, cells),
  )
  return tuple(random.standard_normal(s).astype(dtype) for s in shapes)


def paper(inputs, w_input, w_recurrent, bias, lengths):
  """Eqs. 1-3, index by index."""
  x, W, R, b = (
    np.asarray(a, np.float64) for a in (inputs, w_input, w_recurrent, bias)
  )
  B, T, _ = x.shape
  d = R.shape[0]
  states = np.zeros((B, T, d))
  h_last, c_last = np.zeros((B, d)), np.zeros((B, d))
  for n in range(B):
    h, c = np.zeros(d), np.zeros(d)
    for t in range(lengths[n]):
      z = [x[n, t] @ W[:, k] + h @ R[:, k] + b[k] for k in range(4)]
      i, f, o, g = sigmoid(z[0]), sigmoid(z[1]), sigmoid(z[2]), np.tanh(z[3])
      c = f * c + i * g
      h = o * np.tanh(c)
      states[n, t] = h
    h_last[n], c_last[n] = h, c
  return states, (h_last, c_last)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('lengths', [None, LENGTHS], ids=['full', 'ragged'])
def test_values(name, lengths):
  """Equation 1-3: states and last states in float32."""
  arrays = example()
  got = avjax.lstm(*arrays, lengths, implementation=name)
  wanted = paper(*arrays, np.full(5, 7) if lengths is None else lengths)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
    got,
    wanted,
  )


@pytest.mark.parametrize('name', DOUBLE)
def test_values_in_double_precision(name):
  """Equation 1-3: to 1e-10 under x64."""
  with jax.enable_x64(True):
    arrays = example(np.float64)
    got = avjax.lstm(*arrays, LENGTHS, implementation=name)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12),
    got,
    paper(*arrays, LENGTHS),
  )


def gradients(arrays, lengths, name):
  """Returns the gradients of a sum that weighs every result differently."""
  random = np.random.default_rng(1)

  def weighted(*arrays):
    h, (h_last, c_last) = avjax.lstm(*arrays, lengths, implementation=name)
    return sum(
      (random.standard_normal(a.shape).astype(a.dtype) * a).sum()
      for a in (h, h_last, c_last)
    )

  return jax.jit(jax.grad(weighted, argnums=(0, 1, 2, 3)))(*arrays)


@pytest.mark.parametrize('name', NAMES[1:])
@pytest.mark.parametrize('lengths', [None, LENGTHS], ids=['full', 'ragged'])
def test_gradients_agree(name, lengths):
  """Agreement: the backward pass by hand with autodiff of the reference."""
  wanted = gradients(example(), lengths, 'reference')
  got = gradients(example(), lengths, name)
  for a, b in zip(got, wanted, strict=True):
    scale = np.abs(b).max()
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize('name', DOUBLE)
def test_numeric_gradients(name):
  """Gradient: against finite differences, in double precision."""
  with jax.enable_x64(True):
    arrays = example(np.float64, rows=2, steps=4, width=2, cells=2)
    lengths = np.array([4, 2], np.int32)
    check_grads(
      lambda *a: avjax.lstm(*a, lengths, implementation=name),
      arrays,
      order=1,
      modes=['rev'],
    )


@pytest.mark.parametrize('name', NAMES)
def test_padding_does_not_matter(name):
  """Law: NaN in the padding, or more of it, changes no value or gradient."""
  arrays = example()
  clean = gradients(arrays, LENGTHS, name)
  values = avjax.lstm(*arrays, LENGTHS, implementation=name)
  padded = np.arange(7) >= LENGTHS[:, None]
  poisoned = np.where(padded[..., None], np.float32(np.nan), arrays[0])
  for inputs in (poisoned, np.pad(poisoned, ((0, 0), (0, 3), (0, 0)))):
    h, last = avjax.lstm(inputs, *arrays[1:], LENGTHS, implementation=name)
    np.testing.assert_allclose(h[:, :7], values[0], rtol=1e-6)
    assert not np.any(h[:, 7:])
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), last, values[1]
    )
  got = gradients((poisoned, *arrays[1:]), LENGTHS, name)
  assert not np.any(got[0][padded])
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
    got,
    clean,
  )


def test_rows_do_not_mix():
  """Law: a row's result does not depend on the other rows."""
  arrays = example()
  whole, _ = avjax.lstm(*arrays, LENGTHS)
  alone, _ = avjax.lstm(arrays[0][2:3], *arrays[1:], LENGTHS[2:3])
  np.testing.assert_allclose(whole[2:3], alone, rtol=1e-6, atol=1e-7)


def test_hc_keeps_less():
  """Law: 'hc' keeps no gates between the forward and the backward pass."""

  def kept(name):
    _, pull = jax.vjp(
      lambda *a: avjax.lstm(*a, implementation=name)[0], *example()
    )
    return sum(leaf.size for leaf in jax.tree.leaves(pull))

  gates = 5 * 7 * 4 * 4
  assert kept('fused') - kept('fused_hc') == gates


@pytest.mark.parametrize('steps', [1, 3, 7, 8])
def test_chunks_of_any_size(steps):
  """Law: chunks that divide T or do not give the same, gradients too."""
  arrays = tuple(np.asarray(a) for a in example())
  inputs = arrays[0].swapaxes(0, 1)

  def total(*arrays, scan):
    h, c = scan(*arrays)
    return (h**2).sum() + (c**3).sum()

  got, wanted = (
    jax.value_and_grad(functools.partial(total, scan=scan), (0, 1, 2, 3))(
      inputs, *arrays[1:]
    )
    for scan in (
      functools.partial(chunked.scan, steps=steps),
      IMPLEMENTATIONS['reference'],
    )
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
    got,
    wanted,
  )


def test_chunked_keeps_little():
  """Law: four times the steps need far less than four times the memory."""

  def temporary(name, steps):
    arrays = example(rows=1, steps=steps)
    loss = lambda *a: avjax.lstm(*a, implementation=name)[0].sum()  # noqa: E731
    compiled = jax.jit(jax.grad(loss, (1, 2, 3))).lower(*arrays).compile()
    return compiled.memory_analysis().temp_size_in_bytes

  assert temporary('chunked', 8192) < 0.6 * temporary('fused', 8192)


def test_a_name_runs_or_raises():
  """Law: an implementation is never silently replaced by another."""
  with pytest.raises(KernelError, match="'cudnn'; there are reference, fused"):
    avjax.lstm(*example(), implementation='cudnn')


def test_fused_has_one_product_a_step():
  """Law: the loop of the forward pass holds `h R` and no other product."""
  run = functools.partial(avjax.lstm, implementation='fused')
  jaxpr = jax.make_jaxpr(lambda *a: run(*a)[0])(*example())
  (call,) = [e for e in jaxpr.eqns if 'custom_vjp' in e.primitive.name]
  body = call.params['call_jaxpr']
  (scan,) = [e for e in body.eqns if e.primitive.name == 'scan']
  assert str(jaxpr).count('dot_general') == 2
  assert str(scan.params['jaxpr']).count('dot_general') == 1


def test_vmap_and_jit():
  """Law: mapping over networks gives each network's own result."""
  arrays = example()
  stacked = tuple(jnp.stack([a, 2 * a]) for a in arrays[1:])
  both = jax.jit(jax.vmap(lambda *w: avjax.lstm(arrays[0], *w, LENGTHS)[0]))(
    *stacked
  )
  second, _ = avjax.lstm(arrays[0], *(2 * a for a in arrays[1:]), LENGTHS)
  np.testing.assert_allclose(both[1], second, rtol=1e-5, atol=1e-6)
