"""Pictures and sound into a file, the same bytes on every run."""

import os
from collections.abc import Iterable

import numpy as np

from avjax.errors import ConfigError

_RATE = 16000  # samples a second
_BLOCK = 1024  # samples that AAC encodes at a time
_BITS = {'video': 400_000, 'audio': 64_000}  # a second


def available() -> None:
  """Returns nothing; raises ConfigError unless clips can be made here."""
  try:
    import av  # noqa: F401
    import cv2  # noqa: F401
  except ImportError as error:
    raise ConfigError(
      f"needs the package {error.name}; pip install 'avjax[features]'"
    ) from error


def write(
  path: str | os.PathLike, frames: Iterable[np.ndarray], waveform: np.ndarray
) -> None:
  """Returns nothing; leaves an mp4 at `path`: MPEG-4 part 2 and AAC.

  Both encoders give the same bytes for the same input if they use one thread
  and leave out their version.

  Args:
    path: ends in .mp4; an old file is replaced.
    frames: (height, width, 3) uint8 RGB each, 25 a second, even sizes.
    waveform: (n,) float32 in [-1, 1], mono at 16 kHz.
  """
  import av

  options = {'fflags': '+bitexact'}
  with av.open(os.fspath(path), 'w', format='mp4', options=options) as file:
    sound = file.add_stream('aac', rate=_RATE, layout='mono')
    picture = file.add_stream('mpeg4', rate=25)
    for stream, kind in ((picture, 'video'), (sound, 'audio')):
      stream.codec_context.thread_count = 1
      stream.codec_context.bit_rate = _BITS[kind]
      stream.codec_context.options = {'flags': '+bitexact'}
    for index, image in enumerate(frames):
      if index == 0:
        picture.height, picture.width = image.shape[:2]
        picture.pix_fmt = 'yuv420p'
      frame = av.VideoFrame.from_ndarray(image, format='rgb24')
      frame.pts = index
      file.mux(picture.encode(frame))
    for start in range(0, len(waveform), _BLOCK):
      block = waveform[None, start : start + _BLOCK]
      block = np.ascontiguousarray(block, np.float32)
      heard = av.AudioFrame.from_ndarray(block, format='fltp', layout='mono')
      heard.sample_rate, heard.pts = _RATE, start
      file.mux(sound.encode(heard))
    for stream in (picture, sound):
      file.mux(stream.encode(None))
