"""What a case is, and what all cases share."""

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
"""What a user gets who chooses nothing; the others are compared with it."""

Makers = dict[str, Callable[[], Implementation]]


@dataclasses.dataclass(frozen=True)
class Case:
  """One case of one shape.

  Attributes:
    wanted: value and gradients in float64.
    makers: name -> a function that makes the implementation.
  """

  wanted: tuple[Any, Any]
  makers: Makers


def ours(
  make: Callable[[str | None], Implementation], peers: Sequence[str]
) -> Makers:
  """Returns ours as it comes, and those of our own that are named."""
  named = [name for name in peers if name in IMPLEMENTATIONS]
  makers: Makers = {OURS: functools.partial(make, None)}
  return makers | {name: functools.partial(make, name) for name in named}


def torch(function: str, shape: Shape, *arguments, **options) -> Makers:
  """Returns PyTorch's ways to do what a function of torch_calls does."""
  from avjax.benchmarks import torch_calls  # it may not be installed

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
  """Returns a tree of JAX's arrays as one of NumPy's."""
  return jax.tree.map(np.asarray, tree)
