"""The optimiser: Adadelta with coupled weight decay (Section 4.1), or AdamW."""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import optax

from avjax.settings import TrainingConfig
from avjax.shapes import Array, Float, Int


def optimiser(training: TrainingConfig) -> optax.GradientTransformation:
  """Returns the rule that makes updates of gradients, at the full rate.

  With Adadelta the weight decay is added to the gradient. This is its meaning
  when the paper was written. Applied after Adadelta, it would be added to the
  update with the wrong sign, and the weights would grow. AdamW applies it to
  the weights (Loshchilov and Hutter, 2019).
  """
  if training.optimiser == 'adamw':
    return _adamw(
      training.learning_rate, training.weight_decay, training.clip_norm
    )
  return _adadelta(
    training.learning_rate,
    training.rho,
    training.epsilon,
    training.weight_decay,
    training.clip_norm,
  )


Schedule = Callable[[Int[Array, ''], Int[Array, '']], Float[Array, '']]
"""(steps before this one, steps of the whole training) -> share of the rate."""


def schedule(training: TrainingConfig) -> Schedule | None:
  """Returns the schedule of the learning rate; None if it is constant."""
  if training.schedule == 'constant' and not training.warm_up:
    return None
  return _schedule(training.schedule, training.warm_up)


@functools.cache
def _schedule(name: str, warm_up: float) -> Schedule:
  def share(step, steps):
    done = (step + 1) / steps
    rising = jnp.minimum(done / warm_up, 1) if warm_up else 1.0
    if name == 'constant':
      return rising
    rest = jnp.clip((done - warm_up) / (1 - warm_up), 0, 1)
    return rising * 0.5 * (1 + jnp.cos(jnp.pi * rest))

  return share


# Equal settings give the same object, so that compiled steps are reused.
@functools.cache
def _adadelta(rate, rho, epsilon, decay, norm):
  return _flat(
    norm,
    optax.add_decayed_weights(decay),
    optax.adadelta(rate, rho=rho, eps=epsilon),
  )


@functools.cache
def _adamw(rate, decay, norm):
  return _flat(norm, optax.adamw(rate, weight_decay=decay))


def _flat(norm, *rules):
  """Returns the rules after clipping, on all parameters as one vector.

  That is one operation instead of sixty, and a step compiles in two thirds of
  the time.
  """
  clipping = [optax.clip_by_global_norm(norm)] if norm else []
  return optax.flatten(optax.chain(*clipping, *rules))
