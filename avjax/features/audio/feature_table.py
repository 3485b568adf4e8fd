"""The audio features by name: width, framing and function (Section 3.3)."""

import dataclasses
from collections.abc import Callable

import numpy as np

from avjax.errors import ConfigError
from avjax.features.audio import (
  bands,
  envelope,
  linear_prediction,
  perceptual,
  spectral,
  statistics,
  temporal,
)
from avjax.features.audio.block import LongBlock, ShortBlock
from avjax.features.audio.framing import LONG, SHORT, Framing


@dataclasses.dataclass(frozen=True)
class Feature:
  """One feature.

  Attributes:
    width: number of columns.
    framing: `SHORT` (31.25 frames per second) or `LONG` (0.98 per second).
    function: from a block of frames to (frames, width), or to (frames,) if
      the width is 1.
  """

  width: int
  framing: Framing
  function: Callable[..., np.ndarray]


def _short(width: int, function: Callable[[ShortBlock], np.ndarray]) -> Feature:
  return Feature(width, SHORT, function)


def _long(width: int, function: Callable[[LongBlock], np.ndarray]) -> Feature:
  return Feature(width, LONG, function)


FEATURES = {
  'AmplitudeModulation': _long(8, lambda b: envelope.modulation(b.envelope)),
  'AutoCorrelation': _short(49, lambda b: b.autocorrelation),
  'ComplexDomainOnsetDetection': _short(
    1, lambda b: spectral.onset(b.spectrum)
  ),
  'Energy': _short(1, lambda b: temporal.energy(b.frames)),
  'Envelope': _long(164, lambda b: b.envelope),
  'EnvelopeShapeStatistics': _long(
    4, lambda b: statistics.shape(statistics.moments(b.envelope))
  ),
  'Frames': _short(1024, lambda b: b.frames),
  'LPC': _short(2, lambda b: linear_prediction.predictor(b.autocorrelation)),
  'LSF': _short(
    10, lambda b: linear_prediction.line_frequencies(b.autocorrelation)
  ),
  'Loudness': _short(24, lambda b: b.loudness),
  'MFCC': _short(13, lambda b: perceptual.cepstrum(b.mel)),
  'MagnitudeSpectrum': _short(513, lambda b: b.magnitude),
  'OBSI': _short(9, lambda b: b.octaves),
  'OBSIR': _short(8, lambda b: np.diff(b.octaves)),
  'PerceptualSharpness': _short(1, lambda b: perceptual.sharpness(b.loudness)),
  'PerceptualSpread': _short(1, lambda b: perceptual.spread(b.loudness)),
  'SpectralCrestFactorPerBand': _short(19, lambda b: bands.crest(b.groups)),
  'SpectralDecrease': _short(1, lambda b: spectral.decrease(b.magnitude)),
  'SpectralFlatness': _short(1, lambda b: spectral.flatness(b.magnitude)),
  'SpectralFlatnessPerBand': _short(19, lambda b: bands.flatness(b.groups)),
  'SpectralFlux': _short(1, lambda b: spectral.flux(b.magnitude, b.before)),
  'SpectralRolloff': _short(1, lambda b: spectral.rolloff(b.power)),
  'SpectralShapeStatistics': _short(4, lambda b: statistics.shape(b.moments)),
  'SpectralSlope': _short(1, lambda b: spectral.slope(b.moments)),
  'SpectralVariation': _short(
    1, lambda b: spectral.variation(b.magnitude, b.before)
  ),
  'TemporalShapeStatistics': _short(
    4, lambda b: statistics.shape(statistics.moments(b.frames))
  ),
  'ZCR': _short(1, lambda b: temporal.crossings(b.own, SHORT)),
  'MelSpectrum': _short(40, lambda b: b.mel),
}
"""Name -> feature: the 27 features that Yaafe documents, and MelSpectrum."""

FIRST, SECOND = ' first', ' second'
"""Suffixes of the names of derivatives, such as 'MFCC first'."""

_DOCUMENTED = tuple(
  name for name in FEATURES if name not in ('Frames', 'MelSpectrum')
)
_DERIVED = ('MFCC', 'Loudness', 'Energy', 'ZCR')

PRESETS = {
  'documented': _DOCUMENTED,
  'v0.65': (*_DOCUMENTED, 'MelSpectrum'),
  'paper-939': (
    *_DOCUMENTED,
    *(name + order for order in (FIRST, SECOND) for name in _DERIVED),
  ),
}
"""Name -> names of features.

The paper's "all the 27 features" have 939 columns, but no list of Yaafe's
features with default parameters does. 'v0.65' (27 names, 901 columns) is the
list of Yaafe's version of that time without the raw samples. 'documented' (861
columns) is the list on its web page. 'paper-939' adds derivatives to reach the
number; the paper does not mention them.
"""


def split(name: str) -> tuple[str, int]:
  """Returns the feature of a name, and the order of the derivative (0, 1, 2).

  Raises:
    ConfigError: there is no such feature or derivative.
  """
  base, order = name, 0
  for number, suffix in enumerate((FIRST, SECOND), 1):
    if name.endswith(suffix):
      base, order = name.removesuffix(suffix), number
  if base not in FEATURES:
    raise ConfigError(
      f'{name!r} is not an audio feature; choose from {", ".join(FEATURES)}'
    )
  if order and FEATURES[base].framing is LONG:
    raise ConfigError(
      f'there is no {name!r}: {base} has long frames and no derivative; leave'
      ' it out'
    )
  return base, order


def names(preset: str) -> tuple[str, ...]:
  """Returns the names of the features of a preset.

  Raises:
    ConfigError: there is no such preset.
  """
  if preset not in PRESETS:
    raise ConfigError(
      f'preset={preset!r}: there is no such list of audio features; choose'
      f' from {", ".join(PRESETS)}'
    )
  return PRESETS[preset]


def width(preset: str) -> int:
  """Returns the number of columns of a preset.

  Raises:
    ConfigError: there is no such preset.
  """
  return sum(FEATURES[split(name)[0]].width for name in names(preset))
