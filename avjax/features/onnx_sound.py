"""The waveform -> the frames of a stream of sound, by an ONNX model (ours).

Frame k is centred on k hops, as those of the audio features are on 512 k
samples: a clip of n samples has ceil(n / hop) frames, and beyond its ends there
are zeros. There are two kinds of models:

  (batch, window) -> (batch, D)       a window for every frame
  (batch, n)      -> (batch, F, D)    F frames of a piece, each from a window of
                                      its own and what else the model looks at

A clip that is longer than a piece is measured in pieces that overlap: of each
an eighth at both ends is only looked at, except at the ends of the clip.
"""

import numpy as np

from avjax.errors import DataError
from avjax.features.audio.framing import RATE
from avjax.features.onnx_model import OnnxModel, check_finite
from avjax.onnx_stream import OnnxStream
from avjax.shapes import Float

_OVERLAP = 8  # the share of a piece that is only looked at, at each end: 1/8
_PROBED = 4  # frames of the sound that shows what a model gives


class SoundColumns:
  """Computes the frames of a stream of sound.

  Attributes:
    width: number of values of a frame.

  Args:
    stream: its settings.
    model: that computes it.

  Raises:
    AvjaxError: window, hop and model do not fit each other.
  """

  def __init__(self, stream: OnnxStream, model: OnnxModel):
    self._stream, self._model = stream, model
    self._fixed = model.dims[-1]  # samples of the input, or None for any number
    self._hop = stream.samples('hop')
    # The last axis of (any, any, 80) is hardly samples: bands of a spectrogram.
    channels, last = model.dims[1:] if len(model.dims) == 3 else (1, 0)
    if channels != 1 and (channels, last) != (None, None):
      raise DataError(
        f'{model.name} has an input of shape {model.shape}; wanted sound of'
        ' shape (batch, samples) or (batch, 1, samples): export it so'
      )
    if stream.window or self._fixed is None:
      self._window = stream.samples('window')
    else:
      self._window = self._fixed
    self._many, self.width = self._frames_and_width()
    if not self._many and self._fixed not in (None, self._window):
      raise DataError(
        f'{model.name} takes {self._fixed} samples and the window of the stream'
        f' {stream.name!r} has {self._window}; leave out window='
      )

  def _frames_and_width(self) -> tuple[bool, int]:
    """Returns whether longer sound gives many frames, and their width."""
    size = self._fixed or self._window
    made = self._run(np.zeros((1, size)))
    if made.ndim == 2:
      return False, made.shape[1]
    wanted = self._count(size)
    if self._fixed is None:
      wanted = _PROBED
      size = self._window + (wanted - 1) * self._hop
      made = self._run(np.zeros((1, size)))
    if made.ndim != 3 or made.shape[1] != wanted:
      raise DataError(
        f'{self._model.name} gives values of shape {made.shape} for {size}'
        f' samples; wanted (1, D), or (1, {wanted}, D) with a window of'
        f' {self._window} and a hop of {self._hop} samples: give the window and'
        ' the hop that its frames have'
      )
    return True, made.shape[2]

  def _count(self, samples: int) -> int:
    """Returns the number of whole windows in so many samples."""
    return (samples - self._window) // self._hop + 1

  def __call__(
    self, waveform: Float[np.ndarray, ' n']
  ) -> Float[np.ndarray, 'F D']:
    """Returns the frames of a clip, float32.

    Args:
      waveform: mono at 16 kHz, in [-1, 1].

    Raises:
      DataError: a value is not finite.
    """
    wave = _resampled(waveform, self._stream.rate)
    frames = max(-(-len(wave) // self._hop), 1)
    ahead = self._window // 2
    needed = (frames - 1) * self._hop + self._window
    padded = np.zeros(max(needed, ahead + len(wave)), np.float32)
    heard = padded[ahead : ahead + len(wave)]
    heard[:] = wave
    if self._stream.normalise == 'clip':
      # As the feature extractors of wav2vec 2.0 and its successors do.
      heard -= wave.mean()
      heard /= np.sqrt(wave.var() + 1e-7)
    padded = padded[:needed]
    made = self._pieces(padded, frames) if self._many else self._windows(padded)
    check_finite(made, np.arange(frames), self._stream, self._model)
    return made

  def _windows(self, padded: np.ndarray) -> np.ndarray:
    """Returns one row a window."""
    view = np.lib.stride_tricks.sliding_window_view(padded, self._window)
    windows = view[:: self._hop]
    rows = self._model.rows(self._window)
    each = [
      self._run(windows[k : k + rows]) for k in range(0, len(windows), rows)
    ]
    return np.concatenate(each)

  def _pieces(self, padded: np.ndarray, frames: int) -> np.ndarray:
    """Returns the frames of a clip, piece after piece."""
    longest = self._fixed or self._stream.samples('piece')
    most = max(self._count(longest), 1)
    if frames <= most:
      return self._piece(padded, 0, frames)[:frames]
    margin = most // _OVERLAP
    made, done = np.zeros((0, 0), np.float32), 0
    while done < frames:
      first = min(max(done - margin, 0), frames - most)
      last = first + most
      end = last if last == frames else last - margin
      piece = self._piece(padded, first, most)
      if not done:
        made = np.zeros((frames, piece.shape[1]), np.float32)
      made[done:end] = piece[done - first : end - first]
      done = end
    return made

  def _piece(self, padded: np.ndarray, first: int, frames: int) -> np.ndarray:
    """Returns so many frames from the first one on, or more."""
    start = first * self._hop
    size = (frames - 1) * self._hop + self._window
    piece = padded[start : start + size]
    if self._fixed:
      piece = np.pad(piece, (0, self._fixed - size))
      frames = self._count(self._fixed)
    made = self._run(piece[None])
    if made.shape[:2] != (1, frames):
      raise DataError(
        f'{self._model.name} gives values of shape {made.shape} for a piece of'
        f' {len(piece)} samples; wanted {frames} frames'
      )
    return made[0]

  def _run(self, windows: np.ndarray) -> np.ndarray:
    """Returns the output for (rows, samples)."""
    if len(self._model.dims) == 3:
      windows = windows[:, None]
    return self._model.batch(windows)


def _resampled(waveform: np.ndarray, rate: int) -> np.ndarray:
  """Returns the waveform at another rate, of the same duration."""
  if rate == RATE:
    return waveform
  import soxr

  samples = -(-len(waveform) * rate // RATE)
  made = soxr.resample(waveform, RATE, rate, 'HQ')[:samples]
  return np.pad(made, (0, samples - len(made)))
