"""Encodes clips and images into files, with the same bytes on every run."""

import os
import pathlib
from collections.abc import Iterable

import numpy as np

from avjax.errors import ConfigError

_RATE = 16000  # samples per second
_BLOCK = 1024  # samples per AAC frame
_SOUND = {'.mp4': ('aac', 'fltp'), '.avi': ('pcm_s16le', 's16')}
"""Ending of the file -> codec and sample format of the sound."""
_TYPES = {'fltp': np.float32, 's16': np.int16}
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

  ending = pathlib.Path(path).suffix
  codec, kept = _SOUND[ending]
  options = {'fflags': '+bitexact'}
  with av.open(
    os.fspath(path), 'w', format=ending[1:], options=options
  ) as file:
    audio = file.add_stream(codec, rate=_RATE, layout='mono')
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
      if kept == 's16':
        block = np.clip(np.round(32768 * block), -32768, 32767)
      block = np.ascontiguousarray(block, _TYPES[kept])
      samples = av.AudioFrame.from_ndarray(block, format=kept, layout='mono')
      samples.sample_rate, samples.pts = _RATE, start
      file.mux(audio.encode(samples))
    for stream in (video, audio):
      file.mux(stream.encode(None))


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
  """Writes an image (height, width, 3), uint8 RGB, as PNG."""
  import cv2

  coded = cv2.imencode('.png', image[:, :, ::-1])[1]
  pathlib.Path(path).write_bytes(coded.tobytes())
