"""Writes a recogniser's networks as one file, with its description beside it.

The description is OUT.json: what goes in and comes out, and which model it is.
"""

import dataclasses
import hashlib
import importlib.metadata
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from avjax import files
from avjax.errors import ConfigError
from avjax.export import checking, onnx_network, stablehlo
from avjax.models.averaged import IMPLEMENTATION, LENGTHS, Averaged
from avjax.recognition.recogniser import Recogniser

FORMATS: dict[str, Callable[[Averaged], bytes]] = {
  'stablehlo': stablehlo.serialised,
  'onnx': onnx_network.serialised,
}
_PACKAGES = {'stablehlo': ('jax', 'jaxlib'), 'onnx': ('onnx', 'onnxruntime')}


def write(
  recogniser: Recogniser, path: pathlib.Path, kind: str
) -> dict[str, Any]:
  """Writes the networks of a recogniser as a file; returns its description.

  The file is compared with the model in a process without avjax before it is
  written.

  Args:
    recogniser: a network, or several whose probabilities are averaged.
    path: of the file; the description is `path` with '.json' behind it.
    kind: a key of FORMATS.

  Raises:
    ConfigError: the model is no network, or a package is missing.
    AvjaxError: the exported model differs, or the file cannot be written.
  """
  model = Averaged(recogniser.settings, recogniser.emotions, recogniser.members)
  if path.is_dir():
    raise ConfigError(f'{path} is a folder; give the name of a new file')
  files.check_output(path.parent)
  data = FORMATS[kind](model)
  found = checking.difference(model, data, kind)
  content = _description(recogniser, model, kind) | {
    'sha256': hashlib.sha256(data).hexdigest(),
    'checked': {
      'clips': checking.CLIPS,
      'largest_difference': found,
      'allowed': checking.TOLERANCE,
    },
  }
  path.parent.mkdir(parents=True, exist_ok=True)
  files.put(path, data)
  files.write_json(beside(path), content)
  return content


def beside(path: pathlib.Path) -> pathlib.Path:
  """Returns the path of the description of an exported file."""
  return path.with_name(f'{path.name}.json')


def _description(
  recogniser: Recogniser, model: Averaged, kind: str
) -> dict[str, Any]:
  """Returns what a program must know that uses the file."""
  fitted = recogniser.extractor
  return {
    'format': kind,
    'model': recogniser.name,
    'emotions': list(model.emotions),
    'streams': list(model.streams),
    'inputs': {
      name: {'type': _type(name), 'shape': list(shape)}
      for name, shape in model.inputs.items()
    },
    'outputs': {
      name: {'type': 'float32', 'shape': list(shape)}
      for name, shape in model.outputs.items()
    },
    'sizes': 'B clips, Ta audio frames, T video frames: any number from 1',
    'standardised_by': recogniser.standardise,
    'extractor': fitted.fingerprint if fitted else None,
    'members': [_digest(tree) for tree in model.members],
    'settings': files.as_json(dataclasses.asdict(model.settings)),
    'lstm': IMPLEMENTATION if kind == 'stablehlo' else 'operator LSTM of ONNX',
    'packages': {
      name: importlib.metadata.version(name) for name in _PACKAGES[kind]
    },
    'card': files.as_json(dataclasses.asdict(recogniser.card)),
  }


def _type(name: str) -> str:
  return 'int32' if name in LENGTHS else 'float32'


def _digest(tree: Any) -> str:
  """Returns the SHA-256 of the parameters of a network."""
  digest = hashlib.sha256()
  for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
    digest.update(jax.tree_util.keystr(path).encode())
    digest.update(np.ascontiguousarray(leaf, np.float32).tobytes())
  return digest.hexdigest()
