"""One step of the LSTM, forward and backward, as all hand-written loops do it.

The gates are i, f, o and s = sigmoid(2 z_g), so that `g = 2 s - 1 = tanh z_g`.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from avjax.shapes import Array


def wide(*arrays: Any) -> jnp.dtype:
  """Returns the type of carries and sums: float32, or float64 where given."""
  return jnp.promote_types(jnp.result_type(*arrays), jnp.float32)


def product(a: Array, b: Array) -> Array:
  """Returns `a @ b`, summed and returned in the wide type."""
  return jnp.matmul(a, b, preferred_element_type=wide(a, b))


def forward(gates: Sequence[Array], c, tanh=jnp.tanh):
  """Returns h and c of a step, from its gates and the c before it; Eqs. 2-3."""
  i, f, o, s = gates
  c = f * c + i * (2 * s - 1)
  return o * tanh(c), c


def slopes(gates: Sequence[Array], c_before, c):
  """Returns what a step's backward pass multiplies with, (T, B, 5 C).

  How each pre-activation moves c (i, f, g) or h (o), and how c moves h: all
  that does not depend on the gradient's own recursion, so of all steps at once.
  """
  i, f, o, s = gates
  g = 2 * s - 1
  tanh_c = jnp.tanh(c)
  return jnp.concatenate(
    [
      g * i * (1 - i),
      c_before * f * (1 - f),
      tanh_c * o * (1 - o),
      i * (1 - g * g) / 2,  # half: its column arrived doubled
      o * (1 - tanh_c * tanh_c),
    ],
    axis=-1,
  )


def backward(slopes: Sequence[Array], d_h, d_c):
  """Returns d_z of the gates i, f, o, g, and all of d_c, of one step.

  Args:
    slopes: of this step, the five parts of `slopes`.
    d_h: the gradient of h, from outside and from the step after it.
    d_c: of c, without what reaches it through h.
  """
  i, f, o, g, tanh = slopes
  d_c = d_c + tanh * d_h
  return (i * d_c, f * d_c, o * d_h, g * d_c), d_c
