"""Crest and flatness of the power in each of 19 quarter-octave bands."""

import functools

import numpy as np

from avjax.features.audio import filters
from avjax.features.audio.framing import EPS
from avjax.shapes import Float, Int

Bands = Float[np.ndarray, 'frames 19']
Groups = Float[np.ndarray, 'groups frames']


@functools.cache
def _layout() -> tuple[Int[np.ndarray, ' bins'], ...]:
  """Returns the concatenated bins of all groups, and two lists of starts.

  The starts are those of the groups among the bins, and those of the bands
  among the groups.
  """
  bins: list[int] = []
  groups: list[int] = []
  bands: list[int] = []
  for first, end, size in filters.quarter_octaves():
    bands.append(len(groups))
    groups += range(len(bins), len(bins) + end - first, size)
    bins += range(first, end)
  return np.array(bins), np.array(groups), np.array(bands)


def groups(power: Float[np.ndarray, 'frames 513']) -> Groups:
  """Returns the power of every group of bins, band after band.

  Frames are the last axis, so that sums over a band run along whole rows.
  """
  bins, starts, _ = _layout()
  return np.add.reduceat(np.take(power.T, bins, axis=0), starts, axis=0)


def _mean(groups: Groups) -> Float[np.ndarray, '19 frames']:
  bands = _layout()[2]
  counts = np.diff(bands, append=len(groups))
  return np.add.reduceat(groups, bands, axis=0) / counts[:, None]


def crest(groups: Groups) -> Bands:
  """Returns maximum over mean of the powers in each band."""
  largest = np.maximum.reduceat(groups, _layout()[2], axis=0)
  return (largest / _mean(groups)).T


def flatness(groups: Groups) -> Bands:
  """Returns geometric over arithmetic mean of the powers plus EPS."""
  raised = groups + EPS
  return (np.exp(_mean(np.log(raised))) / _mean(raised)).T
