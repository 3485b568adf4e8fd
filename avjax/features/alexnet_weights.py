"""Reads and writes AlexNet weights: published files and files of our own.

  .npz, .safetensors   conv1_w, conv1_b, ... or conv1.weight, conv1.bias, ...:
                       the original arrangement, from Caffe
                       features.0.weight, features.0.bias, ...: torchvision's

Weights are stored as in Caffe and PyTorch: output, input, row, column. Our own
files are .npz with conv1.weight and so on, plus `about`: the arrangement and
the description of the network. pool5 needs only the convolutions, so the fully
connected layers are ignored and may be missing.
"""

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping

import jax.numpy as jnp
import numpy as np

from avjax import files
from avjax.data import npy
from avjax.errors import ConfigError, DataError
from avjax.features import alexnet
from avjax.features.alexnet import FaceNetwork

_ABOUT = 'about'
_ABOUT_BYTES = 1 << 16
_TORCHVISION = {
  'conv1': 'features.0',
  'conv2': 'features.3',
  'conv3': 'features.6',
  'conv4': 'features.8',
  'conv5': 'features.10',
}
_ENDINGS = {'kernel': ('.weight', '_w'), 'bias': ('.bias', '_b')}
_PREFIXES = (_ABOUT, 'conv', 'features.')
_WANTED = 'give an .npz or .safetensors file of AlexNet weights'


@dataclasses.dataclass(frozen=True)
class _Entry:
  """An array of a file; its shape is known before its values are read."""

  shape: tuple[int, ...]
  read: Callable[[], np.ndarray]


def read(path: str | os.PathLike) -> FaceNetwork:
  """Returns the network stored in a file of weights.

  Raises:
    DataError: the file is missing, damaged or of another format, or arrays in
      it are missing, of another shape or not finite; the message lists them.
    ConfigError: the package that reads the format is not installed.
  """
  path = pathlib.Path(path)
  try:
    with _opened(path) as entries:
      arrangement, description = _about(entries, path.name)
      variables = _variables(entries, arrangement)
  except DataError as error:
    raise DataError(f'{path}: {error}; {_WANTED}') from error
  except ConfigError:
    raise
  except OSError as error:
    raise DataError(
      f'cannot read the weights {path}: {error.strerror}; {_WANTED}'
    ) from error
  except Exception as error:
    # Neither zipfile nor safetensors documents all the errors that it raises
    # on malformed files.
    raise DataError(
      f'{path}: is damaged ({error!r:.100}); {_WANTED}'
    ) from error
  return FaceNetwork(arrangement, variables, description)


def write(path: str | os.PathLike, network: FaceNetwork) -> None:
  """Writes a file for `read`, atomically."""
  arrangement = network.arrangement
  about = {
    'arrangement': arrangement,
    'description': network.description,
  }
  arrays = {_ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8)}
  for layer, ours in network.variables.items():
    for kind, array in ours.items():
      outward = np.asarray(array)
      if kind == 'kernel':
        outward = outward.transpose(3, 2, 0, 1) / _pixel(arrangement, layer)
      arrays[layer + _ENDINGS[kind][0]] = outward
  files.put(pathlib.Path(path), npy.pack(arrays))


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Mapping[str, _Entry]]:
  """Yields the arrays of a file by name; it stays open for reading them."""
  if path.suffix == '.npz':
    with open(path, 'rb') as file, npy.archive(file) as members:
      yield {
        info.filename.removesuffix('.npy'): _member(members, info)
        for info in members.infolist()
        if info.filename.startswith(_PREFIXES)
      }
  elif path.suffix == '.safetensors':
    try:
      import safetensors
    except ImportError as error:
      raise ConfigError(
        f'{path} needs the package safetensors; pip install safetensors'
      ) from error
    with open(path, 'rb'):
      pass  # raises OSError with a reason; safetensors gives none
    with safetensors.safe_open(path, framework='numpy') as tensors:
      names = tensors.keys()
      yield {
        name: _Entry(
          tuple(tensors.get_slice(name).get_shape()),
          functools.partial(tensors.get_tensor, name),
        )
        for name in names
        if name.startswith(_PREFIXES)
      }
  else:
    raise DataError(
      f'ends in {path.suffix or "nothing"}; save arrays with numpy.savez, or'
      ' a state_dict with safetensors.torch.save_file'
    )


def _member(members, info) -> _Entry:
  """Returns the entry of an .npz member, whose header is read at once."""

  def read_array() -> np.ndarray:
    with members.open(info) as file:
      return npy.data(file, npy.header(file, info.file_size))

  try:
    with members.open(info) as file:
      return _Entry(npy.header(file, info.file_size).shape, read_array)
  except DataError as error:
    raise DataError(f'{info.filename} {error}') from error


def _about(entries: Mapping[str, _Entry], name: str) -> tuple[str, str]:
  """Returns the arrangement and the description of a file of weights."""
  if _ABOUT not in entries:
    numbered = any(name.startswith('features.') for name in entries)
    arrangement = 'torchvision' if numbered else 'caffe'
    return arrangement, f'alexnet: {arrangement} weights of {name}'
  if np.prod(entries[_ABOUT].shape) > _ABOUT_BYTES:
    raise DataError(f'{_ABOUT} is too long')
  about = json.loads(entries[_ABOUT].read().tobytes())
  arrangement, description = about['arrangement'], about['description']
  if arrangement not in alexnet.ARRANGEMENTS:
    known = ' or '.join(alexnet.ARRANGEMENTS)
    raise DataError(f'has the arrangement {arrangement!r:.40}, not {known}')
  return arrangement, str(description)


def _variables(
  entries: Mapping[str, _Entry], arrangement: str
) -> dict[str, dict[str, jnp.ndarray]]:
  """Returns conv1 to conv5 as the parameters of `alexnet.Convolutions`."""
  variables: dict[str, dict[str, jnp.ndarray]] = {}
  faults = []
  wanted = alexnet.shapes(alexnet.Convolutions(arrangement))
  for layer, shapes in wanted.items():
    variables[layer] = {}
    for kind, want in shapes.items():
      try:
        array = _array(entries, layer, kind, want.shape)
        if kind == 'kernel':
          array = array * _pixel(arrangement, layer)
        variables[layer][kind] = jnp.asarray(array)
      except DataError as error:
        faults.append(str(error))
  if faults:
    more = f'; and {len(faults) - 3} more' if len(faults) > 3 else ''
    listed = '; '.join(faults[:3]) + more
    raise DataError(
      f'is not an AlexNet of the arrangement {arrangement}: {listed}'
    )
  return variables


def _array(
  entries: Mapping[str, _Entry], layer: str, kind: str, shape: tuple[int, ...]
) -> np.ndarray:
  """Returns one array of a file, transposed to our layout `shape`."""
  names = [layer + ending for ending in _ENDINGS[kind]]
  names.append(_TORCHVISION[layer] + _ENDINGS[kind][0])
  name = next((name for name in names if name in entries), None)
  if name is None:
    raise DataError(f'there is no {" or ".join(names)}')
  inward = (2, 3, 1, 0) if kind == 'kernel' else (0,)
  outward = (3, 2, 0, 1) if kind == 'kernel' else (0,)
  want = tuple(shape[axis] for axis in outward)
  if entries[name].shape != want:
    raise DataError(f'{name} has the shape {entries[name].shape}, not {want}')
  with np.errstate(over='ignore'):  # checked just below
    array = entries[name].read().astype(np.float32)
  if not np.isfinite(array).all():
    raise DataError(f'{name} has a NaN or infinite value')
  return array.transpose(inward)


def _pixel(arrangement: str, layer: str) -> np.float32:
  """Returns the factor from a layer's weights in a file to those used here."""
  first = layer == 'conv1'
  return np.float32(alexnet.ARRANGEMENTS[arrangement].pixel if first else 1)
