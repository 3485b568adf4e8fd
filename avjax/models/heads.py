"""From the states of a clip to its logits: Eqs. 8 and 11."""

import jax.numpy as jnp

from avjax.shapes import Array, Float, Int, checked


@checked
def classify(
  states: Float[Array, 'T C'],
  attention: Float[Array, 'N T'],
  w_class: Float[Array, 'N C'],
  b_class: Float[Array, ' N'],
) -> Float[Array, ' N']:
  """Returns a logit for every emotion: s^n = W^n . sum_t f^n_t h_t + b^n.

  Eq. 11. The attention is zero on padding, and the states must be finite
  there, as those of `avjax.lstm` are.
  """
  attended = attention @ states  # [N, C]
  return (attended * w_class).sum(-1) + b_class


def mean_state(
  states: Float[Array, 'B T C'], length: Int[Array, ' B']
) -> Float[Array, 'B C']:
  """Returns the mean of the states over each clip's true frames.

  Eq. 8, whose sum is divided by T so that it does not grow with the clip. The
  states are zero on padding.
  """
  frames = jnp.maximum(length, 1).astype(states.dtype)[:, None]
  return states.sum(1) / frames
