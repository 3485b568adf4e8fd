"""Source pictures -> upright RGB frames of square pixels, 25 per second.

JAX is not imported: `decoding` runs without it.
"""

import bisect
import collections
import itertools
import math
import statistics
import struct
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from avjax.features.timestamps import (
  FRAME_RATE,
  LEAD,
  MAX_BYTES,
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

_ROUNDING = Fraction(1, 500)  # seconds; Matroska and FLV round to 1 ms
_STRETCH = 4  # largest ratio of a pixel's sides
_SMALLEST_STRETCH = 0.01  # a smaller one is rounding, not worth interpolating
_HDR = {16: 'PQ', 18: 'HLG'}  # transfer functions of ITU-T H.273


class VideoTrack:
  """Source pictures with time stamps -> the nearest one at every 1/25 s.

  Pictures are added in the order in which they are shown. If their time stamps
  are not in that order, they get the same stamps in ascending order.

  Attributes:
    frames: (height, width, 3) RGB for each grid point k / 25 s so far.
    dropped: pictures that were left out, because a neighbour has their stamp.
    disordered: whether time stamps were not in order.
    notes: (kind, text) about how the pictures are shown.

  Args:
    begin: called with the first time stamp and `_excess`; returns the time
      stamp of time zero.
    aspect: width of a pixel over its height.
    earlier: frames of the parts before this one.
  """

  def __init__(
    self,
    begin: Callable[[Fraction, Fraction], Fraction],
    aspect: Fraction = Fraction(1),
    earlier: int = 0,
  ):
    from av.video.reformatter import VideoReformatter

    self.frames: list[np.ndarray] = []
    self.dropped = 0
    self.disordered = False
    self.notes: list[tuple[str, str]] = []
    self._begin = begin
    self._aspect = aspect
    self._earlier = earlier
    self._waiting: collections.deque = collections.deque()
    self._stamps: list[Fraction] = []
    self._newest = Fraction(0)
    self._zero: Fraction | None = None
    self._lookahead = LOOKAHEAD
    self._reformatter = VideoReformatter()
    self._latest = None
    self._time = Fraction(0)
    self._gaps: list[Fraction] = []
    self._look: tuple[int, int, tuple[bool, bool, bool]] | None = None

  def add(self, frame, time: Fraction | None) -> None:
    """Adds the next source picture; without a time it follows the last."""
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
        self.place()

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
    usual = self._time + self._gap()
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
    length = max(math.floor(end * FRAME_RATE + Fraction(1, 2)), 1)
    self._repeat(self._latest, length)
    del self.frames[length:]

  @property
  def own_end(self) -> Fraction:
    """End of the last picture by its own duration, in seconds from zero."""
    if self._latest is None:
      return Fraction(0)
    return self._time + max(self._gap(), _duration(self._latest))

  def _gap(self) -> Fraction:
    if self._gaps:
      return statistics.median(self._gaps)
    if self._latest is None and not self._waiting:
      return Fraction(1, FRAME_RATE)
    return _duration(self._latest or self._waiting[0]) or Fraction(
      1, FRAME_RATE
    )

  def place(self) -> None:
    """Gives the first waiting picture the earliest time stamp."""
    frame, time = self._waiting.popleft(), self._stamps.pop(0)
    if self._zero is None:
      self._zero = self._begin(time, _excess([time, *self._stamps]))
    time -= self._zero
    if self._latest is None:
      self._latest, self._time = frame, time
      return
    gap = time - self._time
    if gap <= 0:
      self.dropped += 1
      return
    previous, middle = self._latest, self._time + gap / 2
    self._gaps.append(gap)
    self._latest, self._time = frame, time
    self._repeat(previous, math.floor(middle * FRAME_RATE) + 1)

  def _repeat(self, frame, until: int) -> None:
    """Assigns a picture to every grid point before `until` that has none."""
    if until <= len(self.frames):
      return
    total = self._earlier + until
    check_seconds(Fraction(total, FRAME_RATE), 'video')
    image = self._rgb(frame)
    if total * image.nbytes > MAX_BYTES:
      height, width = image.shape[:2]
      raise RefusedFile(
        f'its video, {width} x {height}, needs more than'
        f' {MAX_BYTES / 2**30:.0f} GiB, the limit, which holds'
        f' {MAX_BYTES // image.nbytes / FRAME_RATE:.0f} s; cut it into'
        ' shorter clips or scale the video down'
      )
    self.frames += [image] * (until - len(self.frames))

  def _rgb(self, frame) -> np.ndarray:
    """Returns a picture as RGB, as the first one is to be shown."""
    if self._look is None:
      width, height = self._square(frame.width, frame.height)
      self._look = width, height, _turn(frame)
      if trc := _HDR.get(getattr(frame, 'color_trc', None) or 0):
        text = f'HDR video ({trc}), read as standard range: it looks pale'
        self.notes.append(('hdr', text))
    width, height, turn = self._look
    image = self._reformatter.reformat(frame, width, height, 'rgb24')
    return oriented(image.to_ndarray(), turn)

  def _square(self, width: int, height: int) -> tuple[int, int]:
    """Returns the size of a picture with square pixels; no side shrinks."""
    aspect = self._aspect
    if abs(aspect - 1) < _SMALLEST_STRETCH:
      return width, height
    if not Fraction(1, _STRETCH) <= aspect <= _STRETCH:
      text = f'pixels of {aspect} are taken for square ones'
      self.notes.append(('picture', text))
      return width, height
    if aspect > 1:
      return round(width * aspect), height
    return width, round(height / aspect)


def oriented(image: np.ndarray, turn: tuple[bool, bool, bool]) -> np.ndarray:
  """Returns an image turned and mirrored.

  Args:
    image: (height, width, channels).
    turn: whether to exchange the axes, then to mirror left and right, and to
      mirror top and bottom.
  """
  transpose, left_right, top_bottom = turn
  if transpose:
    image = image.transpose(1, 0, 2)
  if left_right:
    image = image[:, ::-1]
  if top_bottom:
    image = image[::-1]
  return np.ascontiguousarray(image)


def _turn(frame) -> tuple[bool, bool, bool]:
  """Returns how to show a picture, from its display matrix; see `oriented`.

  The matrix maps a point (x, y) to (a x + c y, b x + d y); the nearest of the
  eight turns by quarters with or without a mirror is taken.
  """
  for data in frame.side_data:
    if data.type.name == 'DISPLAYMATRIX':
      a, b, _, c, d = struct.unpack_from('=5i', bytes(data))
      if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
      return True, c < 0, b < 0
  return False, False, False


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
