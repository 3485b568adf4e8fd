"""A media file -> video frames and waveform on one time line (Section 3).

`media` runs this module as a separate process, so that a crash or a hang of
FFmpeg does no harm. A request is one line of JSON on standard input. The answer
on standard output is the length of a header in eight bytes, the header in JSON,
and the bytes of frames, waveform and coverage; or only a header with the key
'fault'. A recording is answered in pieces, one such answer each. JAX is not
imported, so that the process starts quickly.
"""

import collections
import contextlib
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from avjax.features import file_formats
from avjax.features.parts import Notes, Parts
from avjax.features.timestamps import MAX_BYTES, MAX_PIXELS, RefusedFile

MAX_MEMORY = MAX_BYTES + 4 * 2**30
"""Bytes of address space: the frames, plus what the codecs need."""

GRACE_S = 5
"""Seconds after the time limit at which the process ends by itself, in case
the caller is gone and FFmpeg hangs."""

DECLARED = -1
"""For `every` in a request that only asks how long the file says it is."""

LEAST_BYTES = 10
"""Bytes of a file for each frame after the first ten seconds. A black video of
96 x 64 has 20; with fewer, time stamps stretch a few pictures."""


def decode(path: str) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns a header, and a file's frames, waveform and coverage.

  Args:
    path: absolute; in another, FFmpeg takes the text before a colon for a
      protocol.

  Raises:
    RefusedFile: nothing can be decoded, or the file is too long or too large.
  """
  faults: list[str] = []
  with file_formats.opened(path) as (container, notes):
    video, tracks = file_formats.chosen(container, 'video')
    audio, more = file_formats.chosen(container, 'audio')
    delay, assumed = file_formats.assumed_delay(container, video, audio)
    notes += tracks + more + assumed
    prepare(video, audio)
    counted = container.format.name == 'avi'
    start = audio.start_time if audio else None
    parts = Parts(
      Fraction((video and video.sample_aspect_ratio) or 1),
      counted,
      file_formats.discontinuous(container),
      None if start is None else start * audio.time_base,
    )
    frames = Frames(container, video, audio, counted, faults)
    for kind, frame, time in frames:
      with collected(faults):
        parts.add(kind, frame, time)
    parts.finish(delay, lambda: collected(faults))
    notes += file_formats.unread(container, frames.reach, path)
    partial = []
    if len(parts.all) == 1 and parts.length:
      part = parts.all[0]
      ends = [
        (video, part.video.own_end, part.zero[0]),
        (audio, part.audio.end, part.zero[1]),
      ]
      partial = file_formats.partial(container, ends)
    notes += partial or file_formats.cut(path)
  return _assemble(parts, os.path.getsize(path), faults, notes)


def prepare(video, audio) -> None:
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


def _assemble(
  parts: Parts, size: int, faults: list[str], notes: Notes
) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns the header and the arrays of a decoded file of some bytes."""
  length, frames = parts.length, parts.frames
  if not length:
    raise nothing(faults)
  if frames and size < LEAST_BYTES * (length - 250):
    raise RefusedFile(
      f'its time stamps stretch {size} bytes over {length / 25:.0f} s; encode'
      ' it again'
    )
  waveform, audible, bad, more = parts.render()
  notes = more + notes
  if not frames:
    notes.append(('no picture', 'no video'))
  if not audible.any():
    notes.append(('no sound', 'no audio'))
  if faults:
    text = f'damaged: {len(faults)} packets cannot be decoded'
    notes.append(('damaged', text))
  if bad:
    notes.append(('sound', f'{bad} audio samples are not finite'))
  header = {
    'length': length,
    'images': len(frames),
    'shape': frames[0].shape if frames else None,
    'samples': len(waveform),
    'notes': notes,
  }
  return header, [*frames, waveform, audible]


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

  Args:
    container: the open file.
    video, audio: the streams to decode, or None.
    counted: whether the container counts frames instead of stamping them. The
      stamps that FFmpeg makes up belong to the order of decoding, so that the
      pictures take them in turn.
    faults: to add to.
  """

  def __init__(self, container, video, audio, counted: bool, faults: list[str]):
    self.reach = 0
    self._container, self._video = container, video
    self._streams = [stream for stream in (video, audio) if stream]
    self._counted, self._faults = counted, faults
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


def _declared(path: str) -> float | None:
  """Returns the seconds that a container says it has; None if it does not."""
  with file_formats.opened(path) as (container, _):
    return container.duration and container.duration / 1e6


def _answers(
  path: str, every: int | None
) -> Iterator[tuple[dict[str, Any], list[np.ndarray]]]:
  """Yields the result of `decode`, or pieces; or a header with the fault."""
  from avjax.features import pieces

  try:
    if every is None:
      yield decode(path)
    elif every == DECLARED:
      yield {'seconds': _declared(path), 'shape': None, 'samples': 0}, []
    else:
      yield from pieces.pieces(path, every)
    return
  except RefusedFile as error:
    fault = str(error)
  except MemoryError:
    fault = f'it needs more than {MAX_MEMORY / 2**30:.0f} GiB of memory'
  except Exception as error:
    # Any error that a damaged file causes in FFmpeg or PyAV.
    fault = getattr(error, 'strerror', None) or f'{error!r:.200}'
  yield {'fault': ' '.join(fault.split())}, []


def _send(out: BinaryIO, header: dict[str, Any], arrays) -> None:
  text = json.dumps(header).encode()
  out.write(struct.pack('<Q', len(text)) + text)
  for array in arrays:
    if array.size:
      out.write(array.data.cast('B'))
  out.flush()


def main() -> None:
  """Answers requests until standard input ends."""
  import av  # noqa: F401
  import soxr  # noqa: F401

  signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends this process
  signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends it even inside FFmpeg
  with contextlib.suppress(ValueError, OSError):  # a lower limit is set already
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, hard))
  out = os.fdopen(os.dup(1), 'wb')
  os.dup2(2, 1)  # codecs that print must not mix text into the arrays
  _send(out, {'ready': True}, [])
  for line in sys.stdin.buffer:
    request = json.loads(line)
    limit = request['limit_s'] + GRACE_S
    signal.setitimer(signal.ITIMER_REAL, limit)
    for header, arrays in _answers(request['path'], request['every']):
      if request['every'] is not None:
        # While the caller measures a piece, the next one waits here.
        signal.setitimer(signal.ITIMER_REAL, 0)
      _send(out, header, arrays)
      signal.setitimer(signal.ITIMER_REAL, limit)
    signal.setitimer(signal.ITIMER_REAL, 0)
