"""Small media files whose frames and audio show their time.

A frame has eight vertical bars, the binary digits of its number. The audio is
silent except for a beep.
"""

import itertools
from fractions import Fraction

import av
import numpy as np

WIDTH, HEIGHT = 96, 64
BEEP_S = 0.1


def picture(number, width=WIDTH, height=HEIGHT):
  """Returns the frame (height, width, 3) uint8 that shows a number."""
  edges = np.arange(width) * 8 // width
  row = np.where(number >> edges & 1, 235, 20).astype(np.uint8)
  return np.broadcast_to(row[None, :, None], (height, width, 3))


def number(frame):
  """Returns the number that a decoded frame shows."""
  height, width = frame.shape[:2]
  middles = (2 * np.arange(8) + 1) * width // 16
  bits = frame[height // 2, middles].mean(axis=-1) > 128
  return int((bits << np.arange(8)).sum())


def make(
  path,
  *,
  ticks=range(60),
  tick=Fraction(1, 25),
  video='mpeg4',
  pixels='yuv420p',
  size=(WIDTH, HEIGHT),
  rotation=0,
  audio='aac',
  rate=48000,
  layout='stereo',
  channels=2,
  level=0.5,
  sound=(0.0, 2.4),
  gap=None,
  beep=1.0,
  cover=False,
  aspect=None,
  trc=None,
  options=None,
):
  """Writes a media file and returns its path.

  Args:
    ticks: time stamp of each frame, in units of `tick` seconds.
    video, audio: encoders, or None for no such stream.
    level: of the beep, in the first channel; the others are silent.
    sound: start and end of the audio in seconds.
    gap: start and end of a gap in the audio, or None.
    cover: whether the video stream is marked as album art.
    aspect: width of a pixel over its height.
    trc: number of the transfer function.
  """
  with av.open(str(path), 'w', options=options or {}) as box:
    writers = []
    if video:
      writers.append(_video(box, video, ticks, tick, pixels, size, rotation))
      context = box.streams.video[0].codec_context
      if aspect:
        context.sample_aspect_ratio = aspect
      if trc:
        context.color_trc = trc
    if cover:
      box.streams.video[0].disposition = av.stream.Disposition.attached_pic
    if audio:
      start = np.arange(int(sound[0] * rate), int(sound[1] * rate))
      wave = np.zeros((channels, len(start)))
      since = start - round(beep * rate)
      on = (since >= 0) & (since < round(BEEP_S * rate))
      tone = np.cos(2 * np.pi * 1000 * start / rate)
      wave[0] = np.where(on, level * tone, 0)
      writers.append(_audio(box, audio, wave, start[0], rate, layout, gap))
    # Interleaved here, for containers that are written in order.
    for packets in itertools.zip_longest(*writers):
      box.mux([packet for packet in packets if packet])
  return path


def _video(box, codec, ticks, tick, pixels, size, rotation):
  stream = box.add_stream(codec, rate=1 / tick)
  stream.width, stream.height = size
  stream.pix_fmt = pixels
  stream.codec_context.time_base = tick
  stream.codec_context.thread_count = 1
  stream.bit_rate = 2_000_000
  if rotation:
    stream.set_display_rotation(rotation)
  return _encoded_video(stream, ticks, tick, size)


def _encoded_video(stream, ticks, tick, size):
  for index, at in enumerate(ticks):
    image = np.ascontiguousarray(picture(index, *size))
    frame = av.VideoFrame.from_ndarray(image, format='rgb24')
    frame.pts, frame.time_base = at, tick
    yield from stream.encode(frame)
  yield from stream.encode(None)


def _audio(box, codec, wave, start, rate, layout, gap):
  stream = box.add_stream(codec, rate=rate, layout=layout)
  return encoded_audio(stream, wave, start, rate, layout, gap)


def encoded_audio(stream, wave, start, rate, layout, gap, step=960):
  for first in range(0, wave.shape[1], step):
    at = (first + start) / rate
    if gap and gap[0] <= at < gap[1]:
      continue
    block = wave[:, first : first + step].astype(np.float32)
    frame = av.AudioFrame.from_ndarray(
      np.ascontiguousarray(block), format='fltp', layout=layout
    )
    frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
    frame.pts = int(first + start)
    yield from stream.encode(frame)
  yield from stream.encode(None)


def mutated(good, seed):
  """Returns the bytes of a media file, damaged in one of four ways."""
  rng = np.random.default_rng(seed)
  data = np.frombuffer(good, np.uint8).copy()
  kind = seed % 4
  if kind == 0:
    return data[: rng.integers(1, len(data))].tobytes()
  if kind == 1:
    where = rng.integers(len(data), size=rng.integers(1, 200))
    data[where] ^= 1 << rng.integers(8, size=len(where)).astype(np.uint8)
  elif kind == 2:  # in the index, at the beginning or the end of the file
    span = min(2000, len(data))
    where = rng.integers(span, size=rng.integers(1, 20))
    where = np.where(rng.random(len(where)) < 0.5, where, len(data) - 1 - where)
    data[where] = rng.integers(256, size=len(where))
  else:
    first = rng.integers(len(data))
    data[first : first + rng.integers(1, len(data))] = 0
  return data.tobytes()


def numbers(clip):
  """Returns the numbers that the frames of a decoded clip show."""
  return [number(frame) for frame in clip.frames]


def onset(clip, level=0.05):
  """Returns the second at which the beep of a decoded clip begins."""
  return np.argmax(np.abs(clip.waveform) > level) / 16000


def whole(clip):
  """Returns whether a clip's arrays agree in length and are within bounds."""
  samples = clip.length * 640
  return (
    clip.waveform.shape == clip.audible.shape == (samples,)
    and clip.waveform.dtype == np.float64
    and np.abs(clip.waveform).max() <= 1  # False for NaN
    and not clip.waveform[~clip.audible].any()
    and (clip.frames is None or len(clip.frames) == clip.length)
  )
