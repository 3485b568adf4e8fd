"""An open media file: what its container tells, and its decoded frames.

For whole clips (`decoding`) and for pieces (`pieces`). JAX is not imported.
"""

import collections
import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from avjax.features import file_formats
from avjax.features.parts import Notes, Parts
from avjax.features.timestamps import MAX_PIXELS, RefusedFile

_LEAST_BYTES = 10
"""Bytes of a file for each frame after the first ten seconds. A black video of
96 x 64 has 20; with fewer, time stamps stretch a few pictures."""


class Source(NamedTuple):
  """An open file, and what its container tells of its time line.

  Attributes:
    path: of the file.
    container: PyAV's.
    video, audio: the streams to decode, or None.
    delay: of the sound's encoder, in samples, where no time stamp tells it.
    time_line: the arguments of `Parts`.
    notes: so far.
  """

  path: str
  container: Any
  video: Any
  audio: Any
  delay: int
  time_line: tuple[Fraction, bool, bool, Fraction | None]
  notes: Notes

  def ending(self, parts: Parts, reach: int) -> Notes:
    """Returns notes on a file that ends before it should.

    Args:
      parts: that were decoded.
      reach: see `Frames`.
    """
    notes = file_formats.unread(self.container, reach, self.path)
    partial = []
    if len(parts.all) == 1 and parts.length:
      part = parts.all[0]
      ends = [
        (self.video, part.video.own_end, part.zero[0]),
        (self.audio, part.audio.end, part.zero[1]),
      ]
      partial = file_formats.partial(self.container, ends)
    return notes + (partial or file_formats.cut(self.path))


@contextlib.contextmanager
def opened(path: str) -> Iterator[Source]:
  """Opens a file, chooses the streams to decode and sets their limits.

  Args:
    path: absolute; in another, FFmpeg takes the text before a colon for a
      protocol.

  Raises:
    RefusedFile: there is no stream, or the video is too large.
  """
  with file_formats.opened(path) as (container, notes):
    video, tracks = file_formats.chosen(container, 'video')
    audio, more = file_formats.chosen(container, 'audio')
    delay, assumed = file_formats.assumed_delay(container, video, audio)
    _prepare(video, audio)
    start = audio.start_time if audio else None
    time_line = (
      Fraction((video and video.sample_aspect_ratio) or 1),
      container.format.name == 'avi',
      file_formats.discontinuous(container),
      None if start is None else start * audio.time_base,
    )
    notes = notes + tracks + more + assumed
    yield Source(path, container, video, audio, delay, time_line, notes)


def _prepare(video, audio) -> None:
  """Sets the limits of the decoders.

  Raises:
    RefusedFile: there is no stream, or the video is too large.
  """
  if not (video or audio):
    raise RefusedFile('it has neither a video nor an audio stream')
  if video and video.width * video.height > MAX_PIXELS:
    raise RefusedFile(
      f'its video is {video.width} x {video.height}, and at most'
      f' {MAX_PIXELS / 1e6:.1f} million pixels are decoded'
    )
  for stream in filter(None, (video, audio)):
    # One thread: the caller runs a process per core; also repeatable.
    stream.codec_context.thread_count = 1
    # A damaged packet may declare another size.
    stream.codec_context.options = {'max_pixels': str(MAX_PIXELS)}


def check_density(size: int, length: int) -> None:
  """Raises RefusedFile for a file with too few bytes for so many frames."""
  if size < _LEAST_BYTES * (length - 250):
    raise RefusedFile(
      f'its time stamps stretch {size} bytes over {length / 25:.0f} s or more;'
      ' encode it again'
    )


def lacking(seen: bool, heard: bool, faults: list[str], bad: int) -> Notes:
  """Returns notes on what a file lacks.

  Args:
    seen: whether it has pictures.
    heard: whether it has sound.
    faults: of its packets.
    bad: number of samples that are not finite.
  """
  notes = []
  if not seen:
    notes.append(('no picture', 'no video'))
  if not heard:
    notes.append(('no sound', 'no audio'))
  if faults:
    text = f'damaged: {len(faults)} packets cannot be decoded'
    notes.append(('damaged', text))
  if bad:
    notes.append(('sound', f'{bad} audio samples are not finite'))
  return notes


def nothing(faults: list[str]) -> RefusedFile:
  """Returns the error of a file that gives neither picture nor sound."""
  reason = f' ({faults[0]})' if faults else ''
  return RefusedFile(f'no frame and no audio sample can be decoded{reason}')


@contextlib.contextmanager
def collected(faults: list[str]) -> Iterator[None]:
  """Catches an error of FFmpeg in the block and adds it to the faults."""
  from av.error import FFmpegError

  try:
    yield
  except FFmpegError as error:
    faults.append(error.strerror or str(error))


class Frames:
  """The decoded frames of a file; decoding errors are added to the faults.

  An iterable of ('video' or 'audio', frame, time stamp in seconds or None).

  Attributes:
    reach: offset in the file of the end of the last packet.

  Where the container counts frames instead of stamping them, the stamps that
  FFmpeg makes up belong to the order of decoding, so that the pictures take
  them in turn.

  Args:
    source: the open file.
    faults: to add to.
  """

  def __init__(self, source: Source, faults: list[str]):
    self.reach = 0
    self._container, self._video = source.container, source.video
    self._streams = [s for s in (source.video, source.audio) if s]
    self._counted, self._faults = source.time_line[1], faults
    self._counts: collections.deque = collections.deque()

  def __iter__(self) -> Iterator[tuple[str, Any, Fraction | None]]:
    for stream, step in self._steps():
      kind = 'video' if stream is self._video else 'audio'
      for frame in self._decoded(kind, step):
        stamp, base = frame.pts, frame.time_base
        if self._counted and kind == 'video':
          stamp = self._counts.popleft() if self._counts else None
        time = None if stamp is None or base is None else stamp * base
        yield kind, frame, time

  def _decoded(self, kind: str, step: Callable) -> list:
    """Returns the frames of a decoding call; none after an error."""
    with collected(self._faults):
      return step()
    if kind == 'video' and self._counts:
      self._counts.pop()  # there will be no picture of this packet
    return []

  def _steps(self) -> Iterator[tuple[Any, Callable]]:
    """Yields the decoding call of each packet, then those that flush."""
    # PyAV raises IndexError if another stream appears in the middle of a file.
    with collected(self._faults), contextlib.suppress(IndexError):
      for packet in self._container.demux(self._streams):
        if packet.size:  # an empty packet would end the decoding
          self.reach = max(self.reach, (packet.pos or 0) + packet.size)
          if self._counted and packet.stream is self._video:
            self._counts.append(packet.dts)
          yield packet.stream, packet.decode
    for stream in self._streams:
      yield stream, stream.decode
