"""Landmarks at any frame rate on the time line of their clip."""

from fractions import Fraction

import numpy as np
import pytest

from avjax.clips import Note, RawClip
from avjax.errors import ConfigError, DataError
from avjax.features import landmark_track
from avjax.settings import FeaturesConfig
from tests.features.clips_made import whole

NTSC = '30000/1001'


def rate_of(text):
  return FeaturesConfig(landmarks='{clip}', landmarks_rate=text).rate


def raw(length, pictures=False, sound=None):
  """Returns a clip whose sound lasts `sound` seconds, by default all of it."""
  samples = 640 * length
  heard = np.arange(samples) < (samples if sound is None else sound * 16000)
  frames = np.zeros((length, 2, 2, 3), np.uint8) if pictures else None
  notes = () if pictures else (Note('no picture', 'no video'),)
  return RawClip('a', frames, heard * 0.5, heard, length, notes)


def numbered(count):
  """Returns rows of landmarks that are the number of their frame, from 1."""
  return np.repeat(np.arange(1.0, count + 1), 98).reshape(count, 98)


@pytest.mark.parametrize('pictures', [True, False])
@pytest.mark.parametrize('rate', ['25', '12.5', NTSC, '29.97', '60', '100'])
def test_the_nearest_in_time(rate, pictures):
  """Law: no landmarks are nearer in time to a video frame than its own."""
  exact = rate_of(rate)
  count = round(exact * 2)
  placed = landmark_track.place(raw(50, pictures), numbered(count), exact)
  assert placed.length == 50 and whole(placed) and placed.found.all()
  for t, frame in enumerate(placed.points[:, 0, 0] - 1):
    away = [abs(Fraction(t, 25) - k / exact) for k in range(count)]
    assert away[int(frame)] == min(away)


@pytest.mark.parametrize(
  ('sound', 'frames', 'length', 'note'),
  [
    (2.0, 60, 50, ''),
    (2.09, 60, 50, ''),  # within TAIL: the sound is cut
    (2.3, 60, 58, 'the last landmarks are held for 0.30 s'),  # 57.5 rounds up
    (1.95, 60, 50, ''),
    (1.6, 60, 50, 'the sound ends 0.40 s before the landmarks'),
  ],
)
def test_sound_and_landmarks_that_differ(sound, frames, length, note):
  """Law: the length follows the table; what is added is silent or held."""
  clip = raw(round(np.ceil(sound * 25)), sound=sound)
  placed = landmark_track.place(clip, numbered(frames), rate_of('30'))
  assert placed.length == length and whole(placed)
  assert [n.text for n in placed.notes] == [note] * bool(note)
  heard = min(round(sound * 16000), length * 640)
  assert placed.audible[:heard].all() and not placed.audible[heard:].any()
  last = placed.points[:, 0, 0]
  assert last[49] == frames and (last[50:] == frames).all()


def test_pictures_and_landmarks_that_differ():
  """Law: the pictures give the length; landmarks are held or cut, and noted."""
  for frames, note in ((60, 'held for 0.40 s'), (84, '0.40 s of landmarks')):
    placed = landmark_track.place(
      raw(60, True), numbered(frames), rate_of('30')
    )
    assert placed.length == 60 and placed.frames is not None
    (text,) = [n.text for n in placed.notes]
    assert note in text


@pytest.mark.parametrize('pictures', [True, False])
@pytest.mark.parametrize('frames', [0, 60, 120])
def test_another_clip_or_rate(frames, pictures):
  """Program: a difference that no recording has is refused, with both ends."""
  wanted = 'no frame' if not frames else f'last {frames / 30:.2f} s and its'
  with pytest.raises(DataError, match=wanted):
    landmark_track.place(raw(75, pictures), numbered(frames), rate_of('30'))


def test_frames_without_a_face_are_not_held():
  """Law: a NaN where the landmarks end is no face for as long as it is held."""
  rows = numbered(30)
  rows[10:14], rows[-1, 5] = 0, np.nan
  placed = landmark_track.place(raw(30, sound=1.2), rows, rate_of('30'))
  missing = [t for t in range(30) if round(t * 1.2) in range(10, 14) or t >= 24]
  assert np.flatnonzero(~placed.found).tolist() == missing


@pytest.mark.parametrize('text', ['0', 'nan', '-25', '1/0', 'fast', '1e9'])
def test_rates_that_are_none(text):
  """Program: one line says which numbers are."""
  with pytest.raises(ConfigError, match=r'from 1 to 1000, such as 29\.97'):
    rate_of(text)
  with pytest.raises(ConfigError, match='there are no landmarks'):
    FeaturesConfig(landmarks_rate='25')
