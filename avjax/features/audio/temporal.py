"""Features of a frame's samples."""

import numpy as np

from avjax.features.audio.framing import Framing
from avjax.shapes import Float

Frames = Float[np.ndarray, 'frames size']
Scalar = Float[np.ndarray, ' frames']


def energy(frames: Frames) -> Scalar:
  """Returns the root of the mean square."""
  return np.sqrt(np.vecdot(frames, frames) / frames.shape[1])


def autocorrelation(
  frames: Frames, lags: int = 49
) -> Float[np.ndarray, 'frames _']:
  """Returns r[0], r[1], ..., neither windowed nor normalised."""
  size = frames.shape[1]
  found = np.empty((len(frames), lags))
  for lag in range(lags):
    np.vecdot(frames[:, : size - lag], frames[:, lag:], out=found[:, lag])
  return found


def crossings(samples: Float[np.ndarray, ' n'], framing: Framing) -> Scalar:
  """Returns the changes of sign in a frame, divided by its size.

  Samples that are zero are passed over.

  Args:
    samples: from the first frame's beginning to the last frame's end.
    framing: of the samples.
  """
  place = np.flatnonzero(samples)
  negative = samples[place] < 0
  changes = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])
  start = np.arange(0, len(samples) - framing.size + 1, framing.step)
  first = np.searchsorted(place, start)
  last = np.searchsorted(place, start + framing.size) - 1
  some = last > first
  within = changes[last * some] - changes[first * some]
  return within / framing.size
