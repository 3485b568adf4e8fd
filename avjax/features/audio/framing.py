"""Cuts a waveform into centred frames, with zeros outside the waveform.

Frame t has B samples and is centred on sample t S. A clip of n samples has
ceil(n / S) frames. The step of long frames is 32 steps of short frames, so long
frame j has the same centre as short frame 32 j.
"""

import dataclasses

import numpy as np

from avjax.shapes import Float

RATE = 16000
"""Samples per second; all tables and constants are for this rate."""

EPS = 2.0**-52
"""Replaces an exact zero before a logarithm or a division."""


@dataclasses.dataclass(frozen=True)
class Framing:
  """The size and step of frames.

  Attributes:
    size: samples per frame, B; even.
    step: samples from one frame to the next, S.
    past: number of earlier frames that the features of a frame need.
    block: frames that are processed at once; few enough for the cache.
  """

  size: int
  step: int
  past: int
  block: int

  def count(self, samples: int) -> int:
    """Returns the number of frames of a clip with so many samples."""
    return -(-samples // self.step)

  def padded(
    self, waveform: Float[np.ndarray, ' n']
  ) -> Float[np.ndarray, ' padded']:
    """Returns the waveform with the zeros that its frames need at both ends.

    The `past` frames before the first are included.
    """
    ahead = self.size // 2 + self.past * self.step
    return np.pad(waveform, (ahead, (self.size - 1) // 2))

  def cut(
    self, padded: Float[np.ndarray, ' padded'], start: int
  ) -> Float[np.ndarray, ' samples']:
    """Returns the samples of the block of frames that begins with `start`.

    The `past` frames before it are included.
    """
    length = (self.past + self.block - 1) * self.step + self.size
    return padded[start * self.step :][:length]

  def frames(
    self, samples: Float[np.ndarray, ' samples']
  ) -> Float[np.ndarray, 'frames size']:
    """Returns all complete frames, as a view of the samples."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, self.size)
    return windows[:: self.step]


SHORT = Framing(size=1024, step=512, past=2, block=64)
LONG = Framing(size=32768, step=16384, past=0, block=4)
RATIO = LONG.step // SHORT.step
"""Short steps per long step."""
