"""Decoded frames and blocks of sound, by their time stamps, on one time line.

Time is that of the container: pts times time base, from its zero. Neither a
frame's number nor a nominal frame rate is ever looked at, so that a variable
frame rate needs nothing of its own. Ours; the paper's clips were 25 frames a
second as they came (Section 3). Nothing of JAX is imported: `decoding` runs
without it.
"""

import math
import statistics
from fractions import Fraction

import numpy as np

FRAME_RATE = 25
SAMPLE_RATE = 16000  # both as in avjax.clips, which would load JAX

MAX_FRAMES = 15_000
"""Ten minutes: a clip of one emotion lasts seconds, a film is a mistake."""

MAX_PIXELS = 4096 * 2304
"""The largest picture: 4K, with a little room for its paddings."""

MAX_BYTES = 4 * 2**30
"""RGB of one clip: 3 minutes of 640 x 480, or 27 s of 1920 x 1080."""

CONTINUOUS = 0.005
"""Seconds. Matroska and FLV round time stamps to 1 ms; so small a step
between two blocks of sound is rounding, and would click as a gap."""


class Refused(Exception):
  """Why a file that can be read is not decoded all the same."""


class Picture:
  """Source frames in order -> the nearest one of every grid point.

  Attributes:
    frames: one (height, width, 3) RGB for each grid point so far.
    end: seconds, once `finish` was called.
  """

  def __init__(self):
    from av.video.reformatter import VideoReformatter

    self.frames: list[np.ndarray] = []
    self.end = Fraction(0)
    self._reformatter = VideoReformatter()
    self._latest = None
    self._time = Fraction(0)
    self._gaps: list[Fraction] = []
    self._form: tuple[int, int, int] | None = None

  def add(self, frame, time: Fraction | None) -> None:
    """Takes the next source frame; one that goes back in time is dropped."""
    if self._latest is None:
      self._latest, self._time = frame, time or Fraction(0)
      return
    gap = self._gap() if time is None else time - self._time
    if gap <= 0:
      return
    previous, middle = self._latest, self._time + gap / 2
    self._gaps.append(gap)
    self._latest, self._time = frame, self._time + gap
    self._hold(previous, math.floor(middle * FRAME_RATE) + 1)

  def finish(self) -> None:
    """Holds the last source frame for as long as the median one."""
    if self._latest is not None:
      self.end = self._time + self._gap()
      length = math.floor(self.end * FRAME_RATE + Fraction(1, 2))
      self._hold(self._latest, max(length, 1))
      del self.frames[max(length, 1) :]

  @property
  def declared_end(self) -> Fraction:
    """Seconds to the end by the last frame's own duration, if that is later."""
    own = _duration(self._latest) if self._latest is not None else Fraction(0)
    return max(self.end, self._time + own)

  def _gap(self) -> Fraction:
    if self._gaps:
      return statistics.median(self._gaps)
    return _duration(self._latest) or Fraction(1, FRAME_RATE)

  def _hold(self, frame, until: int) -> None:
    """Gives a frame to every grid point before `until` that has none."""
    if until <= len(self.frames):
      return
    if until > MAX_FRAMES:
      raise Refused(
        f'its picture goes on to {until / FRAME_RATE:.0f} s, and at most'
        f' {MAX_FRAMES // FRAME_RATE} s are decoded; cut it into clips'
      )
    image = self._rgb(frame)
    if until * image.nbytes > MAX_BYTES:
      height, width = image.shape[:2]
      raise Refused(
        f'its picture, {width} x {height}, needs more than'
        f' {MAX_BYTES / 2**30:.0f} GiB, which are'
        f' {MAX_BYTES // image.nbytes / FRAME_RATE:.0f} s; cut it into'
        ' shorter clips or make the picture smaller'
      )
    self.frames += [image] * (until - len(self.frames))

  def _rgb(self, frame) -> np.ndarray:
    """Returns a frame upright, in the form of the first."""
    if self._form is None:
      # A phone notes how it was held: degrees anticlockwise to upright.
      turns = round(frame.rotation / 90) % 4
      self._form = frame.width, frame.height, turns
    width, height, turns = self._form
    image = self._reformatter.reformat(frame, width, height, 'rgb24')
    return np.ascontiguousarray(np.rot90(image.to_ndarray(), turns))


class Sound:
  """Blocks at their time stamps -> a waveform that may have gaps.

  Attributes:
    rate: of the source; 0 before the first block.
    faults: blocks that were left out, since their rate is another.
  """

  def __init__(self):
    self.rate = 0
    self.faults = 0
    self._blocks: list[tuple[int, np.ndarray]] = []
    self._next = 0

  def add(self, frame, time: Fraction | None) -> None:
    """Takes the next block of samples."""
    self.rate = self.rate or frame.sample_rate
    if frame.sample_rate != self.rate:
      self.faults += 1
      return
    block = _mono(frame)
    start = self._next if time is None else round(time * self.rate)
    if self._blocks and abs(start - self._next) <= CONTINUOUS * self.rate:
      start = self._next
    self._next = start + len(block)
    if self._next * FRAME_RATE > MAX_FRAMES * self.rate:
      raise Refused(
        f'its sound goes on to {self._next / self.rate:.0f} s, and at most'
        f' {MAX_FRAMES // FRAME_RATE} s are decoded; cut it into clips'
      )
    self._blocks.append((start, block))

  @property
  def end(self) -> Fraction:
    """Seconds to the end of the last block; 0 without any."""
    last = max((start + len(block) for start, block in self._blocks), default=0)
    return Fraction(last, self.rate or 1)

  def render(self, length: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns waveform and coverage at 16 kHz, and how many samples were bad.

    Args:
      length: of the picture, in frames.
    """
    samples = length * SAMPLE_RATE // FRAME_RATE
    if not self._blocks:
      return np.zeros(samples), np.zeros(samples, bool), 0
    wave = np.zeros(-(-length * self.rate // FRAME_RATE))
    heard = np.zeros(len(wave), bool)
    for start, block in self._blocks:
      first, last = max(start, 0), min(start + len(block), len(wave))
      if first < last:
        wave[first:last] = block[first - start : last - start]
        heard[first:last] = True
    bad = ~np.isfinite(wave)
    heard &= ~bad
    wave = np.clip(np.where(bad, 0, wave), -1, 1)
    if self.rate != SAMPLE_RATE:
      import soxr

      wave = soxr.resample(wave, self.rate, SAMPLE_RATE, 'HQ')
      # The native sample under the middle of every new one.
      middle = (2 * np.arange(samples) + 1) * self.rate // (2 * SAMPLE_RATE)
      heard = heard[np.minimum(middle, len(heard) - 1)]
    wave = np.pad(wave[:samples], (0, max(samples - len(wave), 0)))
    heard = heard[:samples]
    # The resampler rings into the gaps, and over full scale.
    return np.clip(np.where(heard, wave, 0), -1, 1), heard, int(bad.sum())


def _mono(frame) -> np.ndarray:
  """Returns the mean of the channels (FFmpeg's own mix gains 3 dB)."""
  data = frame.to_ndarray()
  if not frame.format.is_planar:
    data = data.reshape(frame.samples, -1).T
  values = data.astype(np.float64)
  if data.dtype == np.uint8:
    values = (values - 128) / 128
  elif data.dtype.kind == 'i':
    values /= 2.0 ** (8 * data.dtype.itemsize - 1)
  return values.mean(axis=0)


def _duration(frame) -> Fraction:
  return (frame.duration or 0) * (frame.time_base or Fraction(0))
