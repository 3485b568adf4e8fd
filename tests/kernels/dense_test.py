"""The dense layer in C++, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from avjax.kernels.dense import dense
from tests.kernels.here import skip_without_compiler

LENGTHS = np.array([9, 0, 4, 1], np.int32)
WITHIN = np.arange(9)[None, :, None] < LENGTHS[:, None, None]


@pytest.fixture(autouse=True)
def _compiled():
  skip_without_compiler()


def example(dtype, inputs=5, outputs=6):
  random = np.random.default_rng(0)
  shapes = (4, 9, inputs), (inputs, outputs), (outputs,)
  x, *weights = (random.standard_normal(s).astype(dtype) for s in shapes)
  return np.where(WITHIN, x, np.nan), *weights


@pytest.mark.parametrize(
  'dtype, inputs, outputs',
  [(np.float32, 70, 33), (np.float32, 3, 128), (np.float64, 5, 6)],
)
def test_values_and_gradients(dtype, inputs, outputs):
  """Equation: x W + b and its gradients; zero on padding, NaN unread."""
  tolerance = 1e-4 if dtype == np.float32 else 1e-10
  x, w, b = example(dtype, inputs, outputs)
  with jax.enable_x64(dtype == np.float64):
    y, pull = jax.vjp(lambda *a: dense(*a, LENGTHS), x, w, b)
    got = (y, *pull(jnp.cos(y)))
  x = np.where(WITHIN, x, 0).astype(np.float64)
  y = np.where(WITHIN, x @ w + b, 0)
  d = np.where(WITHIN, np.cos(y), 0)
  d_w = np.einsum('btd,btv->dv', x, d)
  wanted = y, d @ w.T, d_w, d.sum((0, 1))
  for one, other in zip(got, wanted, strict=True):
    assert one.dtype == dtype
    np.testing.assert_allclose(one, other, tolerance, tolerance)


def test_replicas():
  """Agreement: layers mapped over give what each gives alone."""
  x, w, b = example(np.float32)
  stacked = np.stack([w, 2 * w]), np.stack([b, -b])
  y = jax.vmap(dense, (None, 0, 0, None))(x, *stacked, LENGTHS)
  np.testing.assert_array_equal(y[1], dense(x, 2 * w, -b, LENGTHS))
