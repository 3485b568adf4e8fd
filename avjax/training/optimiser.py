"""Adadelta with coupled weight decay (Section 4.1)."""

import functools

import optax

from avjax.settings import TrainingConfig


def optimiser(training: TrainingConfig) -> optax.GradientTransformation:
  """Returns Adadelta on the gradient plus the decayed parameters.

  The decay comes first: "weight decay" meant an addition to the gradient when
  the paper was written. Behind Adadelta it would add to the step with the
  wrong sign, and the weights would grow.
  """
  return _adadelta(
    training.learning_rate,
    training.rho,
    training.epsilon,
    training.weight_decay,
  )


# One object for equal numbers: compiled steps are found again by it.
@functools.cache
def _adadelta(rate, rho, epsilon, decay):
  rule = optax.chain(
    optax.add_decayed_weights(decay),
    optax.adadelta(rate, rho=rho, eps=epsilon),
  )
  # On all parameters as one vector: one operation instead of sixty, and a
  # step that compiles in two thirds of the time.
  return optax.flatten(rule)
