"""The attention of Eqs. 4-6 in C++, against the equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from avjax.kernels import windowed
from avjax.models import alignment
from tests.kernels.here import skip_without_compiler
from tests.models import paper

AUDIO, VIDEO = np.array([[9, 4, 0, 1], [7, 3, 5, 0]], np.int32)

HEARD = np.arange(9)[None, :, None] < AUDIO[:, None, None]


@pytest.fixture(autouse=True)
def _compiled():
  skip_without_compiler()


def example(dtype, cells=5, size=6):
  """Four ragged clips, and the weights; NaN on padding."""
  random = np.random.default_rng(0)
  shapes = (4, 9, cells), (4, 7, 3), (cells, size), (3, size), (4, size)
  arrays = [random.standard_normal(s).astype(dtype) for s in shapes]
  for clip in range(4):
    arrays[0][clip, AUDIO[clip] :] = np.nan
    arrays[1][clip, VIDEO[clip] :] = np.nan
  return arrays


def kernel(audio, visual, w_audio, w_visual, w_place):
  """Returns x_t and l_t in C++."""
  centre = jax.vmap(alignment.window_centre, (None, 0, 0))(
    jnp.arange(visual.shape[1]), AUDIO, VIDEO
  )
  audio, visual = (jnp.nan_to_num(x) for x in (audio, visual))
  return windowed.attention(
    jnp.where(HEARD, audio, jnp.nan),
    audio @ w_audio,
    visual @ w_visual,
    w_place,
    centre,
    AUDIO,
    VIDEO,
  )


def equations(audio, visual, *weights):
  """Returns x_t and l_t in XLA operations."""
  audio, visual = (jnp.nan_to_num(x) for x in (audio, visual))
  return jax.vmap(alignment.align, (0, 0, None, None, None, 0, 0))(
    audio, visual, *weights, AUDIO, VIDEO
  )


def weighted(run, *arrays):
  """Returns a number on which all of x_t and l_t have an influence."""
  x, l = run(*arrays)
  return jnp.sin(x).sum() + (l * jnp.arange(l.size).reshape(l.shape)).sum()


@pytest.mark.parametrize('cells, size', [(5, 6), (32, 32)])
def test_equations(cells, size):
  """Equation 4-6: x_t and l_t of ragged clips, zero on padding."""
  audio, visual, *weights = example(np.float32, cells, size)
  x, l = jax.jit(kernel)(audio, visual, *weights)
  for clip, (heard, seen) in enumerate(zip(AUDIO, VIDEO, strict=True)):
    assert not np.any(x[clip, seen:]) and not np.any(l[clip, seen:])
    if heard and seen:
      wanted = paper.align(
        *(
          a.astype(np.float64)
          for a in (audio[clip, :heard], visual[clip, :seen], *weights)
        )
      )
      np.testing.assert_allclose(x[clip, :seen], wanted[0], atol=1e-5)
      np.testing.assert_allclose(l[clip, :seen], wanted[1], atol=1e-6)
    else:
      assert not np.any(x[clip]) and not np.any(l[clip])


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_gradients(dtype):
  """Agreement: gradients of the XLA operations, in both precisions."""
  tolerance = 2e-5 if dtype == np.float32 else 1e-10
  with jax.enable_x64(dtype == np.float64):
    got, wanted = (
      jax.jit(jax.grad(weighted, (1, 2, 3, 4, 5)), static_argnums=0)(
        run, *example(dtype)
      )
      for run in (kernel, equations)
    )
  for a, b in zip(got, wanted, strict=True):
    assert a.dtype == dtype
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_replicas():
  """Agreement: networks mapped over give what each gives alone."""
  audio, visual, *weights = example(np.float32)
  stacked = [np.stack([w, 0.5 * w]) for w in weights]
  x, _ = jax.vmap(kernel, (None, None, 0, 0, 0))(audio, visual, *stacked)
  alone, _ = kernel(audio, visual, *(0.5 * w for w in weights))
  np.testing.assert_allclose(x[1], alone, rtol=1e-6, atol=1e-7)
