"""Where a stream comes from: a file at its own pace, or camera and microphone.

Each yields `Arrival`s in the order of their times, seconds on one clock.
"""

import os
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from avjax.clips import FRAME_RATE, SAMPLE_RATE
from avjax.errors import ConfigError, DataError
from avjax.features.media import Decoder
from avjax.shapes import Float


class Arrival(NamedTuple):
  """A block of sound or a picture.

  Attributes:
    time: of the first sample, or of the picture, in seconds.
    samples: (n,) mono, in [-1, 1]; None for a picture.
    picture: (height, width, 3) uint8 RGB; None for sound.
    rate: samples a second.
  """

  time: float
  samples: Float[np.ndarray, ' n'] | None = None
  picture: np.ndarray | None = None
  rate: float = SAMPLE_RATE


def of_file(path: str | os.PathLike, pace: float = 1.0) -> Iterator[Arrival]:
  """Yields the sound and the pictures of a file when they are due.

  Args:
    path: of the file.
    pace: seconds of the file a second; 0: as fast as they are taken.

  Raises:
    DataError: the file cannot be decoded.
  """
  start, frame, heard = time.monotonic(), 0, 0
  size = SAMPLE_RATE // FRAME_RATE
  with Decoder() as decoder:
    for piece in decoder.pieces(path):
      pictures = {}
      if piece.images is not None:
        pictures = dict(zip(piece.shown, piece.images, strict=True))
      blocks = [
        piece.waveform[k : k + size]
        for k in range(0, len(piece.waveform), size)
      ]
      for number in range(max(piece.frames, len(blocks))):
        if pace:
          due = start + (frame + number + 1) / FRAME_RATE / pace
          time.sleep(max(due - time.monotonic(), 0))
        if number < len(blocks):
          yield Arrival(heard / SAMPLE_RATE, samples=blocks[number])
          heard += len(blocks[number])
        if number in pictures:
          seconds = (frame + number) / FRAME_RATE
          yield Arrival(seconds, picture=pictures[number])
      frame += piece.frames
  if not frame:
    raise DataError(f'{path} has neither video nor audio of any length')


def of_devices(camera: int, microphone: str) -> Iterator[Arrival]:
  """Yields what a camera and a microphone give, until the camera ends.

  Where pictures come faster than they are taken, only the newest is given.

  Args:
    camera: its number, 0 for the first.
    microphone: its name or number, as `python -m sounddevice` lists them; ''
      for the system's own; 'none' for silence.

  Raises:
    ConfigError: a package is missing, or a device cannot be opened.
  """
  arrived: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
  watched, opened = _camera(camera), None
  if microphone != 'none':
    opened = _microphone(microphone, arrived)
  threading.Thread(target=_watch, args=(watched, arrived), daemon=True).start()
  silent = 0.0
  try:
    while (one := arrived.get()) is not None:
      waiting = [one, *_waiting(arrived)]
      each = [other for other in waiting if other is not None]
      newest = [k for k, other in enumerate(each) if other.samples is None][-1:]
      for k, other in enumerate(each):
        if other.samples is not None or k in newest:
          if opened is None:
            silent = silent or other.time
            missing = max(round((other.time - silent) * SAMPLE_RATE), 0)
            yield Arrival(silent, samples=np.zeros(missing))
            silent += missing / SAMPLE_RATE
          yield other
      if any(other is None for other in waiting):
        return
  finally:
    if opened is not None:
      opened.close()
    watched.release()


def _waiting(arrived: queue.SimpleQueue) -> Iterator[Arrival | None]:
  """Yields what has come meanwhile."""
  while not arrived.empty():
    yield arrived.get()


def _camera(number: int) -> Any:
  try:
    import cv2
  except ImportError as error:
    raise ConfigError(
      'a camera is read with the package opencv-python-headless; pip install'
      " 'avjax[features]'"
    ) from error
  # A camera that is not there is told by the error below, in one line.
  cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
  opened = cv2.VideoCapture(number)
  if not opened.isOpened():
    raise ConfigError(
      f'there is no camera {number}, or it is in use; give another --camera, or'
      ' --file=clip.mp4'
    )
  return opened


def _watch(camera: Any, arrived: queue.SimpleQueue) -> None:
  """Puts the pictures of a camera into a queue, and None when it ends."""
  while True:
    good, picture = camera.read()
    if not good:
      arrived.put(None)
      return
    arrived.put(Arrival(time.monotonic(), picture=picture[..., ::-1]))


def _microphone(name: str, arrived: queue.SimpleQueue) -> Any:
  """Returns the open microphone, whose sound goes into a queue."""
  try:
    import sounddevice
  except (ImportError, OSError) as error:
    raise ConfigError(
      f'a microphone is read with the package sounddevice ({error}); pip'
      " install 'avjax[live]', or give --microphone=none"
    ) from error

  def take(block, frames, clock, status):
    begun = time.monotonic() - frames / SAMPLE_RATE
    arrived.put(Arrival(begun, samples=block[:, 0].astype(np.float64)))

  try:
    device = int(name) if name.isdecimal() else name or None
    opened = sounddevice.InputStream(
      SAMPLE_RATE, SAMPLE_RATE // FRAME_RATE, device, 1, callback=take
    )
    opened.start()
  except Exception as error:
    raise ConfigError(
      f'the microphone {name or "of the system"} cannot be opened ({error});'
      ' give another --microphone, or none'
    ) from error
  return opened
