"""Robust scaling and PCA whitening of feature columns (Sections 3.1 and 3.3).

Audio columns have outliers of a thousand standard deviations (for example the
spectral flux where silence ends). Every column is therefore scaled by its
median and quartiles and clipped before the principal component analysis. All
of it is fitted on the training clips only.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from avjax.errors import DataError
from avjax.shapes import Float

CLIP = 5.0  # standard deviations; ours
ROWS = 200_000  # at most so many frames are fitted on: 1.5 GB of 901 columns
_QUARTILES = 1.349  # interquartile range of the normal distribution, in std
_LEAST = 1e-6  # of the largest variance; a smaller one is rounding error
_ARRAYS = ('median', 'scale', 'mean', 'components')


@dataclasses.dataclass(frozen=True)
class Whitener:
  """Scaling and projection of one stream's columns; made by `fit`.

  Attributes:
    median: (D,) of every column over the training frames.
    scale: (D,) factor of every column; 0 for a constant column.
    mean: (D,) of the scaled and clipped columns.
    components: (D, K) principal directions, each divided by the standard
      deviation along it.
  """

  median: Float[np.ndarray, ' D']
  scale: Float[np.ndarray, ' D']
  mean: Float[np.ndarray, ' D']
  components: Float[np.ndarray, 'D K']

  def __call__(
    self, columns: Float[np.ndarray, 'frames D']
  ) -> Float[np.ndarray, 'frames K']:
    """Returns the whitened frames, float32.

    Raises:
      DataError: the frames have another number of columns.
    """
    if columns.shape[1] != len(self.median):
      raise DataError(
        f'the frames have {columns.shape[1]} columns and the whitener was'
        f' fitted on {len(self.median)}; extract them with the same preset'
      )
    scaled = _scaled(columns, self.median, self.scale)
    return ((scaled - self.mean) @ self.components).astype(np.float32)

  def arrays(self) -> dict[str, np.ndarray]:
    """Returns the arrays by name; `Whitener(**arrays)` is an equal whitener."""
    return {name: np.asarray(getattr(self, name)) for name in _ARRAYS}


def fit(clips: Sequence[Float[np.ndarray, '_ D']], width: int) -> Whitener:
  """Returns the whitener with `width` components, fitted on training clips.

  Constant columns, and components with rounding errors only, give zeros; so
  the output always has `width` columns.

  Args:
    clips: (frames, D) of every training clip. If there are more than ROWS
      frames in all, every k-th is used.
    width: of the whitened frames; at most D.

  Raises:
    DataError: there are fewer than two frames, or fewer columns than `width`.
  """
  frames = sum(map(len, clips))
  if frames < 2:
    raise DataError(
      f'the training clips have {frames} frames to fit a whitener on, and 2 are'
      ' needed; check that some training clip has audio, or a face'
    )
  step = -(-frames // ROWS)
  rows = np.concatenate(list(clips))[::step].astype(np.float64)
  if width > rows.shape[1]:
    raise DataError(
      f'{width} components of {rows.shape[1]} columns were asked for; ask for'
      f' {rows.shape[1]} or fewer'
    )
  median = np.median(rows, axis=0)
  low, high = np.percentile(rows, (25, 75), axis=0)
  spread = (high - low) / _QUARTILES
  # A column that is mostly one value has a quartile range of 0.
  spread = np.where(spread > 0, spread, rows.std(axis=0))
  # A column that varies by no more than float32's rounding counts as constant.
  varies = spread > 1e-6 * np.abs(median)
  scale = np.where(varies, 1 / np.where(varies, spread, 1), 0)
  scaled = _scaled(rows, median, scale)
  mean = scaled.mean(axis=0)
  scaled -= mean
  variance, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
  variance = variance[::-1][:width]
  directions = directions[:, ::-1][:, :width]
  # The sign of an eigenvector is arbitrary: make its largest entry positive.
  largest = np.abs(directions).argmax(axis=0)
  directions = directions * np.sign(directions[largest, np.arange(width)])
  real = variance > _LEAST * max(variance[0], 1e-30)
  std = np.sqrt(np.where(real, variance, 1))
  return Whitener(median, scale, mean, directions * (real / std))


def _scaled(rows: np.ndarray, median: np.ndarray, scale: np.ndarray):
  return np.clip((rows - median) * scale, -CLIP, CLIP)
