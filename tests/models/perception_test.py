"""Perception attention and the heads: Eqs. 8-11."""

import jax
import numpy as np
from jax.test_util import check_grads

import avjax
from avjax.models import heads
from tests.models import paper


def example(dtype=np.float32, frames=6, emotions=3):
  random = np.random.default_rng(0)
  shapes = (frames, 4), (4, 5), (emotions, 5), (frames, 2), (emotions, 2)
  arrays = [random.standard_normal(s).astype(dtype) for s in shapes]
  return *arrays, random.standard_normal(emotions).astype(dtype)


def test_attention():
  """Equation 9-10: f^n of every emotion, with and without padding."""
  h_sel, w_state, embeddings, *_ = example()
  wanted = paper.attend(h_sel, w_state, embeddings)
  got = avjax.attend(h_sel, w_state, embeddings)
  np.testing.assert_allclose(got, wanted, rtol=1e-5)
  padded = np.pad(h_sel, ((0, 3), (0, 0)))
  got = avjax.attend(padded, w_state, embeddings, 6)
  np.testing.assert_allclose(got[:, :6], wanted, rtol=1e-5)
  assert not np.any(got[:, 6:])
  np.testing.assert_allclose(got.sum(1), 1, rtol=1e-6)


def test_logits():
  """Equation 11: s^n of every emotion."""
  h_sel, w_state, embeddings, h_av, w_class, b_class = example()
  f = paper.attend(h_sel, w_state, embeddings)
  wanted = paper.classify(h_av, f, w_class, b_class)
  got = avjax.classify(h_av, f.astype(np.float32), w_class, b_class)
  np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_double_precision():
  """Equation 9-11: to 1e-10 under x64."""
  arrays = example(np.float64)
  f = paper.attend(*arrays[:3])
  wanted = paper.classify(arrays[3], f, *arrays[4:])
  with jax.enable_x64(True):
    got = avjax.classify(arrays[3], avjax.attend(*arrays[:3]), *arrays[4:])
  np.testing.assert_allclose(got, wanted, rtol=1e-10)


def test_gradients():
  """Gradient: of the logits, through the attention, for a padded clip."""
  with jax.enable_x64(True):
    h_sel, w_state, embeddings, h_av, w_class, b_class = example(np.float64)
    h_av[4:] = 0

    def logits(h_sel, w_state, embeddings, h_av, w_class, b_class):
      f = avjax.attend(h_sel, w_state, embeddings, 4)
      return avjax.classify(h_av, f, w_class, b_class)

    arrays = h_sel, w_state, embeddings, h_av, w_class, b_class
    check_grads(logits, arrays, order=1, modes=['rev'])


def test_empty_clip():
  """Law: a row of filler gives finite values and gradients."""
  h_sel, w_state, embeddings, *_ = example()
  value, slopes = jax.value_and_grad(
    lambda *a: (avjax.attend(*a, 0) ** 2).sum(), argnums=(0, 1, 2)
  )(h_sel, w_state, embeddings)
  assert value == 0
  assert all(np.all(np.asarray(s) == 0) for s in slopes)


def test_mean_state():
  """Equation 8: the sum of the states over the true frames, divided by T."""
  states = example()[3][None]
  states[:, 4:] = 0
  got = heads.mean_state(states, np.array([4], np.int32))
  np.testing.assert_allclose(got[0], states[0, :4].mean(0), rtol=1e-6)
  empty = heads.mean_state(states * 0, np.array([0], np.int32))
  assert np.all(np.asarray(empty) == 0)
