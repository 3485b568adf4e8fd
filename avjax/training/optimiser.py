"""Adadelta with coupled weight decay (Section 4.1)."""

import functools

import optax

from avjax.settings import Training


@functools.cache
def optimiser(training: Training) -> optax.GradientTransformation:
  """Returns Adadelta on the gradient plus the decayed parameters.

  The decay comes first: "weight decay" meant an addition to the gradient when
  the paper was written. Behind Adadelta it would add to the step with the
  wrong sign, and the weights would grow.
  """
  return optax.chain(
    optax.add_decayed_weights(training.weight_decay),
    optax.adadelta(
      training.learning_rate, rho=training.rho, eps=training.epsilon
    ),
  )
