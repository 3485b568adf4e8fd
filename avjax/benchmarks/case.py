"""The type of a case, and functions that all cases share."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from avjax.benchmarks.inputs import Shape
from avjax.benchmarks.timing import Implementation
from avjax.kernels.lstm import IMPLEMENTATIONS

OURS = 'avjax'
"""Name of our default implementation; the others are compared with it."""

Makers = dict[str, Callable[[], Implementation]]
"""Name -> a function that makes the implementation."""


@dataclasses.dataclass(frozen=True)
class Case:
  """A case with a certain shape.

  Attributes:
    wanted: value and gradients in float64.
    makers: the implementations to compare.
  """

  wanted: tuple[Any, Any]
  makers: Makers


def ours(
  make: Callable[[str | None], Implementation], peers: Sequence[str]
) -> Makers:
  """Returns our default implementation, and our others named in `peers`."""
  named = [name for name in peers if name in IMPLEMENTATIONS]
  makers: Makers = {OURS: functools.partial(make, None)}
  return makers | {name: functools.partial(make, name) for name in named}


def torch(function: str, shape: Shape, *arguments, **options) -> Makers:
  """Returns the PyTorch implementations from a function of `torch_calls`."""
  from avjax.benchmarks import torch_calls  # PyTorch is optional

  torch_calls.set_precision(shape.precision)
  make = functools.partial(
    getattr(torch_calls, function), *arguments, **options
  )
  makers: Makers = {'torch': make}
  if shape.ragged:
    makers['torch_packed'] = functools.partial(make, packed=True)
  if jax.default_backend() == 'gpu':
    makers['torch_graph'] = functools.partial(make, graph=True)
  return makers


def arrays(tree: Any) -> Any:
  """Returns a tree of JAX arrays as a tree of NumPy arrays."""
  return jax.tree.map(np.asarray, tree)
