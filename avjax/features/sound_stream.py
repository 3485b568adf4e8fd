"""Blocks of sound -> a waveform of 16 kHz, as they come (Section 3).

For recordings of any length: what is placed and resampled is not kept. JAX is
not imported: `decoding` runs without it.
"""

import collections
import statistics
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from avjax.features.audio_track import (
  LASTING,
  RECENT,
  ROUNDING,
  STEP,
  AudioTrack,
  silenced,
)
from avjax.features.timestamps import FRAME_RATE, MAX_STREAMED, SAMPLE_RATE

WHOLE_S = 60.0
"""Seconds of sound that are placed as a whole, as those of a clip are. So the
sound of a shorter recording is that of the clip, bit by bit."""

_BLOCK_S = 30  # seconds of sound without a source that are made at once

Sound = tuple[np.ndarray, np.ndarray]
"""(n,) waveform, float64, and whether the file has sound at each sample."""


class SoundStream(AudioTrack):
  """Sound that is given on as it comes.

  Later blocks follow where the first `whole` seconds end, until their time
  stamps part from that lastingly, as in a clip. A clock of the sound that runs
  at another speed than that of the stamps is followed in steps of `STEP`.

  Args:
    whole: seconds that are placed as a whole.
  """

  def __init__(self, whole: float = WHOLE_S):
    super().__init__()
    self._most = MAX_STREAMED
    self._whole = whole
    self._placed: list[list[int]] = []  # position and samples of every run
    self._flow: _Flow | None = None
    self._joined = 0  # samples of all blocks that are placed
    self._lag = 0  # of the blocks placed now, behind joined blocks
    self._recent: collections.deque = collections.deque(maxlen=RECENT)
    self._doubtful: list[tuple[int, np.ndarray]] = []
    self._following = 0

  @property
  def seconds(self) -> float:
    """Seconds of sound that came so far."""
    return self._samples / self.rate if self.rate else 0.0

  def settle(self, zero: Fraction, delay: int, last: bool = False) -> None:
    """Places and resamples what came so far.

    Args:
      zero: the time stamp of time zero, in seconds.
      delay: samples of the encoder's delay that the stamps do not account for.
      last: whether there are no more blocks.
    """
    if self._flow is None:
      if self.seconds > self._whole:
        self._begin(zero, delay)
      elif last:
        self.place(zero, delay)
      return
    starts, sizes = self._stamped(zero, delay, self._following)
    for start, size, block in zip(starts, sizes, self._blocks, strict=True):
      self._following = start + size
      self._next(start, block)
    self._blocks, self._times = [], []
    if last and self._doubtful:
      lag = self._doubtful[0][0]
      level = statistics.fmean(self._recent)
      self._release(abs(lag - level) > LASTING * self.rate)

  def _begin(self, zero: Fraction, delay: int) -> None:
    """Places the first blocks as a whole."""
    self._flow = _Flow(self.rate or SAMPLE_RATE)
    if not self._blocks:
      return
    self.place(zero, delay)
    starts, sizes = self._stamped(zero, delay)
    joined = np.cumsum(sizes) - sizes
    for start, a, b in self._runs:
      self._lag = start - int(joined[a])
      self._feed(start, np.concatenate(self._blocks[a:b]))
      self._recent.clear()
      self._recent += (np.array(starts[a:b]) - joined[a:b]).tolist()
    self._joined, self._following = sum(sizes), starts[-1] + sizes[-1]
    self._blocks, self._times, self._runs = [], [], []

  def _next(self, start: int, block: np.ndarray) -> None:
    """Places the next block, if it is clear where; see `audio_track.runs`."""
    waiting = sum(len(other) for _, other in self._doubtful)
    lag = start - self._joined - waiting
    level, step = statistics.fmean(self._recent), STEP * self.rate
    if abs(lag - level) <= step:
      self._release(False)
      self._recent.append(lag)
      middle = statistics.fmean(self._recent)
      if abs(middle - self._lag) > step:
        self._lag = round(middle)
      self._put(block)
      return
    if self._doubtful and (lag > level) != (self._doubtful[0][0] > level):
      self._release(False)
    self._doubtful.append((lag, block))
    if waiting + len(block) >= LASTING * self.rate:
      self._release(True)

  def _release(self, moved: bool) -> None:
    """Places the doubtful blocks.

    Args:
      moved: whether their stamps are right, and a run begins with them.
    """
    if moved:
      lags = np.array([lag for lag, _ in self._doubtful])
      self._lag = int(lags[0])
      if np.ptp(lags) > ROUNDING * self.rate:
        self._lag = round(lags.mean())
      self._recent.clear()
      self._recent += lags.tolist()
    for _, block in self._doubtful:
      self._put(block)
    self._doubtful = []

  def _put(self, block: np.ndarray) -> None:
    self._feed(self._joined + self._lag, block)
    self._joined += len(block)

  def _feed(self, start: int, samples: np.ndarray) -> None:
    """Gives on a run, or what continues it."""
    assert self._flow is not None
    if self._placed and start == sum(self._placed[-1]):
      self._placed[-1][1] += len(samples)
    else:
      self._placed.append([start, len(samples)])
    self._flow.add(start, samples)

  def _spans(self) -> list[tuple[int, int]]:
    """Returns position and samples of every run of joined blocks."""
    if self._flow is None:
      return super()._spans()
    return [(start, size) for start, size in self._placed]

  def take(self, frames: int) -> Sound:
    """Removes and returns sound that is ready: of at most so many frames."""
    if self._flow is None:
      return np.zeros(0), np.zeros(0, bool)
    return self._flow.take(frames * SAMPLE_RATE // FRAME_RATE)

  @property
  def ready(self) -> int:
    """Frames, at 25 per second, of which the sound is ready."""
    if self._flow is None:
      return 0
    return self._flow.ready * FRAME_RATE // SAMPLE_RATE

  @property
  def bad(self) -> int:
    """Source samples that are not finite, of those that are given on."""
    return self._flow.bad if self._flow is not None else 0

  def rest(self, length: int, zero: Fraction, delay: int) -> Iterator[Sound]:
    """Yields all further sound; see `AudioTrack.render`.

    Args:
      length: video frames of the part, at 25 per second.
      zero: see `settle`.
      delay: see `settle`.
    """
    if self._flow is None and length > 2 * self._whole * FRAME_RATE:
      self._begin(zero, delay)  # few seconds of sound in a long recording
    if self._flow is None:
      wave, covered, bad = self.render(length)
      self._placed = [list(span) for span in super()._spans()]
      self._blocks, self._times = [], []
      self._flow = _Flow(self.rate or SAMPLE_RATE)
      self._flow.bad = bad
      yield wave, covered
      return
    yield from self._flow.rest(length)


class _Flow:
  """Source samples in order of time -> samples at 16 kHz.

  Attributes:
    bad: source samples that are not finite.

  Args:
    rate: samples per second of the source.
  """

  def __init__(self, rate: int):
    self.bad = 0
    self._rate = rate
    self._resampler = None
    if rate != SAMPLE_RATE:
      import soxr

      self._resampler = soxr.ResampleStream(
        rate, SAMPLE_RATE, 1, 'float64', 'HQ'
      )
    self._fed = 0  # source samples so far
    self._covered = np.zeros(0, bool)  # of the newest source samples
    self._made = 0  # samples so far
    self._taken = 0
    self._waves: collections.deque = collections.deque()

  @property
  def ready(self) -> int:
    """Samples that can be taken."""
    return self._made - self._taken

  def add(self, start: int, samples: np.ndarray) -> None:
    """Adds source samples; those before the newest ones are left out.

    Args:
      start: position of the first one from time zero; before it is a gap.
      samples: (n,) float64.
    """
    samples = samples[max(self._fed - start, 0) :]
    if not len(samples):
      return
    self._fill(start)
    good = np.isfinite(samples)
    self.bad += int((~good).sum())
    self._make(np.clip(np.where(good, samples, 0), -1, 1), good)

  def _fill(self, until: int) -> None:
    """Adds silence that is not covered by sound, up to a source sample."""
    while self._fed < until:
      gap = min(until - self._fed, _BLOCK_S * self._rate)
      self._make(np.zeros(gap), np.zeros(gap, bool))

  def _make(self, wave: np.ndarray, covered: np.ndarray, last=False) -> None:
    """Resamples source samples."""
    self._fed += len(wave)
    if self._resampler is None:
      self._keep(wave, covered)
      return
    self._covered = np.concatenate([self._covered, covered])
    made = self._resampler.resample_chunk(wave, last)
    # The source sample at the centre of every new sample.
    new = self._made + np.arange(len(made))
    middle = (2 * new + 1) * self._rate // (2 * SAMPLE_RATE)
    before = self._fed - len(self._covered)
    index = np.clip(middle - before, 0, len(self._covered) - 1)
    self._keep(made, self._covered[index])
    following = (2 * self._made + 1) * self._rate // (2 * SAMPLE_RATE)
    self._covered = self._covered[max(following - before, 0) :]

  def _keep(self, wave: np.ndarray, covered: np.ndarray) -> None:
    if len(wave):
      self._waves.append((silenced(wave, covered), covered))
      self._made += len(wave)

  def take(self, samples: int) -> Sound:
    """Removes and returns at most so many samples."""
    taken: list[Sound] = []
    left = min(samples, self.ready)
    while left:
      wave, covered = self._waves.popleft()
      if len(wave) > left:
        self._waves.appendleft((wave[left:], covered[left:]))
        wave, covered = wave[:left], covered[:left]
      taken.append((wave, covered))
      left -= len(wave)
      self._taken += len(wave)
    if not taken:
      return np.zeros(0), np.zeros(0, bool)
    waves, covers = zip(*taken, strict=True)
    return np.concatenate(waves), np.concatenate(covers)

  def rest(self, length: int) -> Iterator[Sound]:
    """Yields the sound up to the end of so many frames."""
    samples = length * SAMPLE_RATE // FRAME_RATE
    until = -(-length * self._rate // FRAME_RATE)
    most = _BLOCK_S * SAMPLE_RATE
    while self._fed < until:
      self._fill(min(until, self._fed + _BLOCK_S * self._rate))
      while self.ready > most:
        yield self.take(most)
    if self._resampler is not None:
      # One sample, which the flush needs to know the type.
      self._make(np.zeros(0), np.zeros(0, bool), last=True)
    while self._taken < samples:
      sound = self.take(min(most, samples - self._taken))
      if not len(sound[0]):
        left = samples - self._taken
        self._taken = self._made = samples
        sound = np.zeros(left), np.zeros(left, bool)
      yield sound
