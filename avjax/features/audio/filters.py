"""The filters and bands of the features, computed from their formulas.

The spectrum of a short frame has 513 bins, 15.625 Hz apart.
"""

import functools

import numpy as np

from avjax.features.audio.framing import RATE, SHORT
from avjax.shapes import Float, Int

BINS = SHORT.size // 2 + 1
SPACING = RATE / SHORT.size
"""Hz between bins."""


@functools.cache
def hann(size: int) -> Float[np.ndarray, ' size']:
  """Returns the periodic Hann window, whose first value is exactly zero."""
  return 0.5 * (1 - np.cos(2 * np.pi * np.arange(size) / size))


def mel_edges(
  filters: int = 40, lowest: float = 130, highest: float = 6854
) -> Float[np.ndarray, ' edges']:
  """Returns the corners of the triangular filters in Hz, equidistant in mel."""
  low, high = 1127 * np.log1p(np.array([lowest, highest]) / 700)
  return 700 * np.expm1(np.linspace(low, high, filters + 2) / 1127)


@functools.cache
def mel_filters() -> Float[np.ndarray, 'bins filters']:
  """Returns triangular filters of equal area, for magnitudes."""
  edges = mel_edges()
  low, peak, high = edges[:-2], edges[1:-1], edges[2:]
  frequency = SPACING * np.arange(BINS)[:, None]
  rise = (frequency - low) / (peak - low)
  fall = (high - frequency) / (high - peak)
  return np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low)


@functools.cache
def cosines(
  filters: int = 40, kept: int = 13
) -> Float[np.ndarray, 'filters _']:
  """Returns the orthonormal DCT-II without its first coefficient."""
  product = (np.arange(filters)[:, None] + 0.5) * np.arange(1, kept + 1)
  return np.sqrt(2 / filters) * np.cos(np.pi * product / filters)


@functools.cache
def bark_edges(bands: int = 24) -> Int[np.ndarray, ' edges']:
  """Returns the first bin of every Bark band, and the end of the last.

  The last bin belongs to no band.
  """
  frequency = SPACING * np.arange(BINS)
  bark = 13 * np.arctan(frequency / 1315.8)
  bark += 3.5 * np.arctan((frequency / 7518) ** 2)
  inner = np.arange(1, bands) * bark[-1] / bands
  first = np.searchsorted(bark, inner, side='right')
  return np.array([0, *first, BINS - 1])


def octave_peaks(lowest: float = 27.5) -> Float[np.ndarray, ' peaks']:
  """Returns the peaks of the octave filters in bins, and both end points."""
  filters = 1 + int(np.floor(np.log2(RATE / 2 / lowest)))
  inner = lowest / SPACING * 2.0 ** np.arange(filters)
  return np.array([0, *inner, BINS - 1])


@functools.cache
def octave_filters() -> Float[np.ndarray, 'bins filters']:
  """Returns triangular filters, an octave wide on each side, for powers."""
  peaks = octave_peaks()
  low, peak, high = peaks[:-2], peaks[1:-1], peaks[2:]
  bins = np.arange(BINS)[:, None]
  rise = (bins - low) / (peak - low)
  fall = 1 - (bins - peak) / (high - peak)
  return 2 * np.maximum(0, np.minimum(rise, fall))


def quarter_octaves(lowest: float = 250) -> list[tuple[int, int, int]]:
  """Returns (first bin, end, bins per group) of every quarter octave.

  Bands overlap by a tenth. From 1 kHz, neighbouring bins form groups, and a
  band is a whole number of groups wide.
  """
  nyquist = RATE / 2
  lowest = nyquist * 2.0 ** round(np.log2(lowest / nyquist))
  bands: list[tuple[int, int, int]] = []
  while True:
    low, high = lowest * 2 ** (np.array([0, 1]) / 4 + len(bands) / 4)
    if 1.05 * high > nyquist:
      return bands
    first, last = _nearest(0.95 * low), _nearest(1.05 * high)
    group = 2 ** int(np.floor(np.log2(low / 500))) if low >= 1000 else 1
    width = int((last + 1 - first) / group + 0.5) * group
    bands.append((first, first + width, group))


def _nearest(frequency: float) -> int:
  return int(frequency / SPACING + 0.5)


@functools.cache
def envelope_taps(length: int = 800) -> Float[np.ndarray, ' taps']:
  """Returns the filter that smooths the envelope: the falling half of a Hann.

  The largest weight is on the oldest sample.
  """
  n = length + 1 + np.arange(length)
  taps = 1 - np.cos(2 * np.pi * n / (2 * length + 1))
  return taps / taps.sum()
