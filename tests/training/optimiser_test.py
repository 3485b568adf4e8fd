"""Adadelta with coupled weight decay."""

import jax.numpy as jnp
import numpy as np
import optax

from avjax.settings import TrainingConfig
from avjax.training.optimiser import optimiser


def test_adadelta():
  """Equation (Zeiler 2012, Algorithm 1): ten steps, decay in the gradient."""
  training = TrainingConfig(learning_rate=0.7, weight_decay=0.01)
  rule = optimiser(training)
  random = np.random.default_rng(0)
  x = random.standard_normal(5)
  params = jnp.asarray(x, jnp.float32)
  state = rule.init(params)
  rho, epsilon = training.rho, training.epsilon
  g2 = dx2 = np.zeros(5)
  for _ in range(10):
    g = random.standard_normal(5)
    updates, state = rule.update(jnp.asarray(g, jnp.float32), state, params)
    params = optax.apply_updates(params, updates)
    g = g + training.weight_decay * x
    g2 = rho * g2 + (1 - rho) * g**2
    dx = -np.sqrt(dx2 + epsilon) / np.sqrt(g2 + epsilon) * g
    dx2 = rho * dx2 + (1 - rho) * dx**2
    x = x + training.learning_rate * dx
  np.testing.assert_allclose(params, x, rtol=1e-5)


def test_decay_shrinks():
  """Law: without any gradient, the parameters move towards zero."""
  rule = optimiser(TrainingConfig())
  params = jnp.array([1.0, -1.0])
  state = rule.init(params)
  for _ in range(50):
    updates, state = rule.update(jnp.zeros(2), state, params)
    params = optax.apply_updates(params, updates)
  assert np.all(np.abs(params) < 1)
