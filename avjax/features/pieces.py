"""A media file -> pieces of frames and sound in time order, as it is decoded.

For recordings of any length: only a few seconds are kept. The time line is
that of `decoding`. JAX is not imported.
"""

import os
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from avjax.features.open_media import (
  Frames,
  check_density,
  collected,
  lacking,
  nothing,
  opened,
)
from avjax.features.parts import Guard, Part, Parts
from avjax.features.sound_stream import WHOLE_S, Sound, SoundStream
from avjax.features.timestamps import FRAME_RATE
from avjax.features.video_track import VideoTrack

PIECE = 50
"""The most frames of a piece: two seconds."""

PIECE_BYTES = 48 * 2**20
"""Of the pictures of a piece: 50 of 640 x 480."""

_PAUSE_S = 5.0  # seconds without a piece; then one without content is given
_APART = 60 * FRAME_RATE  # frames by which no stream lags behind the other


class StreamedPart(Part):
  """A part of which frames and sound are taken before it ends.

  Args:
    canvas: of the pictures, shared by all parts.
    counted: whether the container counts frames instead of stamping them.
    sound_start: time stamp at which the audio begins, if it is known already.
    every: every how many frames are wanted.
    delay: of the sound's encoder, in samples, where no time stamp tells it.
  """

  def __init__(self, canvas, counted, sound_start, every: int, delay: int):
    super().__init__(canvas, 0, counted, sound_start)
    self.audio: SoundStream = SoundStream()
    self.video = VideoTrack(canvas, 0, every)
    self.ended = False
    self._delay = delay
    self._sounding = 0  # frames whose sound was taken

  def add(self, kind: str, frame, time: Fraction | None) -> None:
    super().add(kind, frame, time)
    pictures = self.video.count or self.video.waiting
    if not (self.begun or pictures) and self.audio.seconds > WHOLE_S:
      self.begin(None)  # a picture that comes so late does not move time zero
    if self.begun and kind == 'audio':
      self.audio.settle(self.zero[1], self._delay)

  def finish(self, delay: int, guard: Guard) -> None:
    """Places all pictures and blocks of sound; see `Part.finish`."""
    while self.video.waiting:
      with guard():
        self.video.place(self.begin)
    if not self.begun:
      self.begin(None)
    self.audio.settle(self.zero[1], delay, last=True)
    with guard():
      self.video.finish(self.audio.end)
    self.ended = True

  def take(self) -> Iterator[tuple[list, Sound]]:
    """Yields frames and sound that are settled."""
    if self.ended:
      frames = self.video.take(0) or [None] * (self.length - self.video.count)
      yield frames, _nothing()
      for sound in self.audio.rest(self.length, self.zero[1], self._delay):
        yield [], sound
      return
    frames = self.video.take()
    reach = self.audio.ready
    if self.video.count or self.video.waiting:
      settled = self.video.count - len(self.video.frames)
      reach = min(reach, settled - self._sounding)
    self._sounding += reach
    yield frames, self.audio.take(reach)


class StreamedParts(Parts):
  """All parts of a file, of which frames and sound are taken as they come.

  Args:
    aspect, counted, discontinuous, sound_start: see `Parts`.
    kinds: of the streams of the file.
    every: every how many frames are wanted.
    delay: of the sound's encoder, in samples, where no time stamp tells it.
    guard: returns a context that catches the errors of a damaged picture.
  """

  def __init__(
    self,
    aspect: Fraction,
    counted: bool,
    discontinuous: bool,
    sound_start: Fraction | None,
    kinds: list[str],
    every: int,
    delay: int,
    guard: Guard,
  ):
    super().__init__(aspect, counted, discontinuous, sound_start)
    self._making = every, delay
    self._guard, self._kinds = guard, kinds
    self._first = 0  # the part that is given now
    self.late = 0
    self.all: list[StreamedPart] = [self._made(sound_start)]  # type: ignore[assignment]

  def _made(self, sound_start: Fraction | None = None) -> StreamedPart:
    return StreamedPart(self._canvas, self._counted, sound_start, *self._making)

  def _add(self, kind: str, settled) -> None:
    for number, frame, stamp in settled:
      while number >= len(self.all):
        self.all.append(self._made())
      if self.all[number].ended:
        self.late += 1
      else:
        self.all[number].add(kind, frame, stamp)

  @property
  def ready(self) -> int:
    """Number of frames that wait to be taken."""
    return len(self.all[self._first].video.frames)

  def take(self, last: bool = False) -> Iterator[tuple[list, Sound]]:
    """Yields what is settled, in time order.

    Args:
      last: whether nothing follows.
    """
    if last:
      for kind, clock in self._clocks.items():
        with self._guard():
          self._add(kind, clock.finish())
    while True:
      part = self.all[self._first]
      if not part.ended and (last or self._left(self._first)):
        part.finish(self._making[1], self._guard)
      yield from part.take()
      if not part.ended or self._first + 1 == len(self.all):
        return
      self._first += 1

  def _left(self, number: int) -> bool:
    """Returns whether nothing of a part follows."""
    later = self.all[number + 1 :]
    return bool(later) and (
      all(self._clocks[kind].part > number for kind in self._kinds)
      or max(part.video.count for part in later) > _APART
      or max(part.audio.seconds for part in later) * FRAME_RATE > _APART
    )


def pieces(
  path: str, every: int
) -> Iterator[tuple[dict[str, Any], list[np.ndarray]]]:
  """Yields headers and arrays: wanted frames, waveform and coverage.

  A header has 'count', the frames of the piece; 'shown', the numbers of those
  whose pictures follow, within the piece; 'shape' of a picture; 'samples' of
  the sound, which is that of the same frames in total, but may be early or late
  by some; and 'last'. The last piece has no frames and the key 'notes'.

  Args:
    path: absolute; see `decoding.decode`.
    every: every how many frames of a part are wanted.

  Raises:
    RefusedFile: nothing can be decoded, or the file is too long or too large.
  """
  faults: list[str] = []
  size, total, sounding, seen = os.path.getsize(path), 0, 0, False
  with opened(path) as source:
    parts = StreamedParts(
      *source.time_line,
      [kind for kind in ('video', 'audio') if getattr(source, kind)],
      every,
      source.delay,
      lambda: collected(faults),
    )
    frames = Frames(source, faults)
    for taken, sound in _taken(frames, parts, faults):
      total += len(taken)
      seen = seen or any(frame is not None for frame in taken)
      sounding += int(sound[1].sum())
      if seen:
        check_density(size, total)
      yield from _cut(taken, sound)
    if not total:
      raise nothing(faults)
    notes = source.notes + source.ending(parts, frames.reach)
  bad = sum(part.audio.bad for part in parts.all)
  notes = parts.notes() + notes + lacking(seen, sounding > 0, faults, bad)
  if parts.late:
    notes.append(('order', f'{parts.late} blocks come too late in the file'))
  yield _header(0, [], None, 0, last=True) | {'notes': notes}, []


def _taken(
  frames, parts: StreamedParts, faults
) -> Iterator[tuple[list, Sound]]:
  """Yields what is settled, some seconds at a time."""
  latest = time.monotonic()
  for kind, frame, stamp in frames:
    with collected(faults):
      parts.add(kind, frame, stamp)
    if parts.ready > PIECE or time.monotonic() > latest + _PAUSE_S:
      yield from parts.take()
      latest = time.monotonic()
  yield from parts.take(last=True)


def _cut(frames: list, sound: Sound) -> Iterator[tuple[dict, list]]:
  """Yields headers and arrays of pieces that are not too large."""
  wave, covered = sound
  bytes_each = max((f.nbytes for f in frames if f is not None), default=1)
  most = max(min(PIECE, PIECE_BYTES // bytes_each), 1)
  for first in range(0, max(len(frames), 1), most):
    some = frames[first : first + most]
    shown = [k for k, frame in enumerate(some) if frame is not None]
    images = [some[k] for k in shown]
    shape = images[0].shape if images else None
    header = _header(len(some), shown, shape, len(wave))
    yield header, [*images, wave, covered]
    wave, covered = _nothing()


def _header(count, shown, shape, samples, last=False) -> dict[str, Any]:
  return {
    'count': count,
    'shown': shown,
    'images': len(shown),
    'shape': shape,
    'samples': samples,
    'last': last,
  }


def _nothing() -> Sound:
  return np.zeros(0), np.zeros(0, bool)
