"""Intermediate results that several features share, each computed once."""

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
  """Consecutive short frames.

  Attributes:
    samples: of the frames, and of the two frames before the first.
    first: whether this is the first block of a clip.
  """

  samples: Float[np.ndarray, ' samples']
  first: bool

  @property
  def own(self) -> Float[np.ndarray, ' samples']:
    """Samples of the frames, without the two frames before them."""
    return self.samples[2 * SHORT.step :]

  @functools.cached_property
  def frames(self) -> Rows:
    """Samples of every frame."""
    return SHORT.frames(self.own)

  @functools.cached_property
  def spectrum(self) -> Complex[np.ndarray, '_ 513']:
    """X of the two frames before the first and of every frame; not scaled."""
    windowed = SHORT.frames(self.samples) * filters.hann(SHORT.size)
    return scipy.fft.rfft(windowed, overwrite_x=True)

  @functools.cached_property
  def _magnitudes(self) -> Rows:
    magnitudes = np.abs(self.spectrum[1:])
    magnitudes[magnitudes == 0] = EPS
    if self.first:
      magnitudes[0] = 0  # not EPS: there is no frame before the clip
    return magnitudes

  @property
  def magnitude(self) -> Rows:
    """M of every frame; exact zeros are replaced by EPS."""
    return self._magnitudes[1:]

  @property
  def before(self) -> Rows:
    """M of the frame before each; zeros before the clip."""
    return self._magnitudes[:-1]

  @functools.cached_property
  def power(self) -> Rows:
    """M squared."""
    return self.magnitude**2

  @functools.cached_property
  def moments(self) -> Rows:
    """Moments of M over the bins."""
    return statistics.moments(self.magnitude)

  @functools.cached_property
  def autocorrelation(self) -> Rows:
    """r[0] ... r[48]."""
    return temporal.autocorrelation(self.frames)

  @functools.cached_property
  def mel(self) -> Rows:
    """M filtered by the mel filters."""
    return perceptual.mel(self.magnitude)

  @functools.cached_property
  def loudness(self) -> Rows:
    """Relative loudness of the Bark bands."""
    return perceptual.loudness(self.power)

  @functools.cached_property
  def octaves(self) -> Rows:
    """Logarithm of the power in octave bands."""
    return perceptual.octaves(self.power)

  @functools.cached_property
  def groups(self) -> Rows:
    """Power of groups of bins in quarter octaves; frames are the last axis."""
    return bands.groups(self.power)


@dataclasses.dataclass(frozen=True)
class LongBlock:
  """Consecutive long frames.

  Attributes:
    samples: of the frames.
  """

  samples: Float[np.ndarray, ' samples']

  @functools.cached_property
  def envelope(self) -> Rows:
    """Envelope of every frame, 164 values."""
    return envelope.envelope(LONG.frames(self.samples))
