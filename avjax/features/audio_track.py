"""Source blocks of sound -> one waveform of 16 kHz, with its coverage.

JAX is not imported: `decoding` runs without it.
"""

import statistics
from fractions import Fraction

import numpy as np

from avjax.features.timestamps import (
  FRAME_RATE,
  MAX_FRAMES,
  SAMPLE_RATE,
  TAIL,
  check_seconds,
)

STEP = 0.015
"""Seconds. Blocks are joined end to end unless their time stamps part from that
by more, and lastingly. Recorders' stamps are off by up to 10 ms and Matroska's
are rounded to 1 ms; as gaps and overlaps such errors would be clicks. Less than
15 ms is a third of the lag of sound that viewers detect (45 ms, ITU-R
BT.1359)."""

LASTING = 0.25
"""Seconds for which time stamps must be off; a shorter error is one of
stamps."""

ROUNDING = 0.002
"""Seconds. Time stamps of Matroska, FLV and ASF are rounded to 1 ms."""

RECENT = 25
"""Blocks, half a second of usual ones, whose stamps tell where the next is."""

_SHARES = {
  'FL': 0.5, 'FR': 0.5, 'FC': 0.5**0.5, 'LFE': 0.0, 'LFE2': 0.0,
  'BL': 0.5**1.5, 'BR': 0.5**1.5, 'SL': 0.5**1.5, 'SR': 0.5**1.5,
  'BC': 0.5, 'FLC': 0.5, 'FRC': 0.5,
}  # fmt: skip
"""Channel -> its share of the mono mix: the mean of left and right after the
down-mix to stereo of ITU-R BS.775, without its low-frequency channel. A voice
in the centre has the level that it has in stereo, where it is 3 dB lower in
each of two channels."""


class AudioTrack:
  """Blocks of sound with time stamps -> a waveform, which may have gaps.

  Attributes:
    rate: sample rate of the source; 0 before the first block.
    first: the first time stamp; None before the first block.
    faults: number of blocks left out because of another sample rate.
  """

  def __init__(self):
    self.rate = 0
    self.first: Fraction | None = None
    self.faults = 0
    self._times: list[Fraction | None] = []
    self._blocks: list[np.ndarray] = []
    self._samples = 0
    self._runs: list[tuple[int, int, int]] = []
    self._most = MAX_FRAMES

  def add(self, frame, time: Fraction | None) -> None:
    """Adds the next block of samples; without a time it follows the last."""
    self.rate = self.rate or frame.sample_rate
    if frame.sample_rate != self.rate:
      self.faults += 1
      return
    if self.first is None:
      self.first = time if time is not None else Fraction(0)
      time = self.first
    block = _mono(frame)
    self._times.append(time)
    self._blocks.append(block)
    self._samples += len(block)
    check_seconds(Fraction(self._samples, self.rate), 'audio', self._most)

  def place(self, zero: Fraction, delay: int = 0) -> None:
    """Gives every block its position.

    Args:
      zero: the time stamp of time zero, in seconds.
      delay: samples of the encoder's delay that the stamps do not account for.
    """
    starts, sizes = self._stamped(zero, delay)
    self._runs = runs(np.array(starts), np.array(sizes), self.rate)

  def _stamped(
    self, zero: Fraction, delay: int, following: int = 0
  ) -> tuple[list[int], list[int]]:
    """Returns the position of every block by its stamp, and its samples.

    Args:
      zero: see `place`.
      delay: see `place`.
      following: position of a first block without a stamp.
    """
    starts, sizes = [], [len(block) for block in self._blocks]
    origin = float(zero)
    for time, size in zip(self._times, sizes, strict=True):
      if time is not None:
        following = round((float(time) - origin) * self.rate) - delay
      starts.append(following)
      following += size
    return starts, sizes

  @property
  def end(self) -> Fraction:
    """End of the last block in seconds from zero; 0 if none is placed."""
    if not (spans := self._spans()):
      return Fraction(0)
    last = max(start + size for start, size in spans)
    check_seconds(Fraction(last, self.rate), 'audio', self._most)
    return Fraction(last, self.rate)

  def notes(self, length: int) -> list[tuple[str, str]]:
    """Returns (kind, text) about gaps and overlaps.

    Args:
      length: video frames of the part, at 25 per second.
    """
    if not (spans := self._spans()):
      return []
    ends = np.maximum.accumulate([start + size for start, size in spans])
    steps = np.array([start for start, _ in spans[1:]]) - ends[:-1]
    found = []
    for kind, chosen in (('hole', steps > 0), ('overlap', steps < 0)):
      if count := int(chosen.sum()):
        seconds = np.abs(steps[chosen]).sum() / self.rate
        plural = 's' * (count > 1)
        text = f'{count} {kind}{plural} in the sound, {seconds:.2f} s'
        found.append((kind, text))
    late = Fraction(spans[0][0], self.rate)
    if late > TAIL:
      text = f'the sound begins {float(late):.2f} s after the picture'
      found.insert(0, ('hole', text))
    early = Fraction(length, FRAME_RATE) - Fraction(int(ends[-1]), self.rate)
    if early > TAIL:
      text = f'the sound ends {float(early):.2f} s before the picture'
      found.append(('hole', text))
    return found

  def _spans(self) -> list[tuple[int, int]]:
    """Returns position and samples of every run of joined blocks."""
    return [
      (start, sum(len(block) for block in self._blocks[a:b]))
      for start, a, b in self._runs
    ]

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
    for start, a, b in self._runs:
      run = np.concatenate(self._blocks[a:b])
      first, last = max(start, 0), min(start + len(run), len(wave))
      if first < last:
        wave[first:last] = run[first - start : last - start]
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
    return silenced(wave, covered), covered, int(bad.sum())


def silenced(wave: np.ndarray, covered: np.ndarray) -> np.ndarray:
  """Returns a waveform that is zero where the file has no sound.

  The resampler rings into the gaps and beyond full scale.
  """
  return np.clip(np.where(covered, wave, 0), -1, 1)


def runs(
  starts: np.ndarray, sizes: np.ndarray, rate: int
) -> list[tuple[int, int, int]]:
  """Returns (position, first block, end block) of every run of joined blocks.

  A run begins where its first block is stamped, or, if its stamps are off by
  more than rounding, at the mean of the positions that they give it.

  Args:
    starts: (blocks,) position of every block by its time stamp, in samples.
    sizes: (blocks,) samples.
    rate: samples per second.
  """
  if not len(starts):
    return []
  joined = np.cumsum(sizes) - sizes
  lags = starts - joined
  step = STEP * rate
  cuts = [0]
  if np.ptp(lags) > step:
    cuts = _cuts(lags, sizes, step, LASTING * rate)
  found = []
  for a, b in zip(cuts, [*cuts[1:], len(lags)], strict=True):
    lag = lags[a]
    if np.ptp(lags[a:b]) > ROUNDING * rate:
      middle = np.median(lags[a:b])
      lag = round(np.clip(lags[a:b], middle - step, middle + step).mean())
    found.append((int(joined[a] + lag), a, b))
  return found


def _cuts(
  lags: np.ndarray, sizes: np.ndarray, step: float, lasting: float
) -> list[int]:
  """Returns the blocks with which a run begins.

  Args:
    lags: (blocks,) by how many samples the stamps are behind joined blocks.
    sizes: (blocks,) samples.
    step: the smallest change of the lag that counts, in samples.
    lasting: samples for which it must last.
  """
  cuts, recent, k = [0], list(lags[:5]), 0
  while k < len(lags):
    level = statistics.fmean(recent)
    end = k
    above = lags[k] > level
    while end < len(lags) and abs(lags[end] - level) > step:
      if (lags[end] > level) != above or sizes[k:end].sum() >= lasting:
        break
      end += 1
    if end == k:
      recent = [*recent, lags[k]][-RECENT:]
      k += 1
    elif sizes[k:end].sum() >= lasting or (
      end == len(lags) and abs(lags[k] - level) > lasting
    ):
      if k:
        cuts.append(k)
      recent = list(lags[k:end])
      k = end
    else:
      k = end  # stamps that are off for a moment
  return cuts


def _mono(frame) -> np.ndarray:
  """Returns the mix of the channels, float64; see `_SHARES`."""
  data = frame.to_ndarray()
  if not frame.format.is_planar:
    data = data.reshape(frame.samples, -1).T
  values = data.astype(np.float64)
  if data.dtype == np.uint8:
    values = (values - 128) / 128
  elif data.dtype.kind == 'i':
    values /= 2.0 ** (8 * data.dtype.itemsize - 1)
  if len(values) > 2:
    names = [channel.name for channel in frame.layout.channels]
    if len(names) == len(values) and all(name in _SHARES for name in names):
      return np.array([_SHARES[name] for name in names]) @ values
  return values.mean(axis=0)
