"""Runs an exported file in a process of its own, without this package.

fresh_process.py FILE FORMAT INPUTS OUTPUTS

INPUTS and OUTPUTS are .npz files; `BATCH/NAME` is one array of a batch.
"""

import sys
from collections import defaultdict
from typing import Any

import numpy as np


def _stablehlo(path):
  from jax import export

  with open(path, 'rb') as file:
    exported = export.deserialize(bytearray(file.read()))
  return lambda inputs: exported.call(**inputs)


def _onnx(path):
  import onnxruntime

  session = onnxruntime.InferenceSession(
    path, providers=['CPUExecutionProvider']
  )
  names = [output.name for output in session.get_outputs()]
  return lambda inputs: dict(
    zip(names, session.run(names, inputs), strict=True)
  )


FORMATS = {'stablehlo': _stablehlo, 'onnx': _onnx}


def main(path, kind, inputs, outputs):
  """Writes what an exported file answers to batches of inputs.

  Args:
    path: of the exported file.
    kind: a key of FORMATS.
    inputs: .npz with arrays named 'batch/name'.
    outputs: .npz to write, named in the same way.
  """
  function = FORMATS[kind](path)
  batches: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
  with np.load(inputs) as arrays:
    for key in arrays.files:
      batch, name = key.split('/', 1)
      batches[batch][name] = arrays[key]
  found: dict[str, Any] = {
    f'{batch}/{name}': np.asarray(array)
    for batch, arrays in batches.items()
    for name, array in function(arrays).items()
  }
  assert 'avjax' not in sys.modules
  np.savez(outputs, **found)


if __name__ == '__main__':
  main(*sys.argv[1:])
