"""One time line for the streams of a file: limits, order and parts.

Time is that of the container: presentation time stamp times time base. Frame
numbers and nominal frame rates are ignored, so a variable frame rate needs no
special case. Ours; the paper's clips already had 25 frames per second
(Section 3). JAX is not imported: `decoding` runs without it.
"""

import math
from fractions import Fraction
from typing import Any

FRAME_RATE = 25
SAMPLE_RATE = 16000  # both as in avjax.clips, which imports JAX

MAX_FRAMES = 15_000
"""Ten minutes. A clip of one emotion lasts seconds; a film is a mistake."""

MAX_PIXELS = 4096 * 2304
"""The largest frame: 4K, with a little room for padding."""

MAX_BYTES = 4 * 2**30
"""RGB of one clip: 3 minutes of 640 x 480, or 27 s of 1920 x 1080."""

MAX_PARTS = 32
"""Beyond so many parts, a time stamp that goes back counts as damaged."""

BACK = Fraction(1, 2)
"""Seconds. Time stamps that go back by more begin a new part. Pictures that are
stamped in the order of decoding go back by at most 16 frames, usually by 3."""

FORWARD = 10
"""Seconds. A jump ahead by more begins a new part where a container's clock may
be set anew (MPEG-TS and -PS); FFmpeg has the same bound."""

LEAD = Fraction(1, 10)
"""Seconds. Sound that begins so shortly before the picture is an encoder's
priming, which MPEG-TS, FLV and others keep: at most 2112 samples of AAC."""

TAIL = Fraction(1, 10)
"""Seconds. A shorter difference between the ends of sound and picture is the
rest of a codec's last block."""


class RefusedFile(Exception):
  """Names why a readable file is not decoded: too long, too large or empty."""


class Clock:
  """Divides the frames of one stream into parts, by their time stamps.

  In a file of joined recordings the time stamps begin again with each. A part
  is only begun if two frames in succession agree; a single stamp that is far
  off is damaged, and becomes None.

  Args:
    discontinuous: whether the container's clock may be set anew; if not, a
      jump ahead is a gap.
  """

  def __init__(self, discontinuous: bool):
    self._discontinuous = discontinuous
    self._part = 0
    self._newest: Fraction | None = None
    self._doubtful: tuple[Any, Fraction] | None = None

  def add(
    self, frame, time: Fraction | None
  ) -> list[tuple[int, Any, Fraction | None]]:
    """Returns (part, frame, time) for all frames that are settled now."""
    settled: list[tuple[int, Any, Fraction | None]] = []
    if self._doubtful is not None:
      settled.append(self._settle(time))
    if time is None or self._newest is None:
      self._newest = time if time is not None else self._newest
    elif self._jumps(self._newest, time):
      self._doubtful = frame, time
      return settled
    elif time > self._newest:
      self._newest = time
    return [*settled, (self._part, frame, time)]

  def _settle(self, time: Fraction | None) -> tuple[int, Any, Fraction | None]:
    """Returns (part, frame, time) of the doubtful frame.

    Args:
      time: of the frame after it.
    """
    assert self._doubtful is not None and self._newest is not None
    frame, stamp = self._doubtful
    self._doubtful = None
    if not self._confirms(stamp, time):
      return self._part, frame, None
    if not self._is_gap(stamp):
      if self._part + 1 == MAX_PARTS:
        return self._part, frame, None
      self._part += 1
    self._newest = stamp
    return self._part, frame, stamp

  def finish(self) -> list[tuple[int, Any, Fraction | None]]:
    """Returns the frame that is not settled yet, if any."""
    return [] if self._doubtful is None else [self._settle(None)]

  def _confirms(self, stamp: Fraction, time: Fraction | None) -> bool:
    """Returns whether a time follows a doubtful stamp, not the one before."""
    assert self._newest is not None
    if self._is_gap(stamp):
      return time is None or time >= stamp
    if time is None or self._jumps(stamp, time):
      return False
    if time <= self._newest or self._jumps(self._newest, time):
      return True
    return abs(time - stamp) < time - self._newest

  def _is_gap(self, stamp: Fraction) -> bool:
    """Returns whether a doubtful stamp is later, and no new part begins so."""
    assert self._newest is not None
    return stamp > self._newest and not self._discontinuous

  def _jumps(self, before: Fraction, now: Fraction) -> bool:
    if now >= before:
      return now - before > FORWARD
    return before - now > BACK


def zeros(
  video: Fraction | None, audio: Fraction | None, counted: bool
) -> tuple[Fraction, Fraction]:
  """Returns the time stamps of video and audio that count as time zero.

  Zero is the earlier of the two first stamps, as for FFmpeg, so that any common
  offset is removed; but see `LEAD`.

  Args:
    video: the first time stamp in seconds, or None without video.
    audio: likewise.
    counted: whether the container counts frames instead of stamping them (AVI):
      there a difference of less than two frames is rounding.
  """
  if video is None or audio is None:
    only = video if audio is None else audio
    return only or Fraction(0), only or Fraction(0)
  if counted and abs(video - audio) < Fraction(2, FRAME_RATE):
    return video, audio
  zero = video if video - audio <= LEAD else audio
  return min(zero, video), min(zero, video)


def check_seconds(seconds: Fraction | float, kind: str) -> None:
  """Raises RefusedFile if a stream is too long.

  Args:
    seconds: that the stream lasts.
    kind: 'video' or 'audio'.
  """
  if seconds * FRAME_RATE > MAX_FRAMES:
    raise RefusedFile(
      f'its {kind} lasts {math.ceil(seconds)} s, and at most'
      f' {MAX_FRAMES // FRAME_RATE} s are decoded; cut it into clips'
    )
