"""Source pictures -> upright RGB frames of square pixels, 25 per second.

JAX is not imported: `decoding` runs without it.
"""

import bisect
import collections
import itertools
import math
from collections.abc import Callable
from fractions import Fraction

from avjax.features.canvas import Canvas
from avjax.features.timestamps import (
  FRAME_RATE,
  LEAD,
  MAX_BYTES,
  MAX_STREAMED,
  TAIL,
  RefusedFile,
  check_seconds,
)

LOOKAHEAD = 16
"""Pictures whose time stamps are put in order: the most that H.264 reorders."""

_IN_ORDER = 4
"""Lookahead once so many came in order; fewer pictures stay in the cache."""

HOLD = 30
"""Seconds for which the last picture is held at most. Beyond that there is
nothing to align the sound with."""

STILL = Fraction(1, 2)
"""Seconds. A picture that lasts longer, and twice as long as others do, stays
until the next one; otherwise the nearest is taken."""

SETTLING = 2
"""Newest frames that the end of the file may take back. The last picture gets
at most one grid point more than its end allows."""

_ROUNDING = Fraction(1, 500)  # seconds; Matroska and FLV round to 1 ms


Begin = Callable[[Fraction, Fraction], Fraction]


class VideoTrack:
  """Source pictures with time stamps -> the nearest one at every 1/25 s.

  Pictures are added in the order in which they are shown. If their time stamps
  are not in that order, they get the same stamps in ascending order.

  Attributes:
    frames: (height, width, 3) RGB for each grid point k / 25 s so far that is
      not taken yet; None for those that are not wanted.
    count: of grid points so far, with those that are taken.
    dropped: pictures that were left out, because a neighbour has their stamp.
    disordered: whether time stamps were not in order.
    notes: (kind, text) about how the pictures are shown.

  Args:
    canvas: shared by all parts of the file.
    earlier: frames of the parts before this one.
    every: where frames are taken as they come, every how many of them are
      wanted; None where they are all kept, within the limits of a clip.
  """

  def __init__(
    self,
    canvas: Canvas,
    earlier: int = 0,
    every: int | None = None,
  ):
    self.frames: list = []
    self.count = 0
    self.dropped = 0
    self.disordered = False
    self.notes: list[tuple[str, str]] = []
    self._canvas = canvas
    self._earlier = earlier
    self._every = every
    self._waiting: collections.deque = collections.deque()
    self._stamps: list[Fraction] = []
    self._newest = Fraction(0)
    self._zero: Fraction | None = None
    self._lookahead = LOOKAHEAD
    self._latest = None
    self._time = Fraction(0)
    self._gaps: collections.Counter[Fraction] = collections.Counter()
    self._longest = Fraction(0)

  def add(self, frame, time: Fraction | None, begin: Begin) -> None:
    """Adds the next source picture; without a time it follows the last.

    Args:
      frame: the picture.
      time: its time stamp in seconds, if it has one.
      begin: see `place`.
    """
    if self._latest is None and not self._waiting:
      self._newest = time or Fraction(0)
    if time is None:
      time = self._newest + (self._gap() if self._waiting else 0)
    self._waiting.append(frame)
    if time < self._newest:
      self.disordered = True
      bisect.insort(self._stamps, time)
    else:
      self._newest = time
      self._stamps.append(time)
    if len(self._waiting) > self._lookahead:
      if not self.disordered:
        self._lookahead = _IN_ORDER
      while len(self._waiting) > self._lookahead:
        self.place(begin)

  @property
  def waiting(self) -> bool:
    """Whether pictures wait for later time stamps."""
    return bool(self._waiting)

  def finish(self, sound_end: Fraction) -> None:
    """Repeats the last picture for its duration, and while there is sound.

    Args:
      sound_end: of the audio in this part, in seconds from time zero.
    """
    if self._latest is None:
      return
    end = self.own_end
    usual = self._time + min(self._gap(), STILL)
    if sound_end - end > TAIL:
      end = sound_end
    if end - usual > HOLD:
      lost = float(end - usual - HOLD)
      self.notes.append(
        ('held', f'{lost:.1f} s after the last picture are left out')
      )
      end = usual + HOLD
    if end - usual > TAIL:
      held = float(end - usual)
      self.notes.append(('held', f'the last picture is held for {held:.1f} s'))
    if self._longest:
      text = f'a picture stands still for {float(self._longest):.1f} s'
      self.notes.append(('held', text))
    length = max(math.floor(end * FRAME_RATE + Fraction(1, 2)), 1)
    self._repeat(self._latest, length)
    del self.frames[max(length - self.count + len(self.frames), 0) :]
    self.count = length

  def take(self, left: int = SETTLING) -> list:
    """Removes and returns all frames but the last `left`."""
    settled = max(len(self.frames) - left, 0)
    taken, self.frames = self.frames[:settled], self.frames[settled:]
    return taken

  @property
  def own_end(self) -> Fraction:
    """End of the last picture by its own duration, in seconds from zero."""
    if self._latest is None:
      return Fraction(0)
    return self._time + max(min(self._gap(), STILL), _duration(self._latest))

  def _gap(self) -> Fraction:
    if self._gaps:
      return _median(self._gaps)
    if self._latest is None and not self._waiting:
      return Fraction(1, FRAME_RATE)
    return _duration(self._latest or self._waiting[0]) or Fraction(
      1, FRAME_RATE
    )

  def place(self, begin: Begin) -> None:
    """Gives the first waiting picture the earliest time stamp.

    Args:
      begin: called once, with the first time stamp and by how much longer the
        first picture lasts than the others; returns the stamp of time zero.
    """
    frame, time = self._waiting.popleft(), self._stamps.pop(0)
    if self._zero is None:
      self._zero = begin(time, _excess([time, *self._stamps]))
    time -= self._zero
    if self._latest is None:
      self._latest, self._time = frame, time
      return
    gap = time - self._time
    if gap <= 0:
      self.dropped += 1
      return
    previous, middle = self._latest, self._time + gap / 2
    # The usual gap is a median of all: too slow to be asked for every picture.
    if gap > STILL and gap > 2 * self._gap():
      middle = time - self._gap() / 2
      self._longest = max(self._longest, gap)
    self._gaps[gap] += 1
    self._latest, self._time = frame, time
    self._repeat(previous, math.floor(middle * FRAME_RATE) + 1)

  def _repeat(self, frame, until: int) -> None:
    """Assigns a picture to every grid point before `until` that has none."""
    if until <= self.count:
      return
    if self._every is not None:
      self._repeat_wanted(frame, until, self._every)
      return
    total = self._earlier + until
    check_seconds(Fraction(total, FRAME_RATE), 'video')
    image = self._canvas.rgb(frame)
    if total * image.nbytes > MAX_BYTES:
      height, width = image.shape[:2]
      raise RefusedFile(
        f'its video, {width} x {height}, needs more than'
        f' {MAX_BYTES / 2**30:.0f} GiB, the limit, which holds'
        f' {MAX_BYTES // image.nbytes / FRAME_RATE:.0f} s; cut it into'
        ' shorter clips or scale the video down'
      )
    self.frames += [image] * (until - self.count)
    self.count = until

  def _repeat_wanted(self, frame, until: int, every: int) -> None:
    """Assigns a picture to those grid points that are wanted."""
    check_seconds(Fraction(until, FRAME_RATE), 'video', MAX_STREAMED)
    self._canvas.see(frame)
    image = None
    if -(-self.count // every) * every < until:
      image = self._canvas.rgb(frame)
    points = range(self.count, until)
    self.frames += [None if k % every else image for k in points]
    self.count = until


def _median(counts: collections.Counter[Fraction]) -> Fraction:
  """Returns the median of values that are counted."""
  middle: list[Fraction] = []
  total, below = counts.total(), 0
  for value in sorted(counts):
    below += counts[value]
    while len(middle) < 2 and below > (total - 1 + len(middle)) // 2:
      middle.append(value)
  return sum(middle, Fraction(0)) / 2


def _excess(stamps: list[Fraction]) -> Fraction:
  """Returns by how much longer the first picture lasts than the others.

  0 unless these last equally long, and it is little. Muxers that cannot stamp
  the sound's priming begin with such a picture.

  Args:
    stamps: the first ones, in ascending order.
  """
  gaps = [b - a for a, b in itertools.pairwise(stamps)]
  if len(gaps) < LOOKAHEAD // 2 or max(gaps[1:]) - min(gaps[1:]) > _ROUNDING:
    return Fraction(0)
  excess = gaps[0] - gaps[1]
  return excess if _ROUNDING < excess <= LEAD else Fraction(0)


def _duration(frame) -> Fraction:
  return (frame.duration or 0) * (frame.time_base or Fraction(0))
