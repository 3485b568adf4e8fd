"""Checks that an implementation agrees with the equations in float64."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avjax.errors import AvjaxError

TOLERANCES = {
  'float32': (1e-5, 1e-4),
  'tf32': (1e-3, 1e-2),
  'bfloat16': (1e-2, 1e-1),
}
"""Precision -> tolerance of values and of gradients, relative to each array's
largest entry."""


@dataclasses.dataclass(frozen=True)
class Errors:
  """The largest relative error of the values, and that of the gradients."""

  value: float
  gradient: float


def values(function: Callable) -> Callable:
  """Returns a function that computes (value, {}): no gradients."""
  return lambda arguments: (function(arguments), {})


def values_and_gradients(function: Callable) -> Callable:
  """Returns a function that computes (value, gradients of its mean square)."""

  def loss(arguments):
    value = function(arguments)
    promoted = value.astype(jnp.promote_types(value.dtype, jnp.float32))
    return (promoted**2).mean(), value

  def call(arguments):
    (_, value), gradients = jax.value_and_grad(loss, has_aux=True)(arguments)
    return value, gradients

  return call


def in_float64(function: Callable, *arguments: Any) -> Any:
  """Returns the result of a function in float64, as NumPy arrays.

  Args:
    function: to call with the arguments.
    arguments: trees of arrays; floating-point arrays are converted.
  """

  def convert(x):
    x = np.asarray(x)
    return x.astype(np.float64) if jnp.issubdtype(x.dtype, np.floating) else x

  with jax.enable_x64(True):
    doubles = jax.tree.map(convert, arguments)
    return jax.tree.map(np.asarray, jax.jit(function)(*doubles))


def matmul_precision(precision: str):
  """Returns a context with JAX's matrix multiplications in this precision."""
  if precision == 'float32' and jax.default_backend() == 'gpu':
    return jax.default_matmul_precision('highest')
  return contextlib.nullcontext()  # JAX's default: TF32 where available


def check(name: str, got: Any, wanted: Any, precision: str) -> Errors:
  """Returns the errors of an implementation.

  Args:
    name: of the implementation.
    got: its value and its gradients.
    wanted: the same trees in float64.
    precision: a key of TOLERANCES.

  Raises:
    AvjaxError: an error is too large or NaN.
  """
  errors = []
  pairs = zip(('', 'gradient of '), got, wanted, strict=True)
  for (kind, have, want), tolerance in zip(
    pairs, TOLERANCES[precision], strict=True
  ):
    error, key = _largest(have, want)
    errors.append(error)
    if not error <= tolerance:
      raise AvjaxError(
        f'{name} differs by {error:.1e} of the largest entry in'
        f' {kind}{key or "the value"}; the tolerance is {tolerance:.0e}, so it'
        ' was not timed'
      )
  return Errors(*errors)


def _largest(got: Any, wanted: Any) -> tuple[float, str]:
  """Returns the largest relative error of two trees, and the array's key."""
  have = dict(jax.tree.leaves_with_path(got))
  errors = [(0.0, '')]
  for path, want in jax.tree.leaves_with_path(wanted):
    scale = max(np.abs(want).max(), 1e-30)  # the array may be all zero
    error = np.abs(np.asarray(have[path], np.float64) - want).max() / scale
    errors.append((float(error), jax.tree_util.keystr(path)))
  # NaN counts as larger than any number.
  return max(errors, key=lambda e: np.inf if np.isnan(e[0]) else e[0])
