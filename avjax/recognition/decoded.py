"""Arrays of one's own -> a raw clip, as the decoder returns it."""

import numpy as np

from avjax.clips import FRAME_RATE, SAMPLE_RATE, Note, RawClip
from avjax.errors import ConfigError, DataError

_SAMPLES = SAMPLE_RATE // FRAME_RATE  # of a video frame


def raw_clip(
  frames: np.ndarray | None,
  waveform: np.ndarray | None,
  rate: int | float,
  frame_rate: int | float,
  name: str = 'arrays',
) -> RawClip:
  """Returns a raw clip; both begin at 0, and the longer one sets its length.

  Args:
    frames: (frames, height, width, 3) uint8, upright RGB; None without any.
    waveform: (samples,) mono, in [-1, 1]; None without sound.
    rate: samples a second of the waveform.
    frame_rate: pictures a second.
    name: of the clip.

  Raises:
    DataError: an array has another shape or type, or there is none.
  """
  if frames is None and waveform is None:
    raise DataError(
      'there is neither a file, nor frames, nor a waveform; give one of them'
    )
  seconds = []
  if frames is not None:
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
      raise DataError(
        f'the frames are {frames.dtype} of the shape {frames.shape}; wanted'
        ' uint8 (frames, height, width, 3), RGB'
      )
    seconds.append(len(frames) / _positive('frame_rate', frame_rate))
  if waveform is not None:
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or waveform.dtype.kind != 'f':
      raise DataError(
        f'the waveform is {waveform.dtype} of the shape {waveform.shape};'
        ' wanted floating-point numbers in [-1, 1], one channel'
      )
    if not np.isfinite(waveform).all():
      raise DataError('the waveform has NaN or infinite values; remove them')
    seconds.append(len(waveform) / _positive('rate', rate))
  length = round(max(seconds) * FRAME_RATE)
  sound, audible = _sound(waveform, rate, length)
  notes = [Note('no picture', 'no video')] if frames is None else []
  if waveform is None:
    notes.append(Note('no sound', 'no audio'))
  shown = None if frames is None else _paced(frames, frame_rate, length)
  return RawClip(name, shown, sound, audible, length, tuple(notes))


def _positive(name: str, value: int | float) -> int | float:
  if not value > 0:
    raise ConfigError(f'{name} is {value!r}; it must be above 0')
  return value


def _paced(frames: np.ndarray, rate: int | float, length: int) -> np.ndarray:
  """Returns the nearest picture of every video frame, 25 a second."""
  nearest = np.round(np.arange(length) * rate / FRAME_RATE).astype(int)
  return frames[np.minimum(nearest, len(frames) - 1)]


def _sound(
  waveform: np.ndarray | None, rate: int | float, length: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the waveform at 16 kHz, and where there is any."""
  sound = np.zeros(length * _SAMPLES)
  if waveform is None:
    return sound, np.zeros(len(sound), bool)
  wave = waveform.astype(np.float64)
  if rate != SAMPLE_RATE:
    try:
      import soxr
    except ImportError:
      raise ConfigError(
        f'a waveform of {rate} samples a second needs the package soxr; pip'
        " install 'avjax[features]', or give it at 16000"
      ) from None
    wave = soxr.resample(wave, rate, SAMPLE_RATE, 'HQ')
  kept = min(len(wave), len(sound))
  sound[:kept] = wave[:kept]
  return sound, np.arange(len(sound)) < kept
