"""Frames of a waveform, centred, with zeros outside it.

Frame t of B samples is centred on sample t S; a clip of n samples has
ceil(n / S) of them. A long frame's step is 32 short steps, so long frame j is
centred where short frame 32 j is.
"""

import dataclasses

import numpy as np

from avjax.shapes import Float

RATE = 16000
"""Samples a second; all tables and constants are for this rate."""

EPS = 2.0**-52
"""Stands for an exact zero wherever a logarithm or a quotient follows."""


@dataclasses.dataclass(frozen=True)
class Framing:
  """How frames are laid.

  Attributes:
    size: samples of a frame, B; even.
    step: samples from frame to frame, S.
    past: frames that are wanted in front of a frame to compute its features.
    block: frames that are worked on at once: few enough for the cache.
  """

  size: int
  step: int
  past: int
  block: int

  def count(self, samples: int) -> int:
    """Number of frames of a clip."""
    return -(-samples // self.step)

  def padded(
    self, waveform: Float[np.ndarray, ' n']
  ) -> Float[np.ndarray, ' padded']:
    """The waveform with the zeros of its first and last frames.

    The frames in front of the first are there too; nothing is in them.
    """
    ahead = self.size // 2 + self.past * self.step
    return np.pad(waveform, (ahead, (self.size - 1) // 2))

  def cut(
    self, padded: Float[np.ndarray, ' padded'], start: int
  ) -> Float[np.ndarray, ' samples']:
    """Padded samples of the block of frames that begins with frame `start`.

    Its past comes first.
    """
    length = (self.past + self.block - 1) * self.step + self.size
    return padded[start * self.step :][:length]

  def frames(
    self, samples: Float[np.ndarray, ' samples']
  ) -> Float[np.ndarray, 'frames size']:
    """A view of all whole frames of samples."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, self.size)
    return windows[:: self.step]


SHORT = Framing(size=1024, step=512, past=2, block=64)
LONG = Framing(size=32768, step=16384, past=0, block=4)
RATIO = LONG.step // SHORT.step
"""Short frames in a long frame's step."""
