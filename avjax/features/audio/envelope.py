"""Features of the amplitude's envelope, over frames of two seconds."""

import numpy as np
import scipy.fft

from avjax.features.audio import filters
from avjax.features.audio.framing import LONG, RATE
from avjax.shapes import Float

Envelope = Float[np.ndarray, 'frames 164']

_DECIMATION = 200
_SPACING = RATE / _DECIMATION / LONG.size
"""Hz from bin to bin of the spectrum of the envelope, 80 values a second."""

_RANGES = ((1638, 3277), (4095, 16384))
"""First bin and end of tremolo, 4 to 8 Hz, and of grain, 10 to 40 Hz."""


def envelope(frames: Float[np.ndarray, 'frames 32768']) -> Envelope:
  """Returns the size of the analytic signal, smoothed, every 200 samples."""
  size = frames.shape[1]
  # The analytic signal is x + i y; y has every bin of x but the ends turned.
  spectrum = scipy.fft.rfft(frames)
  spectrum *= -1j
  spectrum[:, [0, -1]] = 0
  turned = scipy.fft.irfft(spectrum, size, overwrite_x=True)
  taps = filters.envelope_taps().reshape(-1, _DECIMATION)
  count, reach = -(-size // _DECIMATION), len(taps) - 1
  # Empty blocks before the frame, and zeros to the end of the last block.
  blocks = np.zeros((len(frames), reach + count, _DECIMATION))
  inner = blocks.reshape(len(frames), -1)[:, reach * _DECIMATION :][:, :size]
  np.square(frames, out=inner)
  np.square(turned, out=turned)
  inner += turned
  np.sqrt(inner, out=inner)
  parts = blocks @ taps.T
  return np.sum([parts[:, q:][:, :count, q] for q in range(reach + 1)], axis=0)


def modulation(envelope: Envelope) -> Float[np.ndarray, 'frames 8']:
  """Returns four values of tremolo and four of grain.

  They are the frequency of the range's strongest bin in Hz, how far the bin
  exceeds the mean of all bins and the mean of the range, and the product of
  the first two.
  """
  count = envelope.shape[1]
  place = np.arange(1, count + 1) / (count + 1)
  windowed = envelope * (0.5 * (1 - np.cos(2 * np.pi * place)))
  strength = np.abs(scipy.fft.rfft(windowed, LONG.size)[:, :-1])
  mean = strength.mean(axis=1)
  columns = []
  for first, end in _RANGES:
    part = strength[:, first:end]
    strongest = part.argmax(axis=1)
    peak = part[np.arange(len(part)), strongest]
    frequency = (first + strongest) * _SPACING
    over_all = np.maximum(0, peak - mean)
    over_range = np.maximum(0, peak - part.mean(axis=1))
    columns += [frequency, over_all, over_range, frequency * over_all]
  return np.stack(columns, axis=1)
