"""Clicks and flashes at known times, in many containers and codecs.

Each file has a click and a white flash 1, 2 and 3 s after its beginning. Run as
a script, this module decodes every combination, prints how far they are from
there, and exits with 1 if one is beyond the bounds:

  python -m tests.features.clicks
"""

import dataclasses
import pathlib
import sys
import tempfile
from fractions import Fraction

import av
import numpy as np

from avjax.features import media

AT = (1.0, 2.0, 3.0)
LENGTH_S = 4.0
FLASH_S = 0.12  # three frames of 25 per second
CLICK_BOUND = 0.010
FLASH_BOUND = 0.020  # half a frame
_KERNEL = np.hanning(64)  # 4 ms at 16 kHz

CONTAINERS = {
  'mp4': ('mp4', 'libx264', 'aac'),
  'mov': ('mov', 'mpeg4', 'pcm_s16le'),
  'mkv': ('mkv', 'libx264', 'aac'),
  'webm': ('webm', 'libvpx', 'libopus'),
  'avi, PCM': ('avi', 'mpeg4', 'pcm_s16le'),
  'avi, MP3': ('avi', 'mpeg4', 'libmp3lame'),
  'ts': ('ts', 'libx264', 'aac'),
  'mpg': ('mpg', 'mpeg2video', 'mp2'),
  'flv': ('flv', 'flv', 'libmp3lame'),
  'flv, H.264': ('flv', 'libx264', 'aac'),
  'asf': ('asf', 'msmpeg4', 'wmav2'),
  'mkv, HEVC': ('mkv', 'libx265', 'flac'),
  'mp4, AC-3': ('mp4', 'libx264', 'ac3'),
  'fragmented mp4': ('mp4', 'libx264', 'aac'),
}
VARIANTS = {
  'plain': {},
  'late': {'offset': 3.2},
  'B-frames': {'b_frames': 2},
  'variable rate': {'variable': True},
  'jitter': {'jitter': 0.010},
  'edit list': {'offset': -0.4},
}
SOUND_ONLY = {
  'm4a': 'aac',
  'mp3': 'libmp3lame',
  'wma': 'wmav2',
  'ogg': 'libopus',
  'flac': 'flac',
  'wav': 'pcm_s16le',
  'aac': 'aac',
}
"""Ending of a file without pictures -> its codec."""

UNTOLD = {
  'fragmented mp4, variable rate': (
    'sound and picture together are late by the priming of AAC: the file has no'
    ' edit list, and its first picture cannot be told from a long one'
  ),
}
"""Combination -> why nothing in the file tells the right time."""

_NO_OFFSET = {'avi, PCM', 'avi, MP3'}  # sound always begins at once there
_NO_B_FRAMES = {'webm', 'flv', 'asf'}
_NO_VARIABLE = {'avi, PCM', 'avi, MP3', 'mpg'}
_NO_JITTER = {'mov', 'avi, PCM', 'avi, MP3', 'mp4', 'mp4, AC-3'}
_EDIT_LIST = {'mp4', 'mov', 'mp4, AC-3'}


@dataclasses.dataclass(frozen=True)
class Case:
  """One file to make.

  Attributes:
    suffix: of the file, which decides the container.
    video, audio: encoders, or None for no such stream.
    offset: seconds that are added to every time stamp; a negative one makes an
      edit list that begins within the stream.
    b_frames: most B-frames in succession.
    variable: whether the frames last 20 to 60 ms.
    jitter: largest error of an audio block's time stamp, in seconds.
    options: of the muxer.
  """

  suffix: str
  video: str | None
  audio: str | None
  offset: float = 0.0
  b_frames: int = 0
  variable: bool = False
  jitter: float = 0.0
  options: tuple[tuple[str, str], ...] = ()


def cases() -> dict[str, Case]:
  """Returns all combinations by name."""
  found = {}
  for name, (suffix, video, audio) in CONTAINERS.items():
    left_out = {
      'late': _NO_OFFSET,
      'B-frames': _NO_B_FRAMES,
      'variable rate': _NO_VARIABLE,
      'jitter': _NO_JITTER,
      'edit list': CONTAINERS.keys() - _EDIT_LIST,
    }
    options: tuple[tuple[str, str], ...] = ()
    if name == 'fragmented mp4':
      options = (('movflags', 'frag_keyframe+empty_moov+default_base_moof'),)
    for variant, given in VARIANTS.items():
      if name not in left_out.get(variant, ()):
        found[f'{name}, {variant}'] = Case(
          suffix, video, audio, options=options, **given
        )
  for suffix, audio in SOUND_ONLY.items():
    found[f'{suffix}, sound only'] = Case(suffix, None, audio)
  found['mkv, late, B-frames, jitter'] = Case(
    'mkv', 'libx264', 'libopus', offset=3.0, b_frames=2, jitter=0.010
  )
  found['webm, late, variable rate, jitter'] = Case(
    'webm', 'libvpx', 'libopus', offset=7.0, variable=True, jitter=0.010
  )
  found['ts, late, B-frames'] = Case(
    'ts', 'libx264', 'aac', offset=90.0, b_frames=2
  )
  found['mov, late, variable rate'] = Case(
    'mov', 'libx264', 'aac', offset=0.72, variable=True
  )
  return found


def make(path: pathlib.Path, case: Case) -> pathlib.Path:
  """Writes the file of a case; returns its path."""
  with av.open(str(path), 'w', options=dict(case.options)) as box:
    encoders = []
    if case.video:
      encoders.append(pictures(box, case))
    if case.audio:
      encoders.append(sound(box, case))
    packets = [packet for encoder in encoders for packet in encoder]
    packets.sort(key=lambda packet: packet.dts * packet.time_base)
    for packet in packets:
      box.mux(packet)
  return path


def _times(case: Case) -> np.ndarray:
  """Returns the milliseconds at which the frames begin."""
  start = min(round(1000 * case.offset), 0)
  if not case.variable:
    return np.arange(start, 1000 * LENGTH_S, 40, int)
  steps = np.resize([20, 60, 40, 30, 50], 200)
  times = np.concatenate([[0], np.cumsum(steps)])
  return times[times < 1000 * LENGTH_S]


def pictures(box, case: Case):
  tick = Fraction(1, 1000) if case.variable else Fraction(1, 25)
  stream = box.add_stream(case.video, rate=25)
  stream.width, stream.height = 96, 64
  stream.pix_fmt = 'yuv420p'
  context = stream.codec_context
  context.time_base = tick
  context.thread_count = 1
  context.max_b_frames = case.b_frames
  if case.video == 'libx265':
    stream.options = {'x265-params': 'log-level=none'}
  for ms in _times(case):
    lit = any(0 <= ms / 1000 - at < FLASH_S for at in AT)
    image = np.full((64, 96, 3), 235 if lit else 30, np.uint8)
    frame = av.VideoFrame.from_ndarray(image, format='rgb24')
    frame.time_base = tick
    shifted = ms / 1000 + max(case.offset, 0)
    frame.pts = round(shifted / tick)
    yield from stream.encode(frame)
  yield from stream.encode(None)


def sound(box, case: Case):
  rate = 48000 if case.audio == 'libopus' else 44100
  stream = box.add_stream(case.audio, rate=rate, layout='mono')
  stream.bit_rate = 64000
  begin = min(case.offset, 0)
  wave = np.zeros(round((LENGTH_S - begin) * rate), np.float32)
  burst = _click(rate)
  for at in AT:
    middle = round((at - begin) * rate)
    wave[middle - len(burst) // 2 :][: len(burst)] += burst
  rng = np.random.default_rng(0)
  step = rate // 50
  for first in range(0, len(wave), step):
    block = wave[None, first : first + step]
    frame = av.AudioFrame.from_ndarray(block, format='fltp', layout='mono')
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    frame.pts = first + round((begin + max(case.offset, 0)) * rate)
    for packet in stream.encode(frame):
      yield _jittered(packet, case, rng)
  for packet in stream.encode(None):
    yield _jittered(packet, case, rng)


def _jittered(packet, case: Case, rng):
  if case.jitter:
    error = rng.uniform(-case.jitter, case.jitter)
    packet.pts += round(error / packet.time_base)
    packet.dts = packet.pts
  return packet


def _click(rate: int) -> np.ndarray:
  """Returns 8 ms of 1.5 kHz, loudest in the middle."""
  second = np.arange(round(0.008 * rate)) / rate - 0.004
  shape = np.hanning(len(second))
  return (0.8 * shape * np.cos(2 * np.pi * 1500 * second)).astype(np.float32)


def clicks(clip) -> list[float]:
  """Returns the times of the clicks of a decoded clip, in seconds."""
  level = np.convolve(clip.waveform**2, _KERNEL, 'same')
  found = []
  while len(found) <= len(AT) and level.max() > 0.2:
    middle = int(np.argmax(level))
    found.append(middle / 16000)
    level[max(middle - 4000, 0) : middle + 4000] = 0
  return sorted(found)


def flashes(clip) -> list[float]:
  """Returns the times at which the flashes of a decoded clip begin."""
  if clip.frames is None:
    return []
  lit = clip.frames.mean((1, 2, 3)) > 130
  return [
    float(k / 25) for k in np.flatnonzero(np.diff(lit, prepend=False) & lit)
  ]


def errors(clip, case: Case) -> tuple[float, float]:
  """Returns the largest errors of the clicks and the flashes, in seconds.

  Infinite if one is missing or too many.
  """
  worst = []
  for found, wanted in (
    (clicks(clip), bool(case.audio)),
    (flashes(clip), bool(case.video)),
  ):
    times = AT if wanted else ()
    if len(found) != len(times):
      worst.append(float('inf'))
      continue
    pairs = zip(found, times, strict=True)
    worst.append(max((abs(a - b) for a, b in pairs), default=0.0))
  return worst[0], worst[1]


def main() -> int:
  """Decodes every combination; returns 1 if one is beyond the bounds."""
  bad = 0
  with media.Decoder() as decoder, tempfile.TemporaryDirectory() as folder:
    for name, case in cases().items():
      path = make(pathlib.Path(folder, f'a.{case.suffix}'), case)
      clip = decoder(path)
      click, flash = errors(clip, case)
      good = click <= CLICK_BOUND and flash <= FLASH_BOUND + 1e-9
      verdict = 'ok' if good else 'untold' if name in UNTOLD else 'BAD'
      bad += verdict == 'BAD'
      notes = '; '.join(note.text for note in clip.notes)
      print(
        f'{verdict:<6} {name}: clicks {1000 * click:.1f} ms, flashes'
        f' {1000 * flash:.0f} ms, {clip.length / 25:.2f} s; {notes}'
      )
  print(f'{len(cases())} combinations, {bad} beyond the bounds')
  return int(bool(bad))


if __name__ == '__main__':
  sys.exit(main())
