"""Moments of a curve, and the shape statistics computed from them."""

import functools

import numpy as np

from avjax.features.audio.framing import EPS
from avjax.shapes import Float


@functools.cache
def _powers(length: int) -> Float[np.ndarray, 'length 5']:
  return np.arange(length)[:, None] ** np.arange(5.0)


def moments(
  curve: Float[np.ndarray, 'frames L'],
) -> Float[np.ndarray, '5 frames']:
  """Returns the sum of |curve|, and the first four moments of the index.

  The moments are weighted by |curve|. A sum of zero is replaced by EPS.
  """
  sums = (np.abs(curve) @ _powers(curve.shape[1])).T
  total = np.where(sums[0] == 0, EPS, sums[0])
  return np.concatenate([total[None], sums[1:] / total])


def shape(
  moments: Float[np.ndarray, '5 frames'],
) -> Float[np.ndarray, 'frames 4']:
  """Returns centroid, spread, skewness and kurtosis; the unit is the index.

  The third term of the kurtosis is 6 m1 m2, as in Yaafe, although the central
  moment has 6 m1^2 m2.

  Args:
    moments: from `moments`.
  """
  _, m1, m2, m3, m4 = moments
  variance = m2 - m1**2
  spread = np.sqrt(np.maximum(variance, 0))
  spread = np.where(spread == 0, EPS, spread)
  skewness = (2 * m1**3 - 3 * m1 * m2 + m3) / spread**3
  kurtosis = (-3 * m1**4 + 6 * m1 * m2 - 4 * m1 * m3 + m4) / spread**4 - 3
  return np.stack([m1, spread, skewness, kurtosis], axis=1)
