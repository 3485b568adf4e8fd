"""What several features of the same frames share, each computed once."""

import dataclasses
import functools

import numpy as np
import scipy.fft

from avjax.features.audio import (
  bands,
  envelope,
  filters,
  perceptual,
  statistics,
  temporal,
)
from avjax.features.audio.framing import EPS, LONG, SHORT
from avjax.shapes import Complex, Float

Rows = Float[np.ndarray, 'frames _']


@dataclasses.dataclass(frozen=True)
class ShortBlock:
  """Short frames on end.

  Attributes:
    samples: from the beginning of the second frame before the first to the
      end of the last.
    first: whether a clip begins here, so that there is nothing before.
  """

  samples: Float[np.ndarray, ' samples']
  first: bool

  @property
  def own(self) -> Float[np.ndarray, ' samples']:
    """Samples of the frames themselves."""
    return self.samples[2 * SHORT.step :]

  @functools.cached_property
  def frames(self) -> Rows:
    """Samples of every frame."""
    return SHORT.frames(self.own)

  @functools.cached_property
  def spectrum(self) -> Complex[np.ndarray, '_ 513']:
    """X of every frame, and of the two before the first; not scaled."""
    windowed = SHORT.frames(self.samples) * filters.hann(SHORT.size)
    return scipy.fft.rfft(windowed, overwrite_x=True)

  @functools.cached_property
  def _magnitudes(self) -> Rows:
    found = np.abs(self.spectrum[1:])
    found[found == 0] = EPS
    if self.first:
      found[0] = 0  # and not EPS
    return found

  @property
  def magnitude(self) -> Rows:
    """M of every frame; exact zeros are EPS."""
    return self._magnitudes[1:]

  @property
  def before(self) -> Rows:
    """M of every frame's predecessor; zeros before the clip."""
    return self._magnitudes[:-1]

  @functools.cached_property
  def power(self) -> Rows:
    """M squared."""
    return self.magnitude**2

  @functools.cached_property
  def moments(self) -> Rows:
    """Of M over the bins."""
    return statistics.moments(self.magnitude)

  @functools.cached_property
  def autocorrelation(self) -> Rows:
    """r[0] ... r[48]."""
    return temporal.autocorrelation(self.frames)

  @functools.cached_property
  def mel(self) -> Rows:
    """M through the mel filters."""
    return perceptual.mel(self.magnitude)

  @functools.cached_property
  def loudness(self) -> Rows:
    """Relative loudness of the Bark bands."""
    return perceptual.loudness(self.power)

  @functools.cached_property
  def octaves(self) -> Rows:
    """Logarithms of the power in octaves."""
    return perceptual.octaves(self.power)

  @functools.cached_property
  def cells(self) -> Rows:
    """Power in the groups of bins of the quarter octaves; frames last."""
    return bands.cells(self.power)


@dataclasses.dataclass(frozen=True)
class LongBlock:
  """Long frames on end.

  Attributes:
    samples: from the first frame's beginning to the last one's end.
  """

  samples: Float[np.ndarray, ' samples']

  @functools.cached_property
  def envelope(self) -> Rows:
    """164 values of every frame."""
    return envelope.envelope(LONG.frames(self.samples))
