"""Features of the magnitude spectrum M, and of its changes between frames."""

import numpy as np

from avjax.features.audio.filters import BINS, SPACING
from avjax.shapes import Complex, Float

Magnitude = Float[np.ndarray, 'frames 513']
Scalar = Float[np.ndarray, ' frames']


def decrease(magnitude: Magnitude) -> Scalar:
  """Returns the mean slope from the first bin, stressing low frequencies."""
  slopes = (magnitude[:, 1:] - magnitude[:, :1]) @ (1 / np.arange(1, BINS))
  return slopes / magnitude[:, 1:].sum(axis=1)


def flatness(magnitude: Magnitude) -> Scalar:
  """Returns geometric over arithmetic mean of the magnitudes."""
  return np.exp(np.log(magnitude).mean(axis=1)) / magnitude.mean(axis=1)


def slope(moments: Float[np.ndarray, '5 frames']) -> Scalar:
  """Returns the slope per Hz of a linear fit to the normalised spectrum.

  Args:
    moments: of the magnitudes over the bins.
  """
  frequency = SPACING * np.arange(BINS)
  total, squares = frequency.sum(), (frequency**2).sum()
  centroid = SPACING * moments[1]
  return (BINS * centroid - total) / (BINS * squares - total**2)


def rolloff(power: Magnitude) -> Scalar:
  """Returns the frequency in Hz below which 99 % of the power lies.

  Bins are removed from the top while the rest exceeds 99 %. The frequency is
  that of the last bin removed.
  """
  total = power.sum(axis=1, keepdims=True)
  steps = np.concatenate([total, power[:, ::-1]], axis=1)
  rest = np.subtract.accumulate(steps, axis=1)
  removed = np.count_nonzero(rest > 0.99 * total, axis=1)
  return SPACING * (BINS - removed)


def flux(magnitude: Magnitude, before: Magnitude) -> Scalar:
  """Returns the squared distance to the frame before, over both norms.

  Args:
    magnitude: of every frame.
    before: of the frame before each; zeros before the first.
  """
  change = magnitude - before
  return _quotient(np.vecdot(change, change), _norms(magnitude, before))


def variation(magnitude: Magnitude, before: Magnitude) -> Scalar:
  """Returns 1 - the correlation with the frame before; arguments as `flux`."""
  norms = _norms(magnitude, before)
  correlation = _quotient(np.vecdot(magnitude, before), norms)
  return np.where(norms > 0, 1 - correlation, 0)


def _norms(magnitude: Magnitude, before: Magnitude) -> Scalar:
  squares = np.vecdot(magnitude, magnitude), np.vecdot(before, before)
  return np.sqrt(squares[0]) * np.sqrt(squares[1])


def _quotient(over: Scalar, under: Scalar) -> Scalar:
  return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def onset(spectrum: Complex[np.ndarray, '_ 513']) -> Scalar:
  """Returns the distance of the spectrum to its prediction for steady partials.

  The magnitude of a bin is predicted from the frame before, its phase from the
  two frames before.

  Args:
    spectrum: of the two frames before the first, and of the frames.
  """
  magnitude = np.abs(spectrum[:-1])
  # With u(z) = z / |z| and u(0) = 1, the prediction of a bin is
  # X_(t-1)^2 conj(X_(t-2)) over both magnitudes.
  zero = magnitude == 0
  magnitude[zero] = 1
  predicted = spectrum[:-2].conj()
  predicted[zero[:-1]] = 1
  predicted *= spectrum[1:-1]
  predicted *= spectrum[1:-1]
  # As pairs of floats: NumPy would convert the magnitudes to complex numbers.
  pairs = predicted.view(np.float64).reshape(*predicted.shape, 2)
  pairs /= (magnitude[:-1] * magnitude[1:])[..., None]
  predicted -= spectrum[2:]
  return np.abs(predicted).sum(axis=1)
