"""What FFmpeg's containers say of a file, and what they leave open.

JAX is not imported: `decoding` runs without it.
"""

import contextlib
import functools
import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from avjax.features.timestamps import RefusedFile

PARTIAL = 0.95
"""A file with a smaller share of its declared duration is called partial."""

_REFUSED = (
  'concat', 'concatf', 'dash', 'hls', 'imf', 'sdp', 'rtp', 'rtsp', 'sap',
  'webm_dash_manifest', 'image2', 'tty', 'lavfi', 'alsa', 'oss', 'fbdev',
  'kmsgrab', 'v4l2', 'x11grab', 'vobsub', 'ffmetadata', 'mca',
)  # fmt: skip
"""Formats that open other files or devices, and text that FFmpeg would draw."""

_PLAYLISTS = (b'#EXTM3U', b'ffconcat', b'<MPD', b'v=0', b'[playlist]', b'<smil')
_ENDING = ('flv', 'asf', 'wav')  # formats of which FFmpeg reads one recording
_MOST_BOXES = 10_000  # a fragmented recording has some for every second
_MICROSECONDS = 1_000_000  # per second; FFmpeg's time base for whole files

Notes = list[tuple[str, str]]


@functools.cache
def _allowed() -> str:
  """Returns the names of the formats that hold all they need."""
  import av

  names = (name for name in av.formats_available if name not in _REFUSED)
  return ','.join(sorted(names))


@contextlib.contextmanager
def opened(path: str) -> Iterator[tuple[Any, Notes]]:
  """Opens a file; yields it and remarks.

  Raises:
    RefusedFile: it is a playlist, or another text that names files.
  """
  import av

  # Metadata in another encoding than UTF-8; PyAV 19 accepts any.
  old = int(av.__version__.split('.')[0]) < 19
  lenient: dict[str, Any] = {'metadata_errors': 'replace'} if old else {}
  options = {'format_whitelist': _allowed(), 'protocol_whitelist': 'file'}
  url: str = path
  notes: Notes = []
  recordings = [at for at, name, _ in _boxes(path) if name == b'ftyp']
  if len(recordings) > 1:
    # FFmpeg would mix the fragments of all.
    url = f'subfile,,start,0,end,{recordings[1]},,:{path}'
    options['protocol_whitelist'] = 'file,subfile'
    text = f'{len(recordings)} recordings are joined in it; the first is used'
    notes.append(('joined', text))
  try:
    container = av.open(url, options=options, **lenient)
  except av.error.FFmpegError:
    with open(path, 'rb') as file:
      beginning = file.read(1000).lstrip(b'\xef\xbb\xbf \r\n\t')
    if beginning.startswith(_PLAYLISTS) or b'<MPD' in beginning:
      raise RefusedFile(
        'it is a playlist, which names other files; give the clip itself'
      ) from None
    raise
  with container:
    yield container, notes


def _boxes(path: str) -> list[tuple[int, bytes, int]]:
  """Returns (offset, name, length) of an MP4's outer boxes; [] for others."""
  found: list[tuple[int, bytes, int]] = []
  size = os.path.getsize(path)
  with open(path, 'rb') as file:
    offset = 0
    while offset + 8 <= size and len(found) < _MOST_BOXES:
      file.seek(offset)
      header = file.read(16)
      length, name = struct.unpack_from('>I4s', header)
      if length == 1 and len(header) == 16:  # the size follows in 64 bits
        length = struct.unpack_from('>Q', header, 8)[0]
      if not (found or name == b'ftyp') or length < 8:  # not MP4, or the last
        break
      found.append((offset, name, length))
      offset += length
  return found


def cut(path: str) -> Notes:
  """Returns a note if an MP4 or WAV file is shorter than it says, or []."""
  size = os.path.getsize(path)
  missing = 0
  if boxes := _boxes(path):
    missing = sum(boxes[-1][::2]) - size
  with open(path, 'rb') as file:
    beginning = file.read(4096)
  place = beginning.find(b'data', 12)
  if beginning.startswith(b'RIFF') and beginning[8:12] == b'WAVE' and place > 0:
    declared = int.from_bytes(beginning[place + 4 : place + 8], 'little')
    if declared < 0xFFFFFF00:  # a stream, whose length was not known
      missing = place + 8 + declared - size
  if missing <= 0:
    return []
  return [('partial', f'partial: the last {missing} bytes of it are missing')]


def unread(container, reach: int, path: str) -> Notes:
  """Returns a note if a file goes on where its format ends, or [].

  Args:
    container: the open file.
    reach: offset of the end of the last packet.
    path: of the file.
  """
  size = os.path.getsize(path)
  if container.format.name not in _ENDING or size - reach < size / 20 + 4096:
    return []
  text = (
    f'{size - reach} of {size} bytes are not read: another recording may be'
    ' joined behind the first'
  )
  return [('joined', text)]


def chosen(container, kind: str) -> tuple[Any, Notes]:
  """Returns the stream of a kind to decode, or None, and remarks.

  It is the first that is flagged default, or else the first that is not meant
  for people who cannot see or hear, or else the first.
  """
  from av.stream import Disposition

  special = (
    Disposition.comment
    | Disposition.hearing_impaired
    | Disposition.visual_impaired
    | Disposition.karaoke
  )
  streams = [
    stream
    for stream in container.streams
    if stream.type == kind
    and stream.codec_context
    and not stream.disposition & Disposition.attached_pic  # album art
  ]
  if not streams:
    return None, []
  best = min(
    streams,
    key=lambda stream: (
      not stream.disposition & Disposition.default,
      bool(stream.disposition & special),
    ),
  )
  if len(streams) == 1:
    return best, []
  number = streams.index(best) + 1
  text = f'{len(streams)} {kind} tracks, of which number {number} is used'
  return best, [('tracks', text)]


def discontinuous(container) -> bool:
  """Returns whether the clock of the container may be set anew (MPEG-TS)."""
  from av.format import Flags

  return bool(container.format.flags & Flags.ts_discont.value)


def assumed_delay(container, video, audio) -> tuple[int, Notes]:
  """Returns the encoder's delay in samples where only the codec is known.

  MP3's is that of LAME and the decoder, AAC's that of FFmpeg's encoder, of
  which other encoders have up to 2112 samples; WMA's is one block.

  Args:
    container: the open file.
    video: the stream to decode, or None; in ASF it has the same delay.
    audio: the stream to decode, or None.
  """
  name = container.format.name
  if audio is None or (name == 'asf' and video is not None):
    return 0, []
  codec, rate = audio.codec_context.name, audio.rate
  delay = 0
  if name in ('avi', 'aac'):
    delay = {'mp3': 1105, 'mp3float': 1105, 'aac': 1024}.get(codec, 0)
  elif name == 'asf' and codec in ('wmav1', 'wmav2'):
    delay = 512 if rate <= 16000 else 1024 if rate <= 22050 else 2048
  if not delay:
    return 0, []
  text = (
    f'{name.upper()} files do not tell the delay of their'
    f' {codec.removesuffix("float").upper()} encoder; {delay} samples are'
    ' assumed'
  )
  return delay, [('sound', text)]


def partial(container, ends: list[tuple[Any, Fraction, Fraction]]) -> Notes:
  """Returns a note if the file ends before its declared end, or [].

  A truncated file often ends without any error.

  Args:
    container: the open file.
    ends: (stream or None, its decoded end in seconds, its time stamp of time
      zero) for video and audio.
  """
  pairs = []
  # Matroska and ASF declare the last time stamp, others a duration.
  stamped = container.format.name in ('matroska,webm', 'asf')
  for stream, end, zero in ends:
    if end and stream.duration and stream.time_base:
      start = 0 if stamped else stream.start_time or 0
      pairs.append((end, (start + stream.duration) * stream.time_base - zero))
  if not pairs and container.duration:
    start = container.start_time or 0 if stamped else 0
    declared = Fraction(container.duration - start, _MICROSECONDS)
    pairs = [(max(end for _, end, _ in ends), declared)]
  for end, declared in sorted(pairs, key=lambda pair: pair[0] - pair[1]):
    if end < PARTIAL * declared:
      seconds = f'{float(end):.2f} of {float(declared):.2f} s'
      return [('partial', f'partial: {seconds} decoded')]
  return []
