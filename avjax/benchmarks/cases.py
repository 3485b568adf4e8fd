"""All cases of bin/benchmark, by name.

A case is a function of a shape and the names of the peers. It returns a `Case`:
the results in float64, with which all implementations must agree, and the
implementations, ours first. To add a case, write such a function and list it
here.
"""

import functools
import importlib.util
from collections.abc import Callable, Sequence

import jax

from avjax.benchmarks import epoch_cases, layer_case, network_cases
from avjax.benchmarks.case import Case
from avjax.benchmarks.inputs import Shape
from avjax.errors import AvjaxError
from avjax.kernels.lstm import available

OTHERS = ('flax', 'torch', 'cudnn')
CASES: dict[str, Callable[[Shape, Sequence[str]], Case]] = {
  'train_step': network_cases.train_step,
  'inference': network_cases.inference,
  'epoch': epoch_cases.epoch,
  'seeds': epoch_cases.seeds,
  'lstm': layer_case.lstm,
  'lstm_forward': functools.partial(layer_case.lstm, gradients=False),
}
LAYERS = ('lstm', 'lstm_forward')
"""The cases that use the hidden size of the shape."""


def check_here(shapes: Sequence[Shape], peers: Sequence[str]) -> None:
  """Raises AvjaxError if a peer or a precision is not available here."""
  known = (*OTHERS, *available())
  for name in peers:
    if name not in known:
      raise AvjaxError(
        f'there is no peer {name!r}; choose from {", ".join(known)}'
      )
  if 'torch' in peers and importlib.util.find_spec('torch') is None:
    raise AvjaxError(
      "the peer torch needs the package torch; pip install 'avjax[bench]'"
    )
  tf32 = any(shape.precision == 'tf32' for shape in shapes)
  for name, used in ('peer cudnn', 'cudnn' in peers), ('precision tf32', tf32):
    if used and jax.default_backend() != 'gpu':
      raise AvjaxError(
        f'the {name} needs a GPU, and the backend is {jax.default_backend()};'
        ' leave it out'
      )
