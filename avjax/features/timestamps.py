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

MAX_STREAMED = 24 * 3600 * FRAME_RATE
"""A day, for recordings that are decoded in pieces."""

MAX_PIXELS = 4096 * 2304
"""The largest frame: 4K, with a little room for padding."""

MAX_BYTES = 4 * 2**30
"""RGB of one clip: 3 minutes of 640 x 480, or 27 s of 1920 x 1080."""

MAX_PARTS = 32
"""Beyond so many parts, a time stamp that goes back counts as damaged."""

NEAR = Fraction(3, 2)
"""Seconds. Streams of one recording are interleaved more closely than that."""

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


class Latest:
  """The part that was begun last, by whichever stream.

  Attributes:
    part: its number.
    newest: kind of a stream -> its newest time stamp in this part.
  """

  def __init__(self):
    self.part = 0
    self.newest: dict[str, Fraction] = {}

  def near(self, kind: str, time: Fraction) -> bool:
    """Returns whether the other stream is in this part at about a time."""
    others = [v for k, v in self.newest.items() if k != kind]
    return any(abs(time - other) <= NEAR for other in others)


class Clock:
  """Divides the frames of one stream into parts, by their time stamps.

  In a file of joined recordings the time stamps begin again with each. A part
  is only begun if two frames in succession agree; a single stamp that is far
  off is damaged, and becomes None.

  Picture and sound of a recording are near each other in a file. So a stream
  that jumps goes to the part that the other one has begun, if that is there at
  the same time, and a gap that only one stream has begins no part.

  Attributes:
    part: number of the part of the newest frame.

  Args:
    kind: of the stream.
    discontinuous: whether the container's clock may be set anew; if not, a
      jump ahead is a gap.
    latest: shared by the streams of a file.
  """

  def __init__(self, kind: str, discontinuous: bool, latest: Latest):
    self.part = 0
    self._kind = kind
    self._discontinuous = discontinuous
    self._latest = latest
    self._newest: Fraction | None = None
    self._doubtful: tuple[Any, Fraction] | None = None

  def add(
    self, frame, time: Fraction | None
  ) -> list[tuple[int, Any, Fraction | None]]:
    """Returns (part, frame, time) for all frames that are settled now."""
    settled: list[tuple[int, Any, Fraction | None]] = []
    if self._doubtful is not None:
      settled.append(self._settle(time))
    if time is None:
      pass
    elif self._newest is None:
      self._first(time)
    elif self._jumps(self._newest, time):
      self._doubtful = frame, time
      return settled
    else:
      self._newest = max(self._newest, time)
    self._tell()
    return [*settled, (self.part, frame, time)]

  def _first(self, time: Fraction) -> None:
    """Chooses the part of the stream's first time stamp."""
    self._newest = time
    ahead = self._latest.newest.values()
    if self._discontinuous and ahead and max(ahead) - time > NEAR:
      # The other stream has not jumped yet to where this one begins.
      self._latest.part += 1
      self._latest.newest.clear()
    self.part = self._latest.part

  def _tell(self) -> None:
    """Tells the other stream how far this one is."""
    if self._newest is not None and self.part == self._latest.part:
      self._latest.newest[self._kind] = self._newest

  def _settle(self, time: Fraction | None) -> tuple[int, Any, Fraction | None]:
    """Returns (part, frame, time) of the doubtful frame.

    Args:
      time: of the frame after it.
    """
    assert self._doubtful is not None and self._newest is not None
    frame, stamp = self._doubtful
    self._doubtful = None
    if not self._confirms(stamp, time):
      return self.part, frame, None
    if not self._is_gap(stamp):
      follows = self._latest.part > self.part
      if not (follows and self._latest.near(self._kind, stamp)):
        if self._latest.part + 1 == MAX_PARTS:
          return self.part, frame, None
        self._latest.part += 1
        self._latest.newest.clear()
      self.part = self._latest.part
    self._newest = stamp
    self._tell()
    return self.part, frame, stamp

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
    if stamp < self._newest:
      return False
    alone = self.part == self._latest.part and self._latest.near(
      self._kind, stamp
    )
    return alone or not self._discontinuous

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


def check_seconds(
  seconds: Fraction | float, kind: str, most: int = MAX_FRAMES
) -> None:
  """Raises RefusedFile if a stream is too long.

  Args:
    seconds: that the stream lasts.
    kind: 'video' or 'audio'.
    most: frames, at 25 per second.
  """
  if seconds * FRAME_RATE > most:
    raise RefusedFile(
      f'its {kind} lasts {math.ceil(seconds)} s, and at most'
      f' {most // FRAME_RATE} s are decoded; cut it into clips'
    )
