"""Mean and variance of many arrays, of which one at a time is in memory."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from avjax.shapes import Float

Arrays = Callable[[], Iterable[np.ndarray]]
"""Returns the arrays, (frames, D) each; it is called twice."""


@dataclasses.dataclass(frozen=True)
class Moments:
  """The moments of every one of D columns.

  Attributes:
    mean: over all frames.
    variance: over all frames.
    largest: magnitude.
    frames: their number.
  """

  mean: Float[np.ndarray, ' D']
  variance: Float[np.ndarray, ' D']
  largest: Float[np.ndarray, ' D']
  frames: int


def gathered(arrays: Arrays) -> Moments:
  """Returns the moments of all frames together, in float64.

  They have the bits that NumPy's functions give for the frames in one array:
  these add one frame after another. A single column they add in pairs, so that
  it is kept whole.

  Args:
    arrays: at least one.
  """
  first = next(iter(arrays()))
  if first.shape[1] == 1:
    return _moments_of(lambda: [np.concatenate([*arrays()])])
  return _moments_of(arrays)


def _moments_of(arrays: Arrays) -> Moments:
  """Returns the moments by adding the sums of one array after another."""

  def rows() -> Iterator[np.ndarray]:
    return (np.ascontiguousarray(array, np.float64) for array in arrays())

  total, largest, frames = np.zeros(()), np.zeros(()), 0
  for one in rows():
    total = _added(total, one)
    largest = np.maximum(largest, np.abs(one).max(axis=0))
    frames += len(one)
  mean, squares = total / frames, np.zeros(())
  for one in rows():
    squares = _added(squares, np.square(one - mean))
  return Moments(mean, squares / frames, largest, frames)


def _added(total: np.ndarray, rows: np.ndarray) -> np.ndarray:
  """Returns the total and all rows, added in this order; () is no total."""
  before = [total[None]] if total.ndim else []
  return np.concatenate([*before, rows]).sum(axis=0)
