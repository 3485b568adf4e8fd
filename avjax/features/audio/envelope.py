"""Features of the amplitude envelope, over frames of two seconds."""

import numpy as np
import scipy.fft

from avjax.features.audio import filters
from avjax.features.audio.framing import LONG, RATE
from avjax.shapes import Float

Envelope = Float[np.ndarray, 'frames 164']

_DECIMATION = 200
_SPACING = RATE / _DECIMATION / LONG.size
"""Hz between bins of the envelope's spectrum; its sampling rate is 80 Hz."""

_RANGES = ((1638, 3277), (4095, 16384))
"""First bin and end of tremolo, 4 to 8 Hz, and of grain, 10 to 40 Hz."""


def envelope(frames: Float[np.ndarray, 'frames 32768']) -> Envelope:
  """Returns the smoothed size of the analytic signal, every 200 samples."""
  size = frames.shape[1]
  # The analytic signal is x + i y, with y the Hilbert transform of x: all bins
  # but the first and the last are multiplied by -i.
  spectrum = scipy.fft.rfft(frames)
  spectrum *= -1j
  spectrum[:, [0, -1]] = 0
  hilbert = scipy.fft.irfft(spectrum, size, overwrite_x=True)
  taps = filters.envelope_taps().reshape(-1, _DECIMATION)
  count, reach = -(-size // _DECIMATION), len(taps) - 1
  # Blocks of zeros before the frame, and zeros to the end of the last block.
  blocks = np.zeros((len(frames), reach + count, _DECIMATION))
  inner = blocks.reshape(len(frames), -1)[:, reach * _DECIMATION :][:, :size]
  np.square(frames, out=inner)
  np.square(hilbert, out=hilbert)
  inner += hilbert
  np.sqrt(inner, out=inner)
  sums = blocks @ taps.T
  return np.sum([sums[:, q:][:, :count, q] for q in range(reach + 1)], axis=0)


def modulation(envelope: Envelope) -> Float[np.ndarray, 'frames 8']:
  """Returns four values of tremolo and four of grain.

  They are the frequency in Hz of the largest bin in the range, its excess over
  the mean of all bins, its excess over the mean of the range, and the product
  of the first two.
  """
  count = envelope.shape[1]
  position = np.arange(1, count + 1) / (count + 1)
  windowed = envelope * (0.5 * (1 - np.cos(2 * np.pi * position)))
  magnitude = np.abs(scipy.fft.rfft(windowed, LONG.size)[:, :-1])
  mean = magnitude.mean(axis=1)
  columns = []
  for first, end in _RANGES:
    bins = magnitude[:, first:end]
    largest = bins.argmax(axis=1)
    peak = bins[np.arange(len(bins)), largest]
    frequency = (first + largest) * _SPACING
    over_all = np.maximum(0, peak - mean)
    over_range = np.maximum(0, peak - bins.mean(axis=1))
    columns += [frequency, over_all, over_range, frequency * over_all]
  return np.stack(columns, axis=1)
