"""What is timed must first agree with the same equations in float64."""

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
"""Of values and of gradients, in units of each array's largest entry."""


@dataclasses.dataclass(frozen=True)
class Errors:
  """The largest error of the values, and that of the gradients."""

  value: float
  gradient: float


def values(function: Callable) -> Callable:
  """Returns a function of the function's value, and of no gradients."""
  return lambda arguments: (function(arguments), {})


def values_and_gradients(function: Callable) -> Callable:
  """Returns a function of the value and the gradient of its mean square."""

  def loss(arguments):
    value = function(arguments)
    wide = value.astype(jnp.promote_types(value.dtype, jnp.float32))
    return (wide**2).mean(), value

  def call(arguments):
    (_, value), gradients = jax.value_and_grad(loss, has_aux=True)(arguments)
    return value, gradients

  return call


def in_float64(function: Callable, *arguments: Any) -> Any:
  """Returns what a function gives in double precision, as NumPy arrays.

  Args:
    function: of the arguments.
    arguments: trees of arrays; those of floating point are converted.
  """

  def convert(x):
    x = np.asarray(x)
    return x.astype(np.float64) if jnp.issubdtype(x.dtype, np.floating) else x

  with jax.enable_x64(True):
    doubles = jax.tree.map(convert, arguments)
    return jax.tree.map(np.asarray, jax.jit(function)(*doubles))


def multiply_in(precision: str):
  """Returns a context in which float32 products are compiled for JAX."""
  if precision == 'float32' and jax.default_backend() == 'gpu':
    return jax.default_matmul_precision('highest')
  return contextlib.nullcontext()  # JAX's own default: TF32 where there is one


def check(name: str, got: Any, wanted: Any, precision: str) -> Errors:
  """Returns the errors of an implementation.

  Args:
    name: of the implementation.
    got: its value, and its gradients.
    wanted: the same trees in float64.
    precision: a key of TOLERANCES.

  Raises:
    AvjaxError: an error is too large, or something is not a number.
  """
  errors = []
  parts = zip(('', 'gradient of '), got, wanted, strict=True)
  for (part, have, want), tolerance in zip(
    parts, TOLERANCES[precision], strict=True
  ):
    error, place = _largest(have, want)
    errors.append(error)
    if not error <= tolerance:
      raise AvjaxError(
        f'{name} differs by {error:.1e} of the largest entry in'
        f' {part}{place or "the value"}; at most {tolerance:.0e} is wanted, so'
        ' it was not timed'
      )
  return Errors(*errors)


def _largest(got: Any, wanted: Any) -> tuple[float, str]:
  """Returns the largest error of two trees' arrays, and its place."""
  have = dict(jax.tree.leaves_with_path(got))
  errors = [(0.0, '')]
  for path, want in jax.tree.leaves_with_path(wanted):
    scale = max(np.abs(want).max(), 1e-30)  # it may be all zero
    error = np.abs(np.asarray(have[path], np.float64) - want).max() / scale
    errors.append((float(error), jax.tree_util.keystr(path)))
  # NaN is larger than any number.
  return max(errors, key=lambda e: np.inf if np.isnan(e[0]) else e[0])
