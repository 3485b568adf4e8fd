"""Statistics over all frames so far, in place of those of a whole clip."""

import bisect

import numpy as np

from avjax.features.landmarks import EYES
from avjax.shapes import Float

_LEAST_VARIATION = 1e-6
"""Of a column, relative to its magnitude; as in `data.standardising`."""


class RunningShape:
  """Landmarks normalised as `landmarks.normalise` does a clip (Section 3.1).

  Rotation and scale are common to all frames so far, not to the whole clip.
  """

  def __init__(self):
    self._direction = 0j
    self._distances: list[float] = []  # of the eyes, ascending

  def __call__(
    self, points: Float[np.ndarray, '49 2']
  ) -> Float[np.ndarray, ' 98']:
    """Returns the landmarks of the next frame; zeros where eyes coincide."""
    z = points[:, 0] + 1j * points[:, 1]
    left, right = (z[eye].mean() for eye in EYES)
    distance = abs(right - left)
    if not distance > 0.01 * np.ptp(points, axis=0).max():
      return np.zeros(points.size)
    bisect.insort(self._distances, distance)
    self._direction += (right - left) / distance
    size = abs(self._direction)
    direction = self._direction / size if size > 0 else 1.0
    half = len(self._distances) // 2
    # The median of an even number is between the two in the middle.
    median = (self._distances[half] + self._distances[~half]) / 2
    z = (z - (left + right) / 2) / (median * direction)
    return np.stack([z.real, z.imag], axis=-1).reshape(-1)


class RunningMoments:
  """Standardises frames by mean and standard deviation of all so far.

  Args:
    width: number of columns.
  """

  def __init__(self, width: int):
    self._count = 0
    self._mean, self._squares = np.zeros(width), np.zeros(width)
    self._most = np.zeros(width)

  def __call__(
    self, frames: Float[np.ndarray, 'n D']
  ) -> Float[np.ndarray, 'n D']:
    """Returns the next frames, each by those before it and itself."""
    return np.stack([self._next(frame.astype(np.float64)) for frame in frames])

  def _next(self, frame: np.ndarray) -> np.ndarray:
    self._count += 1
    step = frame - self._mean  # Welford, 1962
    self._mean += step / self._count
    self._squares += step * (frame - self._mean)
    self._most = np.maximum(self._most, np.abs(frame))
    std = np.sqrt(self._squares / self._count)
    varies = std > _LEAST_VARIATION * self._most
    return (frame - self._mean) / np.where(varies, std, 1.0)
