"""Encodes video and audio into a file, with the same bytes on every run."""

import os
from collections.abc import Iterable

import numpy as np

from avjax.errors import ConfigError

_RATE = 16000  # samples per second
_BLOCK = 1024  # samples per AAC frame
_BITS = {'video': 400_000, 'audio': 64_000}  # per second


def check_packages() -> None:
  """Raises ConfigError if a package that makes clips is missing."""
  try:
    import av  # noqa: F401
    import cv2  # noqa: F401
  except ImportError as error:
    raise ConfigError(
      f'making clips needs the package {error.name};'
      " pip install 'avjax[features]'"
    ) from error


def write(
  path: str | os.PathLike, frames: Iterable[np.ndarray], waveform: np.ndarray
) -> None:
  """Writes an mp4 file with MPEG-4 part 2 and AAC.

  Both encoders are deterministic if they use one thread and do not write their
  version.

  Args:
    path: ends in .mp4; an existing file is replaced.
    frames: (height, width, 3) uint8 RGB each, 25 per second, even sizes.
    waveform: (n,) float32 in [-1, 1], mono at 16 kHz.
  """
  import av

  options = {'fflags': '+bitexact'}
  with av.open(os.fspath(path), 'w', format='mp4', options=options) as file:
    audio = file.add_stream('aac', rate=_RATE, layout='mono')
    video = file.add_stream('mpeg4', rate=25)
    for stream, kind in ((video, 'video'), (audio, 'audio')):
      stream.codec_context.thread_count = 1
      stream.codec_context.bit_rate = _BITS[kind]
      stream.codec_context.options = {'flags': '+bitexact'}
    for index, image in enumerate(frames):
      if index == 0:
        video.height, video.width = image.shape[:2]
        video.pix_fmt = 'yuv420p'
      frame = av.VideoFrame.from_ndarray(image, format='rgb24')
      frame.pts = index
      file.mux(video.encode(frame))
    for start in range(0, len(waveform), _BLOCK):
      block = waveform[None, start : start + _BLOCK]
      block = np.ascontiguousarray(block, np.float32)
      samples = av.AudioFrame.from_ndarray(block, format='fltp', layout='mono')
      samples.sample_rate, samples.pts = _RATE, start
      file.mux(audio.encode(samples))
    for stream in (video, audio):
      file.mux(stream.encode(None))
