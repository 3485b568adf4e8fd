"""Features of the magnitude spectrum M and of its successive frames."""

import numpy as np

from avjax.features.audio.filters import BINS, SPACING
from avjax.shapes import Complex, Float

Magnitude = Float[np.ndarray, 'frames 513']
Scalar = Float[np.ndarray, ' frames']


def decrease(magnitude: Magnitude) -> Scalar:
  """Returns the mean slope from the first bin, weighted to low frequencies."""
  slopes = (magnitude[:, 1:] - magnitude[:, :1]) @ (1 / np.arange(1, BINS))
  return slopes / magnitude[:, 1:].sum(axis=1)


def flatness(magnitude: Magnitude) -> Scalar:
  """Returns the geometric over the arithmetic mean of the magnitudes."""
  return np.exp(np.log(magnitude).mean(axis=1)) / magnitude.mean(axis=1)


def slope(moments: Float[np.ndarray, '5 frames']) -> Scalar:
  """Returns the regression's slope over Hz, of a spectrum of sum one.

  Args:
    moments: of the magnitudes over the bins.
  """
  frequency = SPACING * np.arange(BINS)
  total, squares = frequency.sum(), (frequency**2).sum()
  centroid = SPACING * moments[1]
  return (BINS * centroid - total) / (BINS * squares - total**2)


def rolloff(power: Magnitude) -> Scalar:
  """Returns the frequency in Hz below which 99% of the power lies.

  Bins are taken away from the top while the rest exceeds 99%: the frequency is
  that of the last one taken.
  """
  total = power.sum(axis=1, keepdims=True)
  steps = np.concatenate([total, power[:, ::-1]], axis=1)
  rest = np.subtract.accumulate(steps, axis=1)
  taken = np.count_nonzero(rest > 0.99 * total, axis=1)
  return SPACING * (BINS - taken)


def flux(magnitude: Magnitude, before: Magnitude) -> Scalar:
  """Returns the squared distance to the frame before, over both norms.

  Args:
    magnitude: of every frame.
    before: of every frame's predecessor; zeros before the first.
  """
  change = magnitude - before
  return _quotient(np.vecdot(change, change), _norms(magnitude, before))


def variation(magnitude: Magnitude, before: Magnitude) -> Scalar:
  """Returns one minus the correlation with the frame before; as `flux`."""
  norms = _norms(magnitude, before)
  alike = _quotient(np.vecdot(magnitude, before), norms)
  return np.where(norms > 0, 1 - alike, 0)


def _norms(magnitude: Magnitude, before: Magnitude) -> Scalar:
  squares = np.vecdot(magnitude, magnitude), np.vecdot(before, before)
  return np.sqrt(squares[0]) * np.sqrt(squares[1])


def _quotient(over: Scalar, under: Scalar) -> Scalar:
  return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def onset(spectrum: Complex[np.ndarray, '_ 513']) -> Scalar:
  """Returns the distance to where steady partials would have moved.

  A bin's magnitude is foretold from the frame before, its phase from the two
  before.

  Args:
    spectrum: of the frames and of the two before the first.
  """
  size = np.abs(spectrum[:-1])
  # u(z) = z / |z|, and u(0) = 1: what is foretold of a bin is
  # X_(t-1)^2 conj(X_(t-2)) over both sizes.
  still = size == 0
  size[still] = 1
  turn = spectrum[:-2].conj()
  turn[still[:-1]] = 1
  turn *= spectrum[1:-1]
  turn *= spectrum[1:-1]
  # A real and an imaginary part each, since NumPy would make the sizes complex.
  parts = turn.view(np.float64).reshape(*turn.shape, 2)
  parts /= (size[:-1] * size[1:])[..., None]
  turn -= spectrum[2:]
  return np.abs(turn).sum(axis=1)
