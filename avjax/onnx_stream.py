"""The settings of a stream that an ONNX model computes (ours)."""

import dataclasses
import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from avjax.errors import ConfigError

SOUND, FACE = 'sound', 'face'
TAKEN = ('audio', 'sound', 'shape', 'appearance', 'face', 'visual')
"""Names that other streams have."""
_KEPT = ('found', 'notes', 'sha256', 'landmarks', 'pool5', 'dlib')
_NAME = re.compile('[A-Za-z0-9][A-Za-z0-9_-]{0,40}')


@dataclasses.dataclass(frozen=True)
class OnnxStream:
  """A stream that an ONNX model computes from the sound or from the face.

  Of the sound it sees a window of samples for every frame of the stream; the
  k-th window is centred on k hops. A model that takes longer sound and gives
  many frames for it has the window and the hop of one of its frames.

  Attributes:
    name: of the stream; that of sound is 'audio.' and the name in a store.
    file: path of the model; '' in an extractor's file, and of a bundle's model.
    sha256: of the model.
    of: 'sound' or 'face'.
    output: which output of the model; '' for its only one.
    whiten: number of whitened components; 0 keeps the values as they are.
    rate: samples a second.
    window: seconds of a window.
    hop: seconds from one window to the next.
    piece: seconds of sound that a model with many frames is given at most.
    normalise: 'clip': the sound of a clip has mean 0 and variance 1; 'none'.
    size: side of a face crop in pixels.
    margin: share of its side by which a crop is wider at each edge than that of
      the appearance.
    pixel: value of a full pixel, before mean and std.
    mean, std: of the pixels, one for all channels or one for each in the order
      of the model.
    colour: order of the channels, 'rgb' or 'bgr'.
    layout: 'chw' or 'hwc'; '' as the model's input tells.
  """

  name: str
  file: str = ''
  sha256: str = ''
  of: str = SOUND
  output: str = ''
  whiten: int = 0
  rate: int = 16000
  window: float = 0.0
  hop: float = 0.0
  piece: float = 20.0
  normalise: str = 'none'
  size: int = 0
  margin: float = 0.0
  pixel: float = 1.0
  mean: tuple[float, ...] = (0.0,)
  std: tuple[float, ...] = (1.0,)
  colour: str = 'rgb'
  layout: str = ''

  def __post_init__(self):
    for key in ('mean', 'std'):  # from JSON, which has no tuples
      object.__setattr__(self, key, tuple(getattr(self, key)))
    if not _NAME.fullmatch(self.name) or self.name in (*TAKEN, *_KEPT):
      raise ConfigError(
        f'a stream of a model has the name {self.name!r}; it must be of letters'
        f' and digits, _ and -, and none of {", ".join((*TAKEN, *_KEPT))}'
      )
    self._one_of('of', (SOUND, FACE))
    self._one_of('normalise', ('none', 'clip'))
    self._one_of('colour', ('rgb', 'bgr'))
    self._one_of('layout', ('', 'chw', 'hwc'))
    self._within('whiten', 0, 10_000)
    self._within('rate', 1000, 192_000)
    for key in ('window', 'hop'):
      self._within(key, 0, 600)
    self._within('piece', 0.1, 600)
    self._within('size', 0, 2000)
    self._within('margin', -0.4, 2)
    for key in ('mean', 'std'):
      if len(getattr(self, key)) not in (1, 3):
        raise self.fault(key, 'one number or three, such as 0.5/0.5/0.5')
    if not all(math.isfinite(x) for x in (*self.mean, self.pixel)):
      raise self.fault('mean', 'finite numbers')
    if not all(math.isfinite(x) and x > 0 for x in (*self.std, self.pixel)):
      raise self.fault('std', 'numbers above 0, as of pixel too')

  @property
  def stream(self) -> str:
    """Name of the stream in a store."""
    return f'audio.{self.name}' if self.of == SOUND else self.name

  def samples(self, key: str) -> int:
    """Returns the samples of `window`, `hop` or `piece`.

    Raises:
      ConfigError: they are not given, or are no whole samples.
    """
    seconds = getattr(self, key)
    count = round(seconds * self.rate)
    if count < 1:
      raise self.fault(key, f'seconds; add {key}=... to --stream')
    if abs(count - seconds * self.rate) > 1e-3:
      raise self.fault(key, f'whole samples at {self.rate} a second')
    return count

  def fault(self, key: str, wanted: str) -> ConfigError:
    """Returns an error about a setting, and what it must be."""
    value = getattr(self, key)
    if isinstance(value, tuple):
      value = '/'.join(f'{x:g}' for x in value)
    return ConfigError(
      f'{key} of the stream {self.name!r} is {value!r}; it must be {wanted}'
    )

  def _one_of(self, key: str, choices: tuple[str, ...]) -> None:
    if getattr(self, key) not in choices:
      raise self.fault(key, ' or '.join(c or 'left out' for c in choices))

  def _within(self, key: str, least: int | float, most: int | float) -> None:
    if not least <= getattr(self, key) <= most:
      raise self.fault(key, f'from {least:g} to {most:g}')


SETTINGS = tuple(
  field.name
  for field in dataclasses.fields(OnnxStream)
  if field.name not in ('name', 'file', 'sha256')
)
"""What --stream and the metadata of a model may set."""
OF_OTHERS = {
  SOUND: ('size', 'margin', 'pixel', 'mean', 'std', 'colour', 'layout'),
  FACE: ('rate', 'window', 'hop', 'piece', 'normalise'),
}
"""'sound' or 'face' -> the settings that it does not have."""


def parsed(text: str) -> tuple[str, str, dict[str, str]]:
  """Returns name, file and options of 'NAME:FILE[,key=value...]'.

  The file may have commas in its path; the options are what follows its last
  part.

  Raises:
    ConfigError: the text is not of that form.
  """
  name, colon, rest = text.partition(':')
  parts = rest.split(',')
  options: dict[str, str] = {}
  while len(parts) > 1 and '=' in parts[-1]:
    key, _, value = parts.pop().partition('=')
    if key in options:
      raise ConfigError(f'--stream={text} has {key} twice; give it once')
    options[key] = value
  file = ','.join(parts)
  if not (colon and name and file):
    raise ConfigError(
      f'--stream is {text!r}; wanted NAME:FILE.onnx, or'
      ' NAME:FILE.onnx,key=value,... such as voice:w.onnx,rate=16000,hop=0.02'
    )
  return name, file, options


def places(texts: Iterable[str]) -> dict[str, str]:
  """Returns name of a stream -> its file, of flags 'NAME:FILE'.

  Raises:
    ConfigError: a text is not of that form, or a stream has two files.
  """
  found: dict[str, str] = {}
  for text in texts:
    name, file, options = parsed(text)
    if options:
      raise ConfigError(
        f'--stream={text} has {next(iter(options))}, and the stream keeps the'
        ' settings that it was extracted with; leave it out'
      )
    if name in found:
      raise ConfigError(f'--stream={name}:... is given twice; give it once')
    found[name] = file
  return found


def typed(values: Mapping[str, str], whose: str) -> dict[str, Any]:
  """Returns settings of an `OnnxStream` from texts.

  Args:
    values: setting -> text; numbers of a list are divided by '/'.
    whose: where they are given, for the error.

  Raises:
    ConfigError: there is no such setting, or a text is no number.
  """
  kinds = {f.name: type(f.default) for f in dataclasses.fields(OnnxStream)}
  made: dict[str, Any] = {}
  for key, text in values.items():
    if key not in SETTINGS:
      near = difflib.get_close_matches(key, SETTINGS, n=1)
      hint = f'; did you mean {near[0]}?' if near else ''
      raise ConfigError(
        f'{whose} has no setting {key!r}{hint}; there are {", ".join(SETTINGS)}'
      )
    try:
      kind: Any = kinds[key]
      made[key] = (
        tuple(float(part) for part in text.split('/'))
        if kind is tuple
        else kind(text)
      )
    except ValueError:
      raise ConfigError(
        f'{key} of {whose} is {text!r}; it must be a number'
        + (' or three, divided by /' if key in ('mean', 'std') else '')
      ) from None
  return made
