"""Resamples decoded video and audio to one time line, by their time stamps.

Time is that of the container: presentation time stamp times time base, from
the container's zero. Frame numbers and nominal frame rates are ignored, so a
variable frame rate needs no special case. Ours; the paper's clips already had
25 frames per second (Section 3). JAX is not imported: `decoding` runs without
it.
"""

import math
import statistics
from fractions import Fraction

import numpy as np

FRAME_RATE = 25
SAMPLE_RATE = 16000  # both as in avjax.clips, which imports JAX

MAX_FRAMES = 15_000
"""Ten minutes. A clip of one emotion lasts seconds; a film is a mistake."""

MAX_PIXELS = 4096 * 2304
"""The largest frame: 4K, with a little room for padding."""

MAX_BYTES = 4 * 2**30
"""RGB of one clip: 3 minutes of 640 x 480, or 27 s of 1920 x 1080."""

CONTINUOUS = 0.005
"""Seconds. Matroska and FLV round time stamps to 1 ms. A smaller step between
two audio blocks is such rounding; as a gap it would be an audible click."""


class RefusedFile(Exception):
  """Names why a readable file is not decoded: too long, too large or empty."""


class VideoTrack:
  """Source frames in time order -> the nearest one at every 1/25 s.

  Attributes:
    frames: (height, width, 3) RGB for each grid point k / 25 s so far.
    end: end of the video in seconds, set by `finish`.
  """

  def __init__(self):
    from av.video.reformatter import VideoReformatter

    self.frames: list[np.ndarray] = []
    self.end = Fraction(0)
    self._reformatter = VideoReformatter()
    self._latest = None
    self._time = Fraction(0)
    self._gaps: list[Fraction] = []
    self._geometry: tuple[int, int, int] | None = None

  def add(self, frame, time: Fraction | None) -> None:
    """Adds the next source frame; drops it if it is not later than the last."""
    if self._latest is None:
      self._latest, self._time = frame, time or Fraction(0)
      return
    gap = self._gap() if time is None else time - self._time
    if gap <= 0:
      return
    previous, middle = self._latest, self._time + gap / 2
    self._gaps.append(gap)
    self._latest, self._time = frame, self._time + gap
    self._repeat(previous, math.floor(middle * FRAME_RATE) + 1)

  def finish(self) -> None:
    """Repeats the last source frame for the median duration of a frame."""
    if self._latest is not None:
      self.end = self._time + self._gap()
      length = math.floor(self.end * FRAME_RATE + Fraction(1, 2))
      self._repeat(self._latest, max(length, 1))
      del self.frames[max(length, 1) :]

  @property
  def declared_end(self) -> Fraction:
    """End in seconds, with the last frame's declared duration if longer."""
    last = _duration(self._latest) if self._latest is not None else Fraction(0)
    return max(self.end, self._time + last)

  def _gap(self) -> Fraction:
    if self._gaps:
      return statistics.median(self._gaps)
    return _duration(self._latest) or Fraction(1, FRAME_RATE)

  def _repeat(self, frame, until: int) -> None:
    """Assigns a frame to every grid point before `until` that has none."""
    if until <= len(self.frames):
      return
    if until > MAX_FRAMES:
      raise RefusedFile(
        f'its video lasts {until / FRAME_RATE:.0f} s, and at most'
        f' {MAX_FRAMES // FRAME_RATE} s are decoded; cut it into clips'
      )
    image = self._rgb(frame)
    if until * image.nbytes > MAX_BYTES:
      height, width = image.shape[:2]
      raise RefusedFile(
        f'its video, {width} x {height}, needs more than'
        f' {MAX_BYTES / 2**30:.0f} GiB, the limit, which holds'
        f' {MAX_BYTES // image.nbytes / FRAME_RATE:.0f} s; cut it into'
        ' shorter clips or scale the video down'
      )
    self.frames += [image] * (until - len(self.frames))

  def _rgb(self, frame) -> np.ndarray:
    """Returns a frame as RGB, upright, in the size of the first frame."""
    if self._geometry is None:
      # The rotation tag of a phone's video: degrees anticlockwise to upright.
      turns = round(frame.rotation / 90) % 4
      self._geometry = frame.width, frame.height, turns
    width, height, turns = self._geometry
    image = self._reformatter.reformat(frame, width, height, 'rgb24')
    return np.ascontiguousarray(np.rot90(image.to_ndarray(), turns))


class AudioTrack:
  """Audio blocks with time stamps -> a waveform, which may have gaps.

  Attributes:
    rate: sample rate of the source; 0 before the first block.
    faults: number of blocks left out because of another sample rate.
  """

  def __init__(self):
    self.rate = 0
    self.faults = 0
    self._blocks: list[tuple[int, np.ndarray]] = []
    self._next = 0

  def add(self, frame, time: Fraction | None) -> None:
    """Adds the next block of samples."""
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
      raise RefusedFile(
        f'its audio lasts {self._next / self.rate:.0f} s, and at most'
        f' {MAX_FRAMES // FRAME_RATE} s are decoded; cut it into clips'
      )
    self._blocks.append((start, block))

  @property
  def end(self) -> Fraction:
    """End of the last block in seconds; 0 without blocks."""
    last = max((start + len(block) for start, block in self._blocks), default=0)
    return Fraction(last, self.rate or 1)

  def render(self, length: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns the waveform at 16 kHz, its coverage, and the non-finite samples.

    Args:
      length: video frames, at 25 per second.

    Returns:
      The waveform (640 length,) float64 in [-1, 1], zero where there is no
      audio; the coverage (640 length,) bool, whether there is audio; and the
      number of source samples that are not finite.
    """
    samples = length * SAMPLE_RATE // FRAME_RATE
    if not self._blocks:
      return np.zeros(samples), np.zeros(samples, bool), 0
    wave = np.zeros(-(-length * self.rate // FRAME_RATE))
    covered = np.zeros(len(wave), bool)
    for start, block in self._blocks:
      first, last = max(start, 0), min(start + len(block), len(wave))
      if first < last:
        wave[first:last] = block[first - start : last - start]
        covered[first:last] = True
    bad = ~np.isfinite(wave)
    covered &= ~bad
    wave = np.clip(np.where(bad, 0, wave), -1, 1)
    if self.rate != SAMPLE_RATE:
      import soxr

      wave = soxr.resample(wave, self.rate, SAMPLE_RATE, 'HQ')
      # The source sample at the centre of every new sample.
      middle = (2 * np.arange(samples) + 1) * self.rate // (2 * SAMPLE_RATE)
      covered = covered[np.minimum(middle, len(covered) - 1)]
    wave = np.pad(wave[:samples], (0, max(samples - len(wave), 0)))
    covered = covered[:samples]
    # The resampler rings into the gaps and beyond full scale.
    return np.clip(np.where(covered, wave, 0), -1, 1), covered, int(bad.sum())


def _mono(frame) -> np.ndarray:
  """Returns the mean of the channels; FFmpeg's downmix would add 3 dB."""
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
