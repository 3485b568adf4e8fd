"""The decoded frames of a file -> one time line, part after part.

A file of joined recordings, or one whose clock was set anew, has several parts.
Picture and sound of a part stay together, and the parts follow each other.
JAX is not imported: `decoding` runs without it.
"""

import contextlib
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from avjax.features.audio_track import AudioTrack
from avjax.features.canvas import Canvas
from avjax.features.timestamps import (
  FRAME_RATE,
  Clock,
  Latest,
  check_seconds,
  zeros,
)
from avjax.features.video_track import VideoTrack

Notes = list[tuple[str, str]]
Guard = Callable[[], contextlib.AbstractContextManager[None]]


class Part:
  """Pictures and sound between two jumps of the time stamps.

  Attributes:
    video: the pictures.
    audio: the sound.
    zero: time stamps of video and audio that count as time zero.
    begun: whether they are known, which is so when the first picture is placed.

  Args:
    canvas: of the pictures, shared by all parts.
    earlier: frames of the parts before this one.
    counted: whether the container counts frames instead of stamping them.
    sound_start: time stamp at which the audio begins, if it is known already.
  """

  def __init__(
    self,
    canvas: Canvas,
    earlier: int,
    counted: bool,
    sound_start: Fraction | None = None,
  ):
    self.zero = Fraction(0), Fraction(0)
    self.begun = False
    self.audio = AudioTrack()
    self.video = VideoTrack(canvas, earlier)
    self._counted = counted
    self._sound_start = sound_start

  def begin(
    self, first: Fraction | None, excess: Fraction = Fraction(0)
  ) -> Fraction:
    """Fixes time zero, and returns its time stamp in the video.

    Args:
      first: the first time stamp of the video; None without video.
      excess: by how much longer the first picture lasts than the others.
    """
    if self.begun:
      return self.zero[0]
    sound = self._sound_start
    if sound is None:
      sound = self.audio.first
    if first is not None and first == sound:
      first += excess
    self.begun = True
    self.zero = zeros(first, sound, self._counted)
    return self.zero[0]

  def add(self, kind: str, frame, time: Fraction | None) -> None:
    """Adds a picture or a block of sound; see `Parts.add`."""
    if kind == 'video':
      self.video.add(frame, time, self.begin)
    else:
      self.audio.add(frame, time)

  def finish(self, delay: int, guard: Guard) -> None:
    """Places all pictures and blocks of sound.

    Args:
      delay: of the sound's encoder, in samples, where no time stamp tells it.
      guard: what to convert each picture in.
    """
    while self.video.waiting:
      with guard():
        self.video.place(self.begin)
    if not self.begun:
      self.begin(None)
    self.audio.place(self.zero[1], delay)
    with guard():
      self.video.finish(self.audio.end)

  @property
  def length(self) -> int:
    """Frames at 25 per second; without pictures, those of the sound."""
    return self.video.count or -(-self.audio.end * FRAME_RATE // 1)


class Parts:
  """All parts of a file, to which frames are added as they are decoded.

  Args:
    aspect: width of a pixel over its height.
    counted: whether the container counts frames instead of stamping them.
    discontinuous: whether the container's clock may be set anew.
    sound_start: time stamp at which the audio begins, if it is known already.
  """

  def __init__(
    self,
    aspect: Fraction,
    counted: bool,
    discontinuous: bool,
    sound_start: Fraction | None,
  ):
    self._canvas, self._counted = Canvas(aspect), counted
    latest = Latest()
    self._clocks = {
      kind: Clock(kind, discontinuous, latest) for kind in ('video', 'audio')
    }
    self.all = [Part(self._canvas, 0, counted, sound_start)]

  def add(self, kind: str, frame, time: Fraction | None) -> None:
    """Adds a picture or a block of sound.

    Args:
      kind: 'video' or 'audio'.
      frame: in the order in which it is shown or heard.
      time: its time stamp in seconds, if it has one.
    """
    self._add(kind, self._clocks[kind].add(frame, time))

  def _add(self, kind: str, settled) -> None:
    for number, frame, time in settled:
      while number >= len(self.all):
        earlier = sum(len(part.video.frames) for part in self.all)
        self.all.append(Part(self._canvas, earlier, self._counted))
      self.all[number].add(kind, frame, time)

  def finish(self, delay: int, guard: Guard) -> None:
    """Ends every part.

    Args:
      delay: of the sound's encoder, in samples, where no time stamp tells it.
      guard: returns a context that catches the errors of a damaged picture.
    """
    for kind, clock in self._clocks.items():
      with guard():
        self._add(kind, clock.finish())
    for part in self.all:
      part.finish(delay, guard)
    if any(part.video.frames for part in self.all):
      self._hold_between()

  def _hold_between(self) -> None:
    """Shows a neighbour's picture in parts that have only sound."""
    pictures = [part.video.frames for part in self.all if part.video.frames]
    latest = pictures[0][0]
    for part in self.all:
      if not part.video.frames and part.length:
        part.video.frames += [latest] * part.length
      if part.video.frames:
        latest = part.video.frames[-1]

  @property
  def frames(self) -> list[np.ndarray]:
    """(height, width, 3) RGB of every frame; empty without pictures."""
    return [frame for part in self.all for frame in part.video.frames]

  def render(self) -> tuple[np.ndarray, np.ndarray, int, Notes]:
    """Returns waveform, coverage, the samples that are not finite, and notes.

    For the arrays see `AudioTrack.render`.
    """
    check_seconds(Fraction(self.length, FRAME_RATE), 'video')
    rendered = [part.audio.render(part.length) for part in self.all]
    waves, covered, bad = zip(*rendered, strict=True)
    wave, audible = np.concatenate(waves), np.concatenate(covered)
    return wave, audible, sum(bad), self.notes()

  @property
  def length(self) -> int:
    """Frames at 25 per second."""
    return sum(part.length for part in self.all)

  def notes(self) -> Notes:
    """Returns remarks on the time line, once all parts have ended."""
    notes: Notes = list(self._canvas.notes)
    if len(self.all) > 1:
      text = (
        f'its time stamps jump: {len(self.all)} parts follow each other here'
      )
      notes.append(('joined', text))
      streams = {(p.video.own_end > 0, p.audio.end > 0) for p in self.all}
      if len(streams) > 1:
        notes.append(('joined', 'a part has no picture or no sound'))
    for part in self.all:
      video, audio = part.video, part.audio
      if video.disordered:
        text = 'its pictures are stamped out of order; they follow each other'
        notes.append(('order', text))
      if video.dropped:
        text = f'{video.dropped} pictures with the time of another are left out'
        notes.append(('order', text))
      notes += video.notes + audio.notes(part.length)
      if audio.faults:
        text = f'{audio.faults} audio blocks have another sample rate'
        notes.append(('sound', text))
    return list(dict.fromkeys(notes))
