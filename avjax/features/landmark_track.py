"""Landmarks from files, on the time line of their clip.

Without a frame rate a file has the landmarks of every video frame, up to SLACK
of them more or less. With one (`landmarks_rate`) every video frame has the
landmarks that are nearest in time, and the two may end up to APART seconds
apart:

  clip                 its length            landmarks end earlier   and later
  with pictures        that of the pictures  the last are held       cut
  sound alone          of the landmarks; up  the last are held to    silence
                       to TAIL more sound    the end of the sound    follows
                       is cut

A difference of more than TAIL is noted.
"""

import dataclasses
from fractions import Fraction

import numpy as np

from avjax.clips import FRAME_RATE, SAMPLE_RATE, Note, RawClip
from avjax.errors import DataError
from avjax.features import landmark_files
from avjax.features.timestamps import TAIL
from avjax.shapes import Float

SLACK = 2
"""Frames that landmarks without a rate may have more or less than the clip."""

APART = Fraction(1, 2)
"""Seconds by which landmarks with a rate and their clip may differ in length.
Ours: takes of RAVDESS differ by up to 0.3 s; with a rate of 25 for 30, a clip
of 3 s would differ by 0.6 s."""


def place(
  raw: RawClip, rows: Float[np.ndarray, 'frames _'], rate: Fraction | None
) -> RawClip:
  """Returns a clip with its landmarks.

  Args:
    raw: the decoded clip. Without pictures its length becomes that of its
      landmarks.
    rows: the numbers of every frame of landmarks.
    rate: of these frames, per second; None: one for every video frame.

  Raises:
    DataError: landmarks and clip differ too much in length.
  """
  notes = [note for note in raw.notes if note.kind != 'no picture']
  if rate is None:
    rows = _one_each(rows, raw.length)
  elif not len(rows):
    raise DataError('its landmarks have no frame')
  else:
    end = _end(raw)
    own = len(rows) / rate
    notes += _compared(own, end, raw.frames is not None)
    if raw.frames is None:
      raw = _lasting(raw, end if end - own > TAIL else own)
    rows = rows[_nearest(raw.length, rate, len(rows))]
  points, found = landmark_files.faces(rows)
  return dataclasses.replace(
    raw, points=points, found=found, notes=tuple(notes)
  )


def _one_each(rows: np.ndarray, length: int) -> np.ndarray:
  """Returns a row for every video frame; NaN where the file has none."""
  if abs(len(rows) - length) > SLACK:
    raise DataError(
      f'its landmarks have {len(rows)} frames and the clip has {length}; give'
      ' the landmarks of every frame at 25 frames per second, or their rate'
      ' with --landmarks_rate'
    )
  every = np.full((length, rows.shape[1]), np.nan)
  every[: len(rows)] = rows[:length]
  return every


def _end(raw: RawClip) -> Fraction:
  """Returns the end of the pictures in seconds, or without any of the sound."""
  if raw.frames is not None:
    return Fraction(raw.length, FRAME_RATE)
  heard = np.flatnonzero(raw.audible)
  return Fraction(int(heard[-1]) + 1 if len(heard) else 0, SAMPLE_RATE)


def _compared(own: Fraction, end: Fraction, pictures: bool) -> list[Note]:
  """Returns the notes on landmarks that end at another time than their clip.

  Args:
    own: end of the landmarks in seconds.
    end: of the pictures, or of the sound.
    pictures: whether there are any.

  Raises:
    DataError: the two are more than APART from each other.
  """
  lag = end - own
  if abs(lag) > APART:
    other = 'pictures' if pictures else 'sound'
    raise DataError(
      f'its landmarks last {float(own):.2f} s and its {other} {float(end):.2f}'
      f' s, and at most {float(APART):g} s may be between them; correct'
      ' --landmarks_rate or the file'
    )
  if lag > TAIL:
    text = f'the last landmarks are held for {float(lag):.2f} s'
    return [Note('held', text)]
  if lag < -TAIL and pictures:
    text = f'{float(-lag):.2f} s of landmarks after the last picture are cut'
    return [Note('held', text)]
  if lag < -TAIL:
    text = f'the sound ends {float(-lag):.2f} s before the landmarks'
    return [Note('hole', text)]
  return []


def _lasting(raw: RawClip, seconds: Fraction) -> RawClip:
  """Returns a clip without pictures that is cut, or goes on in silence."""
  length = max(int(seconds * FRAME_RATE + Fraction(1, 2)), 1)
  samples = length * SAMPLE_RATE // FRAME_RATE
  more = max(samples - len(raw.waveform), 0)
  return dataclasses.replace(
    raw,
    waveform=np.pad(raw.waveform[:samples], (0, more)),
    audible=np.pad(raw.audible[:samples], (0, more)),
    length=length,
  )


def _nearest(length: int, rate: Fraction, frames: int) -> np.ndarray:
  """Returns the frame of landmarks for every video frame, in exact integers."""
  top, bottom = rate.numerator, FRAME_RATE * rate.denominator
  t = np.arange(length)
  return np.minimum((2 * t * top + bottom) // (2 * bottom), frames - 1)
