"""Tests of faces that are turned upright and brought to one size."""

import sys

import numpy as np
import pytest

from avjax.errors import ConfigError
from avjax.features.crops import SIDE, aligned, similarity
from avjax.features.landmarks import EYES

MOUTH = slice(31, 49)
# In pixels of the crop: what the similarity brings eyes and mouth to.
PLACES = np.array([[0.31, 0.38], [0.69, 0.38], [0.5, 0.76]]) * SIDE


def face(middle=(160, 120), unit=20.0, roll=0.0):
  """Returns 49 points that have the proportions of the template."""
  random = np.random.default_rng(5)
  points = random.normal(0, 30, (49, 2))
  for part, place in zip((*EYES, MOUTH), PLACES, strict=True):
    cloud = random.normal(0, 3, points[part].shape)
    points[part] = cloud - cloud.mean(0) + place - PLACES.mean(0)
  turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
  return np.array(middle) + unit / 86 * points @ turn.T


def waves(to_crop):
  """Returns a frame, smooth in the coordinates of the crop."""
  y, x = np.mgrid[:240, :320].astype(float)
  u, v = np.tensordot(to_crop, np.stack([x, y, np.ones_like(x)]), 1)
  bands = [np.sin(u / 17), np.cos(v / 23), np.sin((u + v) / 31)]
  return np.round(127 + 100 * np.stack(bands, -1)).astype(np.uint8)


@pytest.mark.parametrize('roll', [0.0, 0.5, -2.0, 3.1])
@pytest.mark.parametrize('unit', [9.0, 40.0, 400.0])
def test_eyes_and_mouth_come_to_their_places(unit, roll):
  """Law: exactly, where the face has the template's proportions."""
  points = face((70, 90), unit, roll)
  matrix = similarity(points)
  middles = np.stack([points[part].mean(0) for part in (*EYES, MOUTH)])
  there = middles @ matrix[:, :2].T + matrix[:, 2]
  np.testing.assert_allclose(there, PLACES, atol=1e-9)


def test_nearest_equation():
  """Equation: least squares over a, b, x, y of [[a, -b, x], [b, a, y]]."""
  points = np.random.default_rng(2).normal(100, 30, (49, 2))
  rows, wanted = [], []
  for part, (u, v) in zip((*EYES, MOUTH), PLACES, strict=True):
    x, y = points[part].mean(0)
    rows += [[x, -y, 1, 0], [y, x, 0, 1]]
    wanted += [u, v]
  a, b, x, y = np.linalg.lstsq(np.array(rows), np.array(wanted))[0]
  np.testing.assert_allclose(
    similarity(points), [[a, -b, x], [b, a, y]], rtol=1e-9, atol=1e-9
  )


@pytest.mark.parametrize('roll', [0.0, 0.4, -0.9])
@pytest.mark.parametrize('unit', [30.0, 45.0])
def test_crops_do_not_show_place_size_and_roll(unit, roll):
  """Law: a picture that moves with its face gives the same crop.

  Frames are a third of the crop's fineness and rounded: a few grey levels.
  """
  points = face((165, 118), unit, roll)
  frame = waves(similarity(points))
  v, u = np.mgrid[:SIDE, :SIDE].astype(float)
  bands = [np.sin(u / 17), np.cos(v / 23), np.sin((u + v) / 31)]
  expected = 127 + 100 * np.stack(bands, -1)
  crop = aligned(frame[None], points[None], np.ones(1, bool))
  assert crop.shape == (1, SIDE, SIDE, 3) and crop.dtype == np.uint8
  error = np.abs(crop[0] - expected)
  assert error.max() < 6


def test_masked_frames():
  """Law: black without a face, whatever the points are; others unmoved."""
  frames = np.random.default_rng(0).integers(0, 256, (5, 60, 80, 3), np.uint8)
  points = np.stack([face((30 + t, 25), 12, t / 9) for t in range(5)])
  found = np.array([True, False, True, False, True])
  whole = aligned(frames, points, found)
  assert not whole[~found].any()
  assert whole[found].reshape(3, -1).any(1).all()
  points[1], points[3] = np.nan, 0
  np.testing.assert_array_equal(aligned(frames, points, found), whole)
  alone = aligned(frames[found], points[found], found[found])
  np.testing.assert_array_equal(alone, whole[found])


def test_nothing_and_degenerate():
  """Law: no frame; a face that is one point, or outside: still a crop."""
  frames = np.full((2, 20, 30, 3), 90, np.uint8)
  points = np.stack([np.full((49, 2), 7.0), face((900, -800))])
  crops = aligned(frames, points, np.ones(2, bool))
  # The edge is repeated.
  assert (crops == 90).all()
  none = aligned(frames[:0], points[:0], np.ones(0, bool))
  assert none.shape == (0, SIDE, SIDE, 3)


def test_opencv_is_missing(monkeypatch):
  """Program: the error names the extra."""
  monkeypatch.setitem(sys.modules, 'cv2', None)
  frames, points = np.zeros((1, 9, 9, 3), np.uint8), face()[None]
  with pytest.raises(ConfigError, match=r"pip install 'avjax\[features\]'"):
    aligned(frames, points, np.ones(1, bool))
