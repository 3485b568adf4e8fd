"""All cases of bin/benchmark, by name.

A case is a function of a shape and of the peers that are asked for. It returns
what all must agree with, in float64, and a function that makes each
implementation, ours first. To add one, write such a function and name it here.
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
"""The cases whose cells are those of the shape."""


def check_here(shapes: Sequence[Shape], peers: Sequence[str]) -> None:
  """Raises an error if a peer or a precision is not to be had here."""
  there = (*OTHERS, *available())
  for name in peers:
    if name not in there:
      raise AvjaxError(f'no peer {name!r}; there is ' + ', '.join(there))
  if 'torch' in peers and importlib.util.find_spec('torch') is None:
    raise AvjaxError(
      "the peer torch needs the package torch; pip install 'avjax[bench]'"
    )
  tf32 = any(shape.precision == 'tf32' for shape in shapes)
  for name, asked in ('peer cudnn', 'cudnn' in peers), ('precision tf32', tf32):
    if asked and jax.default_backend() != 'gpu':
      raise AvjaxError(
        f'the {name} needs a GPU, and this is {jax.default_backend()}; leave it'
        ' out'
      )
