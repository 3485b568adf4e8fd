"""A media file -> a raw clip, decoded in a separate process (Section 3).

FFmpeg may crash or hang on damaged files. It therefore runs in a process of
its own (`decoding`), with a time limit; a crash or a hang becomes a
`DataError` here.
"""

import contextlib
import fcntl
import importlib.util
import io
import json
import os
import pathlib
import select
import signal
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

import avjax
from avjax.clips import FRAME_RATE, Note, RawClip
from avjax.errors import ConfigError, DataError
from avjax.features.decoding import DECLARED
from avjax.features.timestamps import MAX_STREAMED

LIMIT_S = 60.0
"""Seconds that one file may take; 2.4 s of 640 x 480 take 0.1 s."""

START_S = 60.0
"""Seconds for the process to start; an idle machine needs less than 0.5."""

PIPE_BYTES = 2**20
"""The largest pipe that Linux grants to any user, for fewer switches between
the two processes; other systems keep their default."""


class RecordingPiece(NamedTuple):
  """The next seconds of a recording.

  Attributes:
    frames: how many there are, at 25 per second; 0 for the rest of the sound.
    shown: numbers of the frames that have a picture here, within the piece.
    images: (shown, height, width, 3) uint8 RGB; None without any.
    waveform: (n,) float64, mono at 16 kHz, that follows the one before; in all
      it is as long as the frames.
    audible: (n,) bool, whether the file has sound at each sample.
    notes: remarks for the user, with the last piece.
  """

  frames: int
  shown: Sequence[int]
  images: np.ndarray | None
  waveform: np.ndarray
  audible: np.ndarray
  notes: tuple[Note, ...]


class Decoder:
  """Decodes files in one process, which is restarted after a crash.

  A context manager for one thread; a forked process needs its own. The
  decoding process ends with the context, or when this process ends.

  Args:
    limit_s: time limit for a file, in seconds.

  Raises:
    ConfigError: the package av or soxr is not installed.
  """

  def __init__(self, limit_s: float = LIMIT_S):
    for package in ('av', 'soxr'):
      if importlib.util.find_spec(package) is None:
        raise ConfigError(
          f"decoding needs the package {package}; pip install 'avjax[features]'"
        )
    self._limit_s = limit_s
    self._process: _Process | None = None

  def __enter__(self) -> 'Decoder':
    return self

  def __exit__(self, *error: object) -> None:
    self._stop()

  def __call__(
    self, path: str | os.PathLike, name: str | None = None
  ) -> RawClip:
    """Returns one file as a raw clip.

    Args:
      path: a file in any container that PyAV reads.
      name: of the clip; by default the file's name without its suffix.

    Raises:
      DataError: the file cannot be decoded at all or not in time, or exceeds
        the limits in `timestamps`.
    """
    path = pathlib.Path(path)
    _check(path)
    ((header, arrays),) = self._answers(path)
    if 'fault' in header:
      raise DataError(f'{path} cannot be decoded: {header["fault"]}')
    frames, waveform, audible = arrays
    name = path.stem if name is None else name
    notes = tuple(Note(*pair) for pair in header['notes'])
    return RawClip(name, frames, waveform, audible, header['length'], notes)

  def pieces(
    self, path: str | os.PathLike, every: int = 1
  ) -> Iterator[RecordingPiece]:
    """Yields a recording of any length in pieces of up to two seconds.

    Args:
      path: see `__call__`.
      every: every how many frames have a picture.

    Raises:
      DataError: see `__call__`; the time limit is for a piece.
    """
    path = pathlib.Path(path)
    _check(path)
    for header, arrays in self._answers(path, every):
      if 'fault' in header:
        raise DataError(f'{path} cannot be decoded: {header["fault"]}')
      images, waveform, audible = arrays
      notes = tuple(Note(*pair) for pair in header.get('notes', ()))
      yield RecordingPiece(
        header['count'], header['shown'], images, waveform, audible, notes
      )

  def lasts(self, path: str | os.PathLike, seconds: float) -> bool:
    """Returns whether a file lasts longer than so many seconds.

    If its container does not tell, so much of it is decoded.

    Raises:
      DataError: see `__call__`.
    """
    path = pathlib.Path(path)
    _check(path)
    ((header, _),) = self._answers(path, DECLARED)
    if 'fault' in header:
      raise DataError(f'{path} cannot be decoded: {header["fault"]}')
    if header['seconds'] is not None:
      return header['seconds'] > seconds
    frames = 0
    for piece in self.pieces(path, MAX_STREAMED):
      frames += piece.frames
      if frames > seconds * FRAME_RATE:
        return True
    return False

  def _answers(
    self, path: pathlib.Path, every: int | None = None
  ) -> Iterator[tuple[dict[str, Any], list]]:
    """Yields header and arrays of the process's answers: one, or pieces."""
    if self._process is None or not self._process.alive:
      self._stop()
      self._process = _Process()
    process = self._process
    # Absolute: the current folder may have changed since the process started,
    # and FFmpeg takes the text before a colon for a protocol.
    request = {'path': os.path.abspath(path), 'limit_s': self._limit_s}
    complete = False
    try:
      process.send(request | {'every': every})
      while not complete:
        deadline = time.monotonic() + self._limit_s
        header = process.header(deadline)
        arrays = process.arrays(header, deadline)
        complete = header.get('last', True)
        yield header, arrays
      return
    except TimeoutError:
      reason = f'not done after {self._limit_s:g} s'
    except (EOFError, BrokenPipeError):
      reason = f'FFmpeg crashed on it ({process.cause()})'
    finally:
      if not complete:
        self._stop()  # or its answer would be read as that of the next file
    raise DataError(
      f'{path} cannot be decoded: {reason}; repair or remove the file'
    )

  def _stop(self) -> None:
    process, self._process = self._process, None
    if process is not None:
      process.stop()


class _Process:
  """The process that runs `decoding`, ready for requests."""

  def __init__(self):
    root = pathlib.Path(avjax.__file__).parents[1]
    program = (
      f'import sys; sys.path.append({str(root)!r});'
      ' from avjax.features import decoding; decoding.main()'
    )
    self._child = subprocess.Popen(
      # -P: modules in the current folder are not imported.
      [sys.executable, '-P', '-c', program],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      bufsize=0,
      # It has no linear algebra, and threads take address space.
      env={**os.environ, 'OPENBLAS_NUM_THREADS': '1', 'OMP_NUM_THREADS': '1'},
    )
    # Unbuffered pipes are files.
    self._requests = cast(io.FileIO, self._child.stdin)
    self._answers = cast(io.FileIO, self._child.stdout)
    if hasattr(fcntl, 'F_SETPIPE_SZ'):
      with contextlib.suppress(OSError):
        fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
      self.header(time.monotonic() + START_S)
    except (EOFError, TimeoutError) as error:
      cause = self.cause() if isinstance(error, EOFError) else 'too slow'
      self.stop()
      raise ConfigError(
        f'the process that decodes does not start ({cause}); see whether'
        " 'import av, soxr' works in Python"
      ) from error
    except BaseException:
      self.stop()
      raise

  @property
  def alive(self) -> bool:
    """Whether the process runs."""
    return self._child.poll() is None

  def send(self, request: dict[str, Any]) -> None:
    """Writes a request to the process."""
    self._requests.write(json.dumps(request).encode() + b'\n')

  def header(self, deadline: float) -> dict[str, Any]:
    """Reads the header of an answer: its length in eight bytes, then JSON."""
    size = bytearray(8)
    self._fill(memoryview(size), deadline)
    text = bytearray(struct.unpack('<Q', size)[0])
    self._fill(memoryview(text), deadline)
    return json.loads(text)

  def arrays(
    self, header: dict[str, Any], deadline: float
  ) -> list[np.ndarray | None]:
    """Reads the frames (None without video), the waveform and the coverage."""
    if 'fault' in header:
      return []
    frames = None
    if header['shape']:
      frames = np.empty((header['images'], *header['shape']), np.uint8)
    samples = header['samples']
    arrays = [frames, np.empty(samples), np.empty(samples, bool)]
    for array in arrays:
      if array is not None and array.size:
        self._fill(array.data.cast('B'), deadline)
    return arrays

  def _fill(self, view: memoryview, deadline: float) -> None:
    """Reads bytes from the process until the view is full.

    Raises:
      TimeoutError: the deadline passed.
      EOFError: the process ended.
    """
    ready = select.poll()
    ready.register(self._answers, select.POLLIN)
    while view:
      left = deadline - time.monotonic()
      if left <= 0 or not ready.poll(1000 * left):
        raise TimeoutError
      count = self._answers.readinto(view)
      if not count:
        raise EOFError
      view = view[count:]

  def cause(self) -> str:
    """Returns how the process ended: the name of a signal or the exit code."""
    with contextlib.suppress(subprocess.TimeoutExpired):
      self._child.wait(5)
    code = self._child.returncode
    if code is not None and code < 0:
      return signal.Signals(-code).name
    return f'exit code {code}'

  def stop(self) -> None:
    """Kills the process and closes its pipes."""
    self._child.kill()
    self._child.wait()
    self._requests.close()
    self._answers.close()


def _check(path: pathlib.Path) -> None:
  """Raises DataError for folders, empty files and unreadable paths."""
  try:
    status = path.stat()
  except OSError as error:
    raise DataError(f'{path} cannot be read: {error.strerror}') from error
  if stat.S_ISDIR(status.st_mode):
    raise DataError(f'{path} is a folder; give the file of a clip')
  if not stat.S_ISREG(status.st_mode):
    raise DataError(f'{path} is a pipe or a device; give the file of a clip')
  if not status.st_size:
    raise DataError(f'{path} cannot be decoded: it is empty')
