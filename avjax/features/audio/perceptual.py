"""Features on perceptual scales: mel, Bark and octaves."""

import numpy as np

from avjax.features.audio import filters
from avjax.shapes import Float

Spectrum = Float[np.ndarray, 'frames 513']
Mel = Float[np.ndarray, 'frames 40']
Loudness = Float[np.ndarray, 'frames 24']
Scalar = Float[np.ndarray, ' frames']


def mel(magnitude: Spectrum) -> Mel:
  """Returns the magnitudes filtered by the mel filters."""
  return magnitude @ filters.mel_filters()


def cepstrum(mel: Mel) -> Float[np.ndarray, 'frames 13']:
  """Returns the cepstral coefficients 1 to 13, of decimal logarithms."""
  return np.log10(mel) @ filters.cosines()


def loudness(power: Spectrum) -> Loudness:
  """Returns the specific loudness of the Bark bands, relative to their sum."""
  edges = filters.bark_edges()
  bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
  specific = bands**0.23
  return specific / specific.sum(axis=1, keepdims=True)


def sharpness(loudness: Loudness) -> Scalar:
  """Returns the centroid of the loudness, with more weight above 14 Bark."""
  band = np.arange(1, 25)
  weight = np.where(band <= 14, 1, 0.066 * np.exp(0.171 * band))
  return loudness @ (0.11 * band * weight)


def spread(loudness: Loudness) -> Scalar:
  """Returns the squared share of all bands except the loudest."""
  return (1 - loudness.max(axis=1)) ** 2


def octaves(power: Spectrum) -> Float[np.ndarray, 'frames 9']:
  """Returns the natural logarithm of the power in octave bands.

  Powers are at least a thousandth of the *amplitude* of the strongest bin, as
  in Yaafe.
  """
  least = np.sqrt(1e-6 * power.max(axis=1, keepdims=True))
  return np.log(np.maximum(power @ filters.octave_filters(), least))
