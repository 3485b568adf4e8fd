"""Temporal alignment: Eqs. 4-6."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import avjax
from avjax.models import alignment
from tests.models import paper


def example(audio=9, frames=7, places=4, dtype=np.float32):
  random = np.random.default_rng(0)
  shapes = (audio, 5), (frames, 3), (5, 6), (3, 6), (places, 6)
  return tuple(random.standard_normal(s).astype(dtype) for s in shapes)


@pytest.mark.parametrize('audio, frames', [(9, 7), (1, 1), (3, 8), (40, 3)])
@pytest.mark.parametrize('places', [2, 4, 6])
def test_equations(audio, frames, places):
  """Equation 4-6: x_t and l_t, for more and for less audio than video."""
  arrays = example(audio, frames, places)
  wanted = paper.align(*(a.astype(np.float64) for a in arrays))
  for got, want in zip(avjax.align(*arrays), wanted, strict=True):
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_equations_in_double_precision():
  """Equation 4-6: to 1e-10 under x64."""
  with jax.enable_x64(True):
    arrays = example(dtype=np.float64)
    got = avjax.align(*arrays)
  for a, b in zip(got, paper.align(*arrays), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-10)


def test_true_lengths():
  """Equation 4-6: with padding, the result of the clip without it."""
  audio, visual, *weights = example()
  wanted = paper.align(audio[:6], visual[:4], *weights)
  audio[6:], visual[4:] = 0, np.nan
  got = avjax.align(audio, visual, *weights, 6, 4)
  for a, b in zip(got, wanted, strict=True):
    np.testing.assert_allclose(a[:4], b, rtol=1e-5, atol=1e-6)
    assert not np.any(a[4:])


def test_weights_sum_to_one():
  """Law: over the places that exist; outside of the clip they are 0."""
  audio, visual, *weights = example()
  _, l = avjax.align(audio, visual, *weights, 6, 4)
  np.testing.assert_allclose(l.sum(1), [1, 1, 1, 1, 0, 0, 0], rtol=1e-6)
  frame = [(2 * t + 1) * 6 // 8 - 2 + i for t in range(4) for i in range(4)]
  outside = (np.array(frame) < 0) | (np.array(frame) >= 6)
  assert outside.any()
  np.testing.assert_array_equal(l[:4].reshape(-1) == 0, outside)


def test_nothing_outside_the_window_matters():
  """Law: the gradient is zero for audio that no window reaches."""
  audio, visual, *weights = example(audio=40, frames=3)
  slope = jax.grad(lambda a: avjax.align(a, visual, *weights)[0].sum())(audio)
  reached = {(2 * t + 1) * 40 // 6 - 2 + i for t in range(3) for i in range(4)}
  zero = ~np.any(np.asarray(slope), axis=1)
  np.testing.assert_array_equal(zero, [j not in reached for j in range(40)])


def test_clip_without_audio():
  """Law: no place exists, so x_t and l_t are zero and gradients finite."""
  arrays = example()

  def total(*arrays):
    x, l = avjax.align(*arrays, 0, 7)
    return x.sum() + l.sum()

  assert total(*arrays) == 0
  slopes = jax.grad(total, argnums=(0, 1, 2, 3, 4))(*arrays)
  assert all(np.all(np.asarray(s) == 0) for s in slopes)


def test_gradients():
  """Gradient: of x_t and l_t against finite differences."""
  with jax.enable_x64(True):
    check_grads(
      lambda *a: avjax.align(*a, 6, 4),
      example(dtype=np.float64),
      order=1,
      modes=['rev'],
    )


def test_centre_is_exact():
  """Equation p_t: against Python's integers, up to 2**20 frames."""
  random = np.random.default_rng(0)
  longest = alignment.LONGEST
  lengths = [(longest, longest), (1, longest), (longest, 1), (longest, 3)]
  lengths += [
    tuple(int(n) for n in random.integers(1, longest, 2)) for _ in range(30)
  ]
  for audio, frames in lengths:
    t = np.unique(np.append(random.integers(0, frames, 30), [0, frames - 1]))
    got = alignment.window_centre(jnp.asarray(t, jnp.int32), audio, frames)
    wanted = [(2 * int(k) + 1) * audio // (2 * frames) for k in t]
    np.testing.assert_array_equal(got, wanted)


def test_centre_mode():
  """Equation p_t: switched off, x_t is the audio at the window's centre."""
  audio = example()[0]
  audio[6:] = 0
  x, l = alignment.centre(audio, 4, 7, 6, 5)
  for t in range(5):
    np.testing.assert_array_equal(x[t], audio[(2 * t + 1) * 6 // 10])
    np.testing.assert_array_equal(l[t], [0, 0, 1, 0])
  assert not np.any(x[5:]) and not np.any(l[5:])
