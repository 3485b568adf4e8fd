"""Tests of the notes that only a prediction has: short, a still, many faces."""

import numpy as np
import pytest

from avjax.clips import RawClip
from avjax.features import cautions, landmarks
from tests.features.landmarks_test import picture


def raw(frames, length=None):
  length = len(frames) if length is None else length
  samples = 640 * length
  return RawClip(
    'clip', frames, np.zeros(samples), np.zeros(samples, bool), length
  )


def texts(clip, detector=None):
  """Returns kind -> text of the notes on a clip."""
  points = np.zeros((clip.length, 49, 2))
  found = np.zeros(clip.length, bool)
  if detector is not None:
    points, found = detector(clip.frames)
  return dict(cautions.cautions(clip, points, found, detector))


@pytest.mark.parametrize(
  ('length', 'short'), [(1, True), (24, True), (25, False)]
)
def test_short(length, short):
  """Law: a clip of less than a second is short, with and without a picture."""
  frames = np.random.default_rng(0).integers(0, 256, (length, 20, 20, 3), 'u1')
  for clip in (raw(frames), raw(None, length)):
    assert ('short' in texts(clip)) == short
  if short:
    assert texts(raw(frames))['short'] == f'only {length / 25:.2g} s long'


@pytest.mark.parametrize('size', [(320, 240), (9, 40), (1, 1)])
def test_still(size):
  """Law: a codec's noise is still, a mouth that moves is not."""
  random = np.random.default_rng(1)
  width, height = size
  one = random.integers(50, 200, (height, width, 3), np.uint8)
  noise = random.normal(0, 2, (30, 16, 16, 3)) if width == 320 else 0
  same = np.repeat(one[None], 30, 0)
  assert texts(raw(same)) == {'still': 'a still picture'}
  if width == 320:
    grains = np.tile(noise.round(), (1, 15, 20, 1)).astype(np.uint8)
    assert 'still' in texts(raw(same + grains))
  moved = same.copy()
  moved[20:, height // 2 :, width // 2 :][:, :14, :20] += 40
  assert 'still' not in texts(raw(moved))


def test_which_of_two_faces():
  """Law: the note names how many faces there are, and the one followed."""
  detector = landmarks.Detector()
  small, large, larger = (80, 120, 45), (230, 120, 55), (80, 120, 70)
  alone = np.stack([picture(large)] * 4)
  assert 'faces' not in texts(raw(alone), detector)
  both = np.stack([picture(small, large)] * 4)
  assert texts(raw(both), detector)['faces'] == (
    'the largest of 2 faces was followed (right)'
  )
  first = np.stack([picture(large)] * 10 + [picture(larger, large)] * 30)
  assert texts(raw(first), detector)['faces'] == (
    'the first found, not the largest, of 2 faces was followed (right)'
  )
