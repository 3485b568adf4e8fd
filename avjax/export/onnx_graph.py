"""Writes the graph of an ONNX file, one operator after another.

`onnx` comes with the extra `export`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.errors import ConfigError

OPSET = 17
"""Version of the operators; ONNX Runtime reads it since 1.12 (2022)."""
IR_VERSION = 8
"""Version of the file format that came with this opset."""


class OnnxGraph:
  """An ONNX graph that is being written.

  A value is known by its name, a string; what `constant` and the operators
  return is the name of a new value.
  """

  def __init__(self):
    try:
      import onnx
    except ImportError as error:
      raise ConfigError(
        'ONNX files are written by the package onnx, which is not installed:'
        " pip install -e '.[export]'"
      ) from error
    self._onnx = onnx
    self._nodes: list[Any] = []
    self._constants: list[Any] = []

  def constant(self, value: Any, dtype: Any = np.float32) -> str:
    """Returns a constant array."""
    name = f'constant_{len(self._constants)}'
    array = np.ascontiguousarray(np.asarray(value, dtype))
    # ascontiguousarray makes a scalar a vector.
    array = array.reshape(np.shape(value))
    self._constants.append(self._onnx.numpy_helper.from_array(array, name))
    return name

  def whole(self, *values: int) -> str:
    """Returns a constant vector of integers, such as axes or a shape."""
    return self.constant(values, np.int64)

  def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
    """Returns the first output of an operator of ONNX."""
    name = f'{operator}_{len(self._nodes)}'
    self._nodes.append(
      self._onnx.helper.make_node(operator, inputs, [name], **attributes)
    )
    return name

  def file(
    self,
    inputs: Mapping[str, tuple[str, Sequence[str | int]]],
    outputs: Mapping[str, tuple[str, Sequence[str | int]]],
    values: Mapping[str, str],
  ) -> bytes:
    """Returns the whole file.

    Args:
      inputs: name -> its type and shape; letters are sizes that vary.
      outputs: the same of the results.
      values: name of a result -> its value.
    """
    helper = self._onnx.helper
    types = {
      'float32': self._onnx.TensorProto.FLOAT,
      'int32': self._onnx.TensorProto.INT32,
    }

    def described(arrays):
      return [
        helper.make_tensor_value_info(name, types[dtype], list(shape))
        for name, (dtype, shape) in arrays.items()
      ]

    named = [
      helper.make_node('Identity', [values[name]], [name]) for name in outputs
    ]
    graph = helper.make_graph(
      [*self._nodes, *named],
      'avjax',
      described(inputs),
      described(outputs),
      self._constants,
    )
    model = helper.make_model(
      graph,
      producer_name='avjax',
      opset_imports=[helper.make_opsetid('', OPSET)],
      ir_version=IR_VERSION,
    )
    self._onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
