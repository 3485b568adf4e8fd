"""A media file -> video frames and waveform on one time line (Section 3).

`media` runs this module as a separate process, so that a crash or a hang of
FFmpeg does no harm. A request is one line of JSON on standard input. The answer
on standard output is the length of a header in eight bytes, the header in JSON,
and the bytes of frames, waveform and coverage; or only a header with the key
'fault'. JAX is not imported, so that the process starts quickly.

The time stamps of an AVI are not corrected: with MP3 audio, FFmpeg writes the
video 40 ms late and the audio 25 ms.
"""

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

from avjax.features.timestamps import (
  FRAME_RATE,
  MAX_BYTES,
  MAX_PIXELS,
  AudioTrack,
  RefusedFile,
  VideoTrack,
)

PARTIAL = 0.95
"""A file with a smaller share of its declared duration is called partial."""

MAX_MEMORY = MAX_BYTES + 4 * 2**30
"""Bytes of address space: the frames, plus what the codecs need."""

GRACE_S = 5
"""Seconds after the time limit at which the process ends by itself, in case
the caller is gone and FFmpeg hangs."""

_MICROSECONDS = 1_000_000  # per second; FFmpeg's time base for whole files


def decode(path: str) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns a header, and a file's frames, waveform and coverage.

  Args:
    path: absolute; in another, FFmpeg takes the text before a colon for a
      protocol.

  Raises:
    RefusedFile: nothing can be decoded, or the file is too long or too large.
  """
  import av

  faults: list[str] = []
  # Metadata in another encoding than UTF-8; PyAV 19 accepts any.
  old = int(av.__version__.split('.')[0]) < 19
  lenient: dict[str, Any] = {'metadata_errors': 'replace'} if old else {}
  with av.open(path, **lenient) as container:
    video, audio = _first(container, 'video'), _first(container, 'audio')
    streams = [stream for stream in (video, audio) if stream]
    if not streams:
      raise RefusedFile('it has neither a video nor an audio stream')
    if video and video.width * video.height > MAX_PIXELS:
      raise RefusedFile(
        f'its video is {video.width} x {video.height}, and at most'
        f' {MAX_PIXELS / 1e6:.1f} million pixels are decoded'
      )
    for stream in streams:
      # One thread: the caller runs a process per core; also repeatable.
      stream.codec_context.thread_count = 1
      # A damaged packet may declare another size.
      stream.codec_context.options = {'max_pixels': str(MAX_PIXELS)}
    video_track, audio_track = VideoTrack(), AudioTrack()
    zero = _zero(container)
    for frame in _frames(container, streams, faults):
      base = frame.time_base
      time = None if None in (frame.pts, base) else frame.pts * base - zero
      is_video = isinstance(frame, av.VideoFrame)
      track = video_track if is_video else audio_track
      with _collected(faults):
        track.add(frame, time)
    with _collected(faults):
      video_track.finish()
    ends = [(video, video_track.declared_end), (audio, audio_track.end)]
    notes = _partial(container, ends, zero)
  return _assemble(video_track, audio_track, faults, notes)


def _assemble(
  video_track: VideoTrack,
  audio_track: AudioTrack,
  faults: list[str],
  notes: list[tuple[str, str]],
) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns the header and the arrays of a decoded file."""
  length = len(video_track.frames) or -(-audio_track.end * FRAME_RATE // 1)
  if not length:
    reason = f' ({faults[0]})' if faults else ''
    raise RefusedFile(f'no frame and no audio sample can be decoded{reason}')
  waveform, audible, bad = audio_track.render(length)
  if not video_track.frames:
    notes.append(('no picture', 'no video'))
  if not audible.any():
    notes.append(('no sound', 'no audio'))
  if faults:
    text = f'damaged: {len(faults)} packets cannot be decoded'
    notes.append(('damaged', text))
  if audio_track.faults:
    text = f'{audio_track.faults} audio blocks have another sample rate'
    notes.append(('sound', text))
  if bad:
    notes.append(('sound', f'{bad} audio samples are not finite'))
  header = {
    'length': length,
    'shape': video_track.frames[0].shape if video_track.frames else None,
    'notes': notes,
  }
  return header, [*video_track.frames, waveform, audible]


def _partial(container, ends, zero) -> list[tuple[str, str]]:
  """Returns [(kind, text)] if the file ends before its declared end, or [].

  A truncated file often ends without any error.

  Args:
    container: the open file.
    ends: (stream or None, its decoded end in seconds) for video and audio.
    zero: the container's zero, see `_zero`.
  """
  pairs = [
    (end, _declared(stream) - zero)
    for stream, end in ends
    if end and stream.duration and stream.time_base
  ]
  if not pairs and container.duration:
    declared = Fraction(
      (container.start_time or 0) + container.duration, _MICROSECONDS
    )
    pairs = [(max(end for _, end in ends), declared - zero)]
  for end, declared in sorted(pairs, key=lambda pair: pair[0] - pair[1]):
    if end < PARTIAL * declared:
      seconds = f'{float(end):.2f} of {float(declared):.2f} s'
      return [('partial', f'partial: {seconds} decoded')]
  return []


def _declared(stream) -> Fraction:
  return ((stream.start_time or 0) + stream.duration) * stream.time_base


def _zero(container) -> Fraction:
  """Returns the time stamp, in seconds, that counts as time zero.

  The time stamps of a transport stream start anywhere: zero is the first.
  """
  from av.format import Flags

  starts_anywhere = container.format.flags & Flags.ts_discont.value
  start = container.start_time if starts_anywhere else None
  return Fraction(start or 0, _MICROSECONDS)


def _first(container, kind: str):
  """Returns the first stream of a kind that can be decoded, or None."""
  from av.stream import Disposition

  for stream in container.streams:
    cover = stream.disposition & Disposition.attached_pic  # album art
    if stream.type == kind and stream.codec_context and not cover:
      return stream
  return None


@contextlib.contextmanager
def _collected(faults: list[str]) -> Iterator[None]:
  """Catches an error of FFmpeg in the block and adds it to the faults."""
  from av.error import FFmpegError

  try:
    yield
  except FFmpegError as error:
    faults.append(error.strerror or str(error))


def _frames(container, streams, faults: list[str]) -> Iterator:
  """Yields the decoded frames; adds decoding errors to the faults."""
  for step in _steps(container, streams, faults):
    frames = []
    with _collected(faults):
      frames = step()
    yield from frames


def _steps(container, streams, faults: list[str]) -> Iterator[Callable]:
  """Yields a decoding call per packet, then one per decoder to flush it."""
  # PyAV raises IndexError if another stream appears in the middle of the file.
  with _collected(faults), contextlib.suppress(IndexError):
    for packet in container.demux(streams):
      if packet.size:  # an empty packet would end the decoding
        yield packet.decode
  for stream in streams:
    yield stream.decode


def _answer(path: str) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns the result of `decode`, or a header that names the fault."""
  try:
    return decode(path)
  except RefusedFile as error:
    fault = str(error)
  except MemoryError:
    fault = f'it needs more than {MAX_MEMORY / 2**30:.0f} GiB of memory'
  except Exception as error:
    # Any error that a damaged file causes in FFmpeg or PyAV.
    fault = getattr(error, 'strerror', None) or f'{error!r:.200}'
  return {'fault': ' '.join(fault.split())}, []


def _send(out: BinaryIO, header: dict[str, Any], arrays) -> None:
  text = json.dumps(header).encode()
  out.write(struct.pack('<Q', len(text)) + text)
  for array in arrays:
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
    signal.setitimer(signal.ITIMER_REAL, request['limit_s'] + GRACE_S)
    _send(out, *_answer(request['path']))
    signal.setitimer(signal.ITIMER_REAL, 0)
