"""Features of the samples of a frame."""

import numpy as np

from avjax.features.audio.framing import Framing
from avjax.shapes import Float

Frames = Float[np.ndarray, 'frames size']
Scalar = Float[np.ndarray, ' frames']


def energy(frames: Frames) -> Scalar:
  """Returns the root mean square of each frame."""
  return np.sqrt(np.vecdot(frames, frames) / frames.shape[1])


def autocorrelation(
  frames: Frames, lags: int = 49
) -> Float[np.ndarray, 'frames _']:
  """Returns the autocorrelation r[0], r[1], ..., not windowed or normalised."""
  size = frames.shape[1]
  r = np.empty((len(frames), lags))
  for lag in range(lags):
    np.vecdot(frames[:, : size - lag], frames[:, lag:], out=r[:, lag])
  return r


def crossings(samples: Float[np.ndarray, ' n'], framing: Framing) -> Scalar:
  """Returns the number of sign changes in a frame, divided by its size.

  Samples that are zero are skipped.

  Args:
    samples: from the start of the first frame to the end of the last.
    framing: of the samples.
  """
  nonzero = np.flatnonzero(samples)
  negative = samples[nonzero] < 0
  changes = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])
  start = np.arange(0, len(samples) - framing.size + 1, framing.step)
  first = np.searchsorted(nonzero, start)
  last = np.searchsorted(nonzero, start + framing.size) - 1
  some = last > first
  within = changes[last * some] - changes[first * some]
  return within / framing.size
