"""A media file -> picture and sound on one time line, as a program (Section 3).

`media` runs this in a process of its own, where a crash or a hang inside
FFmpeg does no harm. A request is a line of JSON on standard input. The answer
on standard output is a header in JSON, its length in eight bytes before it,
and then the bytes of frames, waveform and coverage; or a header alone that
says what is wrong with the file. JAX is not imported, so that the process is
there at once.

What an AVI says of its times is taken as it is: with MP3 sound, FFmpeg writes
the picture 40 ms late and the sound 25 ms.
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
  Picture,
  Refused,
  Sound,
)

PARTIAL = 0.95
"""A file that holds less of its declared duration is called partial."""

MAX_MEMORY = MAX_BYTES + 4 * 2**30
"""Bytes of address space: the picture, and what a codec needs for itself."""

GRACE_S = 5
"""Seconds after its time limit at which the process ends by itself, should
the caller be gone and FFmpeg hang."""

_MICROSECONDS = 1_000_000  # FFmpeg's clock of whole files


def decode(path: str) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns what a file holds: a header, and frames, waveform and coverage.

  Args:
    path: absolute, or FFmpeg takes what is before a colon for a protocol.

  Raises:
    Refused: it holds nothing that can be decoded, or too much.
  """
  import av

  faults: list[str] = []
  # Titles in other encodings are nobody's concern; PyAV 19 takes any.
  old = int(av.__version__.split('.')[0]) < 19
  lenient: dict[str, Any] = {'metadata_errors': 'replace'} if old else {}
  with av.open(path, **lenient) as box:
    video, audio = _first(box, 'video'), _first(box, 'audio')
    streams = [stream for stream in (video, audio) if stream]
    if not streams:
      raise Refused('there is neither picture nor sound in it')
    if video and video.width * video.height > MAX_PIXELS:
      raise Refused(
        f'its picture is {video.width} x {video.height}, and at most'
        f' {MAX_PIXELS / 1e6:.1f} million pixels are decoded'
      )
    for stream in streams:
      # One: the caller has a process for each core. It is repeatable, too.
      stream.codec_context.thread_count = 1
      # A damaged packet may announce another size.
      stream.codec_context.options = {'max_pixels': str(MAX_PIXELS)}
    picture, sound = Picture(), Sound()
    zero = _zero(box)
    for frame in _frames(box, streams, faults):
      base = frame.time_base
      time = None if None in (frame.pts, base) else frame.pts * base - zero
      part = picture if isinstance(frame, av.VideoFrame) else sound
      with _noted(faults):
        part.add(frame, time)
    with _noted(faults):
      picture.finish()
    notes = _partial(box, video, audio, picture, sound, zero)
  return _assemble(picture, sound, faults, notes)


def _assemble(
  picture: Picture,
  sound: Sound,
  faults: list[str],
  notes: list[tuple[str, str]],
) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns the header and the arrays of what was decoded."""
  length = len(picture.frames) or -(-sound.end * FRAME_RATE // 1)
  if not length:
    reason = f' ({faults[0]})' if faults else ''
    raise Refused(f'nothing of its picture and sound can be decoded{reason}')
  waveform, audible, bad = sound.render(length)
  if not picture.frames:
    notes.append(('no picture', 'no picture'))
  if not audible.any():
    notes.append(('no sound', 'no sound'))
  if faults:
    text = f'damaged: {len(faults)} of its packets cannot be decoded'
    notes.append(('damaged', text))
  if sound.faults:
    text = f'{sound.faults} blocks of sound have another sample rate'
    notes.append(('sound', text))
  if bad:
    notes.append(('sound', f'{bad} samples of its sound are not numbers'))
  header = {
    'length': length,
    'shape': picture.frames[0].shape if picture.frames else None,
    'notes': notes,
  }
  return header, [*picture.frames, waveform, audible]


def _partial(box, video, audio, picture, sound, zero) -> list[tuple[str, str]]:
  """Returns (kind, text) where the file holds less than it declares, or none.

  A file that was cut short often ends without any error.
  """
  ends = [(video, picture.declared_end), (audio, sound.end)]
  pairs = [
    (end, _declared(stream) - zero)
    for stream, end in ends
    if end and stream.duration and stream.time_base
  ]
  if not pairs and box.duration:
    declared = Fraction((box.start_time or 0) + box.duration, _MICROSECONDS)
    pairs = [(max(end for _, end in ends), declared - zero)]
  for end, declared in sorted(pairs, key=lambda pair: pair[0] - pair[1]):
    if end < PARTIAL * declared:
      seconds = f'{float(end):.2f} of {float(declared):.2f} s'
      return [('partial', f'partial: {seconds} decoded')]
  return []


def _declared(stream) -> Fraction:
  return ((stream.start_time or 0) + stream.duration) * stream.time_base


def _zero(box) -> Fraction:
  """Returns the container's zero in its own time stamps, in seconds.

  A transport stream counts from anywhere; its zero is its first time stamp.
  """
  from av.format import Flags

  counts_from_anywhere = box.format.flags & Flags.ts_discont.value
  start = box.start_time if counts_from_anywhere else None
  return Fraction(start or 0, _MICROSECONDS)


def _first(box, kind: str):
  """Returns the first stream of a kind that can be decoded, or None."""
  from av.stream import Disposition

  for stream in box.streams:
    cover = stream.disposition & Disposition.attached_pic
    if stream.type == kind and stream.codec_context and not cover:
      return stream
  return None


@contextlib.contextmanager
def _noted(faults: list[str]) -> Iterator[None]:
  """Adds an error of FFmpeg to the faults, and goes on behind the block."""
  from av.error import FFmpegError

  try:
    yield
  except FFmpegError as error:
    faults.append(error.strerror or str(error))


def _frames(box, streams, faults: list[str]) -> Iterator:
  """Yields all that can be decoded; adds what cannot to the faults."""
  for step in _steps(box, streams, faults):
    frames = []
    with _noted(faults):
      frames = step()
    yield from frames


def _steps(box, streams, faults: list[str]) -> Iterator[Callable]:
  """Yields what decodes each packet; at the end, what a decoder holds back."""
  # PyAV's IndexError: in the middle of the file a further stream came up.
  with _noted(faults), contextlib.suppress(IndexError):
    for packet in box.demux(streams):
      if packet.size:  # an empty one would end the decoding
        yield packet.decode
  for stream in streams:
    yield stream.decode


def _answer(path: str) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns what `decode` does, or a header that names the fault."""
  try:
    return decode(path)
  except Refused as error:
    fault = str(error)
  except MemoryError:
    fault = f'it asks for more than {MAX_MEMORY / 2**30:.0f} GiB of memory'
  except Exception as error:
    # Whatever a damaged file brings about in FFmpeg or PyAV, it is the file's.
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

  signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends this one
  signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends it, even inside FFmpeg
  with contextlib.suppress(ValueError, OSError):  # a lower limit is there
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, hard))
  out = os.fdopen(os.dup(1), 'wb')
  os.dup2(2, 1)  # what a codec prints must not get between the arrays
  _send(out, {'ready': True}, [])
  for line in sys.stdin.buffer:
    request = json.loads(line)
    signal.setitimer(signal.ITIMER_REAL, request['limit_s'] + GRACE_S)
    _send(out, *_answer(request['path']))
    signal.setitimer(signal.ITIMER_REAL, 0)
