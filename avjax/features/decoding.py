"""A media file -> video frames and waveform on one time line (Section 3).

`media` runs this module as a separate process, so that a crash or a hang of
FFmpeg does no harm. A request is one line of JSON on standard input. The answer
on standard output is the length of a header in eight bytes, the header in JSON,
and the bytes of frames, waveform and coverage; or only a header with the key
'fault'. A recording is answered in pieces, one such answer each. JAX is not
imported, so that the process starts quickly.
"""

import contextlib
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from avjax.features import file_formats, pieces
from avjax.features.open_media import (
  Frames,
  check_density,
  collected,
  lacking,
  nothing,
  opened,
)
from avjax.features.parts import Notes, Parts
from avjax.features.timestamps import MAX_BYTES, RefusedFile

MAX_MEMORY = MAX_BYTES + 4 * 2**30
"""Bytes of address space: the frames, plus what the codecs need."""

GRACE_S = 5
"""Seconds after the time limit at which the process ends by itself, in case
the caller is gone and FFmpeg hangs."""

DECLARED = -1
"""For `every` in a request that only asks how long the file says it is."""


def decode(path: str) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns a header, and a file's frames, waveform and coverage.

  Args:
    path: see `opened`.

  Raises:
    RefusedFile: nothing can be decoded, or the file is too long or too large.
  """
  faults: list[str] = []
  with opened(path) as source:
    parts = Parts(*source.time_line)
    frames = Frames(source, faults)
    for kind, frame, time in frames:
      with collected(faults):
        parts.add(kind, frame, time)
    parts.finish(source.delay, lambda: collected(faults))
    notes = source.notes + source.ending(parts, frames.reach)
  return _assemble(parts, os.path.getsize(path), faults, notes)


def _assemble(
  parts: Parts, size: int, faults: list[str], notes: Notes
) -> tuple[dict[str, Any], list[np.ndarray]]:
  """Returns the header and the arrays of a decoded file of some bytes."""
  length, frames = parts.length, parts.frames
  if not length:
    raise nothing(faults)
  if frames:
    check_density(size, length)
  waveform, audible, bad, more = parts.render()
  notes = more + notes
  notes += lacking(len(frames) > 0, bool(audible.any()), faults, bad)
  header = {
    'length': length,
    'images': len(frames),
    'shape': frames[0].shape if frames else None,
    'samples': len(waveform),
    'notes': notes,
  }
  return header, [*frames, waveform, audible]


def _declared(path: str) -> float | None:
  """Returns the seconds that a container says it has; None if it does not."""
  with file_formats.opened(path) as (container, _):
    return container.duration and container.duration / 1e6


def _answers(
  path: str, every: int | None
) -> Iterator[tuple[dict[str, Any], list[np.ndarray]]]:
  """Yields the result of `decode`, or pieces; or a header with the fault."""
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
