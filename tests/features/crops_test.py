"""Tests of aligned face crops."""

import sys

import numpy as np
import pytest

from avjax.errors import ConfigError
from avjax.features.crops import SIDE, aligned, similarity
from avjax.features.landmarks import EYES

MOUTH = slice(31, 49)
# Target positions of eyes and mouth, in pixels of the crop.
TARGETS = np.array([[0.31, 0.38], [0.69, 0.38], [0.5, 0.76]]) * SIDE


def face(middle=(160, 120), unit=20.0, roll=0.0):
  """Returns 49 landmarks with the proportions of the targets."""
  random = np.random.default_rng(5)
  points = random.normal(0, 30, (49, 2))
  for part, target in zip((*EYES, MOUTH), TARGETS, strict=True):
    cloud = random.normal(0, 3, points[part].shape)
    points[part] = cloud - cloud.mean(0) + target - TARGETS.mean(0)
  turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
  return np.array(middle) + unit / 86 * points @ turn.T


def waves(to_crop):
  """Returns a frame that is smooth in the coordinates of the crop."""
  y, x = np.mgrid[:240, :320].astype(float)
  u, v = np.tensordot(to_crop, np.stack([x, y, np.ones_like(x)]), 1)
  bands = [np.sin(u / 17), np.cos(v / 23), np.sin((u + v) / 31)]
  return np.round(127 + 100 * np.stack(bands, -1)).astype(np.uint8)


@pytest.mark.parametrize('roll', [0.0, 0.5, -2.0, 3.1])
@pytest.mark.parametrize('unit', [9.0, 40.0, 400.0])
def test_eyes_and_mouth_reach_their_targets(unit, roll):
  """Law: exactly, if the face has the proportions of the targets."""
  points = face((70, 90), unit, roll)
  matrix = similarity(points)
  centres = np.stack([points[part].mean(0) for part in (*EYES, MOUTH)])
  mapped = centres @ matrix[:, :2].T + matrix[:, 2]
  np.testing.assert_allclose(mapped, TARGETS, atol=1e-9)


def test_similarity_is_least_squares():
  """Equation: least squares over a, b, x, y of [[a, -b, x], [b, a, y]]."""
  points = np.random.default_rng(2).normal(100, 30, (49, 2))
  rows, wanted = [], []
  for part, (u, v) in zip((*EYES, MOUTH), TARGETS, strict=True):
    x, y = points[part].mean(0)
    rows += [[x, -y, 1, 0], [y, x, 0, 1]]
    wanted += [u, v]
  a, b, x, y = np.linalg.lstsq(np.array(rows), np.array(wanted))[0]
  np.testing.assert_allclose(
    similarity(points), [[a, -b, x], [b, a, y]], rtol=1e-9, atol=1e-9
  )


@pytest.mark.parametrize('roll', [0.0, 0.4, -0.9])
@pytest.mark.parametrize('unit', [30.0, 45.0])
def test_crops_do_not_depend_on_position_size_and_roll(unit, roll):
  """Law: an image that moves with the face gives the same crop.

  The tolerance of a few grey levels: frames have a third of the resolution of
  the crop, and are rounded.
  """
  points = face((165, 118), unit, roll)
  frame = waves(similarity(points))
  v, u = np.mgrid[:SIDE, :SIDE].astype(float)
  bands = [np.sin(u / 17), np.cos(v / 23), np.sin((u + v) / 31)]
  expected = 127 + 100 * np.stack(bands, -1)
  crop = aligned(frame[None], points[None], np.arange(1))
  assert crop.shape == (1, SIDE, SIDE, 3) and crop.dtype == np.uint8
  error = np.abs(crop[0] - expected)
  assert error.max() < 6


def test_masked_frames():
  """Law: only the chosen frames are cropped; no other frame affects them."""
  frames = np.random.default_rng(0).integers(0, 256, (5, 60, 80, 3), np.uint8)
  points = np.stack([face((30 + t, 25), 12, t / 9) for t in range(5)])
  chosen = np.array([0, 2, 4])
  some = aligned(frames, points, chosen)
  np.testing.assert_array_equal(
    some, aligned(frames, points, np.arange(5))[::2]
  )
  points[1], points[3] = np.nan, 0
  np.testing.assert_array_equal(aligned(frames, points, chosen), some)
  alone = aligned(frames[::2], points[::2], np.arange(3))
  np.testing.assert_array_equal(alone, some)


def test_no_frames_and_degenerate_faces():
  """Law: no frame, a face of one point, a face outside the frame: no error."""
  frames = np.full((2, 20, 30, 3), 90, np.uint8)
  points = np.stack([np.full((49, 2), 7.0), face((900, -800))])
  crops = aligned(frames, points, np.arange(2))
  # The edge is repeated.
  assert (crops == 90).all()
  none = aligned(frames[:0], points[:0], np.arange(0))
  assert none.shape == (0, SIDE, SIDE, 3)


def test_opencv_is_missing(monkeypatch):
  """Program: the error names the extra to install."""
  monkeypatch.setitem(sys.modules, 'cv2', None)
  frames, points = np.zeros((1, 9, 9, 3), np.uint8), face()[None]
  with pytest.raises(ConfigError, match=r"pip install 'avjax\[features\]'"):
    aligned(frames, points, np.arange(1))
