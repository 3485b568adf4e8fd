"""Small ONNX models with known values, which a test makes."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def bank(path, size=400, width=5, channel=False, seed=0, **metadata):
  """Writes the squares of a filter bank; returns its filters (size, width).

  (batch, size) -> (batch, width), or (batch, 1, size) with a channel.
  """
  filters = _filters(size, width, seed)
  nodes = [
    helper.make_node('MatMul', ['x', 'w'], ['z']),
    helper.make_node('Mul', ['z', 'z'], ['s']),
    helper.make_node('Reshape', ['s', 'shape'], ['y']),
  ]
  given = {'w': filters, 'shape': np.array([-1, width])}
  shape = ['batch', 1, size] if channel else ['batch', size]
  write(path, nodes, shape, ['batch', width], given, **metadata)
  return filters


def frames(path, size=400, step=320, width=3, samples='samples', **metadata):
  """Writes squares of filters, of many frames; returns the filters.

  (batch, samples) -> (batch, frames, width)
  """
  filters = _filters(size, width, 1)
  nodes = [
    helper.make_node('Unsqueeze', ['x', 'axis'], ['c']),
    helper.make_node('Conv', ['c', 'k'], ['z'], strides=[step]),
    helper.make_node('Mul', ['z', 'z'], ['s']),
    helper.make_node('Transpose', ['s'], ['y'], perm=[0, 2, 1]),
  ]
  given = {'k': filters.T[:, None].copy(), 'axis': np.array([1])}
  write(path, nodes, ['batch', samples], None, given, **metadata)
  return filters


def mean(path, layout='chw', side='side', **metadata):
  """Writes the mean of each channel of pictures: (batch, 3)."""
  axes, shape = [2, 3], ['batch', 3, side, side]
  if layout == 'hwc':
    axes, shape = [1, 2], ['batch', side, side, 3]
  nodes = [helper.make_node('ReduceMean', ['x', 'a'], ['y'], keepdims=0)]
  write(path, nodes, shape, ['batch', 3], {'a': np.array(axes)}, **metadata)


def write(path, nodes, given, made, constants, kind=FLOAT, **metadata):
  """Writes a model of one input x, of a shape, and one output y."""
  graph = helper.make_graph(
    nodes,
    'graph',
    [helper.make_tensor_value_info('x', kind, given)],
    [helper.make_tensor_value_info('y', FLOAT, made)],
    [numpy_helper.from_array(v, k) for k, v in constants.items()],
  )
  opset = helper.make_opsetid('', 18)
  model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
  helper.set_model_props(model, {k: str(v) for k, v in metadata.items()})
  onnx.save(model, str(path))


def _filters(size, width, seed):
  random = np.random.default_rng(seed)
  return random.normal(size=(size, width)).astype(np.float32) / size**0.5
