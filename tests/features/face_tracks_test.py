"""Tests of the tracks of several faces, and of the choice among them."""

import numpy as np
import pytest

from avjax.clips import RawClip
from avjax.errors import ConfigError
from avjax.features import columns, face_choice, face_tracks, landmarks
from avjax.features.face_tracks import Track
from avjax.settings import FeaturesConfig
from tests.features.landmarks_test import eyes, picture

HIGH = 120  # of the faces in the frame, in pixels


@pytest.fixture(scope='module')
def detector():
  return landmarks.Detector()


def clip(*paths, unit=45):
  """Returns a frame for each place in the paths; the last face is in front."""
  return np.stack(
    [
      picture(*((x, HIGH, unit) for x in places if x is not None))
      for places in zip(*paths, strict=True)
    ]
  )


def middles(track):
  """Returns x between the eyes in each frame with the face."""
  return eyes(track.points[track.found]).mean(1)[:, 0]


def track(found, middle, identity=0):
  """Returns a made track of a face 40 pixels wide."""
  found = np.array(found, bool)
  box = np.array([middle - 20, 100, middle + 20, 140.0])
  return Track(identity, np.zeros((len(found), 49, 2)), found, box)


def test_one_face_is_as_without_tracks(detector):
  """Agreement: bit-identical to `Detector` on a clip of one moving face."""
  frames = clip([120 + 6 * t for t in range(8)])
  points, found = detector(frames)
  (one,) = face_tracks.tracks(frames, detector)
  assert one.points.tobytes() == points.tobytes()
  assert one.found.tobytes() == found.tobytes()


def test_two_who_cross_remain_themselves(detector):
  """Law: places continue on the other side, in one piece or frame by frame.

  In the middle one face is hidden by the other. After every frame another
  tracker resumes.
  """
  right = np.linspace(60, 260, 26)
  frames = clip(right, right[::-1])
  both = face_tracks.tracks(frames, detector)
  assert len(both) == 2
  for one, path in zip(both, (right, right[::-1]), strict=True):
    assert one.found[:8].all() and one.found[-8:].all()
    np.testing.assert_allclose(middles(one), path[one.found], atol=12)
  state = face_tracks.FaceTracker(detector).state()
  for t in range(len(frames)):
    tracker = face_tracks.FaceTracker(detector)
    tracker.resume(state)
    found = tracker(frames[t : t + 1])
    state = tracker.state()
    for one in found:
      if both[one.identity].found[t]:
        expected = both[one.identity].points[t]
        np.testing.assert_array_equal(one.points[0], expected)


@pytest.mark.parametrize(('absent', 'count'), [(4, 1), (5, 2)])
def test_who_is_away_for_a_second(detector, absent, count):
  """Law: a person away for less than a second remains; later it is another."""
  frames = clip([100] * 3 + [None] * absent + [104] * 3, [240] * (6 + absent))
  tracker = face_tracks.FaceTracker(detector, rate=5.0)
  found = [one for one in tracker(frames) if one.box[0] < 160]
  assert len(found) == count
  assert sum(one.found.sum() for one in found) == 6
  assert {len(one.points) for one in found} == {len(frames)}


def test_a_newcomer_is_tracked_backwards(detector):
  """Law: a face that appears between two searches has all its frames."""
  drawn = [None] * 2 + [230] * 5
  kept, new = face_tracks.tracks(clip([90] * 7, drawn), detector)
  assert kept.found.all()
  assert new.found.tolist() == [x is not None for x in drawn]


def test_no_face(detector):
  """Law: no track; also of no frame."""
  assert face_tracks.tracks(clip([None] * 2), detector) == ()
  assert face_tracks.tracks(clip([None])[:0], detector) == ()


def test_the_choice():
  """Law: left and right by the mean place, of those who stay long enough."""
  whole, half, brief = [1] * 60, [1] * 29 + [0] * 31, [1] * 12 + [0] * 48
  every = (
    track(whole, 100, 0),
    track(whole, 300, 1),
    track(half, 40, 2),
    track(brief, 20, 3),
  )
  there = face_choice.lasting(every)
  assert there == every[:3]
  given = [60, 60, 29], [100.0, 300.0, 40.0]
  chosen = {k: face_choice.choose(*given, k) for k in ('all', 'left', 'right')}
  assert chosen == {'all': [0, 1, 2], 'left': [0], 'right': [1]}
  short = track([1, 1, 0], 50)
  assert face_choice.lasting([short, track([0, 1, 0], 90)]) == (short,)
  with pytest.raises(ConfigError, match="face is 'middle'"):
    face_choice.check('middle')


def test_a_clip_for_every_person(detector):
  """Law: each has its landmarks and number; the notes tell what is left out."""
  frames = clip([70] * 30, [160] * 4 + [None] * 26, [250] * 30, unit=35)
  samples = 640 * len(frames)
  raw = RawClip(
    'clip', frames, np.zeros(samples), np.zeros(samples, bool), len(frames)
  )
  with columns.Measure(FeaturesConfig(streams=('shape',))) as measure:
    (first, one), (second, two) = measure.persons(raw, 'all')
    assert [str(one), str(two)] == ['face 1 of 2 (left)', 'face 2 of 2 (right)']
    assert [note.kind for note in first.notes] == ['brief']
    measured = measure.examine(second, cautious=True).columns
    assert measured.found.all()
    assert 'faces' not in [note.kind for note in measured.notes]
    ((right, which),) = measure.persons(raw, 'right')
    assert which == two
    np.testing.assert_array_equal(right.points, second.points)
    assert measure.persons(raw, 'largest') == ((raw, None),)
  with (
    columns.Measure(FeaturesConfig(streams=('audio',))) as measure,
    pytest.raises(ConfigError, match='leave out --face'),
  ):
    measure.persons(raw, 'left')
