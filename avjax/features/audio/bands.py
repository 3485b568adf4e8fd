"""How peaked the power is within each of 19 bands of a quarter octave."""

import functools

import numpy as np

from avjax.features.audio import filters
from avjax.features.audio.framing import EPS
from avjax.shapes import Float, Int

Bands = Float[np.ndarray, 'frames 19']
Cells = Float[np.ndarray, 'cells frames']


@functools.cache
def _layout() -> tuple[Int[np.ndarray, ' bins'], ...]:
  """Bins of all cells on end, each cell's start there, each band's cells."""
  bins: list[int] = []
  cells: list[int] = []
  bands: list[int] = []
  for first, end, group in filters.quarter_octaves():
    bands.append(len(cells))
    cells += range(len(bins), len(bins) + end - first, group)
    bins += range(first, end)
  return np.array(bins), np.array(cells), np.array(bands)


def cells(power: Float[np.ndarray, 'frames 513']) -> Cells:
  """Returns the power of every group of bins, band after band.

  Frames come last, so that sums over a band run along whole rows.
  """
  bins, cells, _ = _layout()
  return np.add.reduceat(np.take(power.T, bins, axis=0), cells, axis=0)


def _mean(cells: Cells) -> Float[np.ndarray, '19 frames']:
  bands = _layout()[2]
  counts = np.diff(bands, append=len(cells))
  return np.add.reduceat(cells, bands, axis=0) / counts[:, None]


def crest(cells: Cells) -> Bands:
  """Returns the largest power over the mean one."""
  largest = np.maximum.reduceat(cells, _layout()[2], axis=0)
  return (largest / _mean(cells)).T


def flatness(cells: Cells) -> Bands:
  """Returns the geometric over the arithmetic mean of the powers plus EPS."""
  raised = cells + EPS
  return (np.exp(_mean(np.log(raised))) / _mean(raised)).T
