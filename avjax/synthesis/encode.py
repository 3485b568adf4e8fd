"""Encodes clips and images into files, with the same bytes on every run."""

import os
import pathlib
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
  """Writes MPEG-4 part 2 with AAC (.mp4) or 16-bit samples (.avi).

  The encoders are deterministic if they use one thread and do not write their
  version.

  Args:
    path: ends in .mp4 or .avi; an existing file is replaced.
    frames: (height, width, 3) uint8 RGB each, 25 per second, even sizes.
    waveform: (n,) float32 in [-1, 1], mono at 16 kHz.
  """
  import av

  avi = pathlib.Path(path).suffix == '.avi'
  container, samples = ('avi', 's16') if avi else ('mp4', 'fltp')
  options = {'fflags': '+bitexact'}
  with av.open(os.fspath(path), 'w', container, options) as file:
    if avi:
      audio = file.add_stream('pcm_s16le', rate=_RATE, layout='mono')
    else:
      audio = file.add_stream('aac', rate=_RATE, layout='mono')
    video = file.add_stream('mpeg4', rate=25)
    for stream, of in ((video, 'video'), (audio, 'audio')):
      stream.codec_context.thread_count = 1
      stream.codec_context.bit_rate = _BITS[of]
      stream.codec_context.options = {'flags': '+bitexact'}
    for index, image in enumerate(frames):
      if index == 0:
        video.height, video.width = image.shape[:2]
        video.pix_fmt = 'yuv420p'
      frame = av.VideoFrame.from_ndarray(image, format='rgb24')
      frame.pts = index
      file.mux(video.encode(frame))
    for start in range(0, len(waveform), _BLOCK):
      block = _block(waveform[None, start : start + _BLOCK], avi)
      sound = av.AudioFrame.from_ndarray(block, samples, 'mono')
      sound.sample_rate, sound.pts = _RATE, start
      file.mux(audio.encode(sound))
    for stream in (video, audio):
      file.mux(stream.encode(None))


def _block(block: np.ndarray, integers: bool) -> np.ndarray:
  """Returns samples as float32, or as 16-bit integers."""
  if not integers:
    return np.ascontiguousarray(block, np.float32)
  return np.clip(np.round(32768 * block), -32768, 32767).astype(np.int16)


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
  """Writes an image (height, width, 3), uint8 RGB, as PNG."""
  import cv2

  coded = cv2.imencode('.png', image[:, :, ::-1])[1]
  pathlib.Path(path).write_bytes(coded.tobytes())
