"""ONNX models of other people, in ONNX Runtime (ours).

A model has one input, of floats. It runs on one thread, so that its values do
not depend on how many processes measure.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from avjax.errors import ConfigError, DataError
from avjax.onnx_stream import (
  FACE,
  OF_OTHERS,
  SETTINGS,
  SOUND,
  OnnxStream,
  parsed,
  typed,
)
from avjax.records import digest

_TYPES = {
  'tensor(float)': np.float32,
  'tensor(float16)': np.float16,
  'tensor(double)': np.float64,
}
_RANKS = {2: SOUND, 3: SOUND, 4: FACE}
"""Number of axes of an input -> what it is of."""


class OnnxModel:
  """A model, ready to run.

  Attributes:
    metadata: key -> text that the file has.
    dims: of the input; None where any number is allowed.
    of: 'sound' or 'face', by the number of dimensions.

  Args:
    content: the file.
    name: of the file, for messages.
    output: which output; '' for that of the metadata, or its only one.

  Raises:
    ConfigError: the package onnxruntime is missing.
    DataError: the file is no model, or one of another kind.
  """

  def __init__(self, content: bytes, name: str, output: str = ''):
    try:
      import onnxruntime
    except ImportError as error:
      raise ConfigError(
        'streams of ONNX models need the package onnxruntime; pip install'
        " 'avjax[onnx]'"
      ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, and told in our words
    options.use_deterministic_compute = True
    options.enable_cpu_mem_arena = False  # it would keep what a long clip takes
    self.name = name
    try:
      # From bytes, so that no other file can take part.
      self._session = onnxruntime.InferenceSession(
        content, options, providers=['CPUExecutionProvider']
      )
    except Exception as error:  # of classes that are not public
      raise DataError(
        f'{name} is no ONNX model that ONNX Runtime can load ({_line(error)});'
        ' give a model in one file, with its weights inside'
      ) from None
    self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)
    self._input = self._checked_input()
    self.dims = tuple(
      d if isinstance(d, int) and d > 0 else None for d in self._input.shape
    )
    self.of = _RANKS[len(self.dims)]
    self._output = self._chosen(output or self.metadata.get('output', ''))

  def _checked_input(self) -> Any:
    inputs = self._session.get_inputs()
    if len(inputs) != 1:
      names = ', '.join(one.name for one in inputs)
      raise DataError(
        f'{self.name} has {len(inputs)} inputs ({names}), and one is wanted:'
        ' the sound or the face; export it without the others'
      )
    (one,) = inputs
    if one.type not in _TYPES or len(one.shape) not in _RANKS:
      shape = ', '.join(str(d) for d in one.shape)
      raise DataError(
        f'the input {one.name} of {self.name} is {one.type} of shape ({shape});'
        ' wanted floats of shape (batch, samples), (batch, 1, samples) or'
        ' (batch, 3, height, width); export it so'
      )
    return one

  def _chosen(self, output: str) -> str:
    names = [one.name for one in self._session.get_outputs()]
    if output in names:
      return output
    if not output and len(names) == 1:
      return names[0]
    raise DataError(
      f'{self.name} has the outputs {", ".join(names)}; choose one with'
      f' output={names[0]} in --stream'
      + (f' (and not {output!r})' if output else '')
    )

  def __call__(self, batch: np.ndarray) -> np.ndarray:
    """Returns the output for a batch, as float32.

    Raises:
      DataError: the model cannot take it.
    """
    given = np.ascontiguousarray(batch, _TYPES[self._input.type])
    try:
      (made,) = self._session.run([self._output], {self._input.name: given})
    except Exception as error:  # see above
      raise DataError(
        f'{self.name} cannot take an input of shape {given.shape}'
        f' ({_line(error)}); give the sizes that it was exported for'
      ) from None
    if not (isinstance(made, np.ndarray) and made.dtype.kind == 'f'):
      raise DataError(
        f'the output {self._output} of {self.name} is not of floats; choose'
        ' another with output=... in --stream'
      )
    return made.astype(np.float32)

  @property
  def shape(self) -> str:
    """The shape of the input, for messages."""
    return f'({", ".join("any" if d is None else str(d) for d in self.dims)})'

  def rows(self, items: int) -> int:
    """Returns how many items of so many numbers one batch has."""
    return self.dims[0] or max(1, min(64, 2**20 // items))

  def batch(self, items: np.ndarray) -> np.ndarray:
    """Returns the output for items, at most a batch, without padding rows.

    Raises:
      DataError: the model cannot take them, or has no values for each of them.
    """
    count = len(items)
    if fill := (self.dims[0] or count) - count:
      items = np.concatenate([items, np.zeros((fill, *items.shape[1:]))])
    made = self(items)
    if made.shape[:1] != items.shape[:1] or not made.shape[-1]:
      raise DataError(
        f'{self.name} gives values of shape {made.shape} for an input of shape'
        f' {items.shape}; the first axis must be that of the batch, and there'
        ' must be values: choose another output, or export it so'
      )
    return made[:count]


def check_finite(
  rows: np.ndarray, numbers: np.ndarray, stream: OnnxStream, model: OnnxModel
) -> None:
  """Raises DataError for a value that is not finite.

  Args:
    rows: (n, D), the values of a model.
    numbers: (n,), of the frames that they are of.
    stream: which the model computes.
    model: for the message.
  """
  bad = ~np.isfinite(rows).all(axis=1)
  if bad.any():
    raise DataError(
      f'the stream {stream.name!r} has a NaN or infinite value in frame'
      f' {numbers[bad.argmax()]}; {model.name} cannot be used for it'
    )


def _line(error: Exception) -> str:
  """Returns the first words of an error of the package."""
  return ' '.join(str(error).split())[:200]


def given(text: str) -> OnnxStream:
  """Returns the stream of a flag --stream.

  What the flag does not say is taken from the metadata of the file.

  Raises:
    AvjaxError: the text is wrong, or the file cannot be used for such a stream.
  """
  name, file, options = parsed(text)
  flags = typed(options, f'--stream={name}:...')
  path = pathlib.Path(file).expanduser().absolute()
  content = _read(path)
  model = OnnxModel(content, path.name, flags.get('output', ''))
  known = {*SETTINGS} - {*flags}
  stated = {k: v for k, v in model.metadata.items() if k in known}
  values = typed(stated, f'the metadata of {path.name}') | flags
  if values.setdefault('of', model.of) != model.of:
    raise DataError(
      f'{path.name} has an input of shape {model.shape}, which is one of'
      f' {model.of}; leave out of={values["of"]}'
    )
  if vain := [key for key in flags if key in OF_OTHERS[model.of]]:
    raise ConfigError(
      f'--stream={name}:... has {vain[0]}, and {path.name} is a model of'
      f' {model.of}, which has no such setting; leave it out'
    )
  return OnnxStream(name, str(path), digest(content), **values)


def loaded(stream: OnnxStream, carried: Mapping[str, bytes]) -> OnnxModel:
  """Returns the model of a stream.

  Args:
    stream: the stream.
    carried: name of a stream -> content of its file, where it is in memory.

  Raises:
    AvjaxError: the file is missing or another one, or cannot be used.
  """
  name = pathlib.PurePath(stream.file).name or f'the model of {stream.name}'
  return OnnxModel(content(stream, carried), name, stream.output)


def content(stream: OnnxStream, carried: Mapping[str, bytes]) -> bytes:
  """Returns the content of a stream's model; see `loaded`."""
  if stream.name in carried:
    return carried[stream.name]
  if not stream.file:
    raise DataError(
      f'the model of the stream {stream.name!r} is not here, since it is too'
      f' large to be copied; give the file with the SHA-256 {stream.sha256}:'
      f' --stream={stream.name}:FILE'
    )
  return checked(stream, stream.file)


def checked(stream: OnnxStream, path: str) -> bytes:
  """Returns the content of a stream's file.

  Raises:
    DataError: it is missing or not the file with the stream's hash.
  """
  try:
    content = _read(pathlib.Path(path).expanduser())
  except DataError as error:
    raise DataError(
      f'the model of the stream {stream.name!r}: {error}, which has the SHA-256'
      f' {stream.sha256}, with --stream={stream.name}:FILE'
    ) from None
  if digest(content) != stream.sha256:
    raise DataError(
      f'the stream {stream.name!r} is computed by a model with the SHA-256'
      f' {stream.sha256}, and {path} has {digest(content)}; give the file that'
      ' the features were extracted with'
    )
  return content


def _read(path: pathlib.Path) -> bytes:
  try:
    return path.read_bytes()
  except OSError as error:
    raise DataError(
      f'{path} cannot be read ({error.strerror}); give the path of the file'
    ) from None
