"""Recordings of any length: measured as clips are, resumed, interpolated."""

import numpy as np
import pytest

from avjax.errors import ConfigError, DataError
from avjax.features import (
  columns,
  every_face,
  extractor,
  long_recordings,
  recorded_faces,
  whitening,
)
from avjax.settings import FeaturesConfig
from avjax.synthesis import raw_clips

STREAMS = ('audio', 'shape')


@pytest.fixture(scope='module')
def path(tmp_path_factory):
  """A drawn face that speaks, 2.4 s."""
  folder = tmp_path_factory.mktemp('drawn') / 'clips'
  raw_clips.make(folder, raw_clips.plan(1, 1, (192, 144), 0), 1)
  return next(folder.glob('*.mp4'))


@pytest.fixture(scope='module')
def fitted():
  """Returns an extractor that projects the columns at random."""
  random = np.random.default_rng(0)

  def whitener(width, kept):
    zeros, ones = np.zeros(width), np.full(width, 0.1)
    directions = random.normal(size=(width, kept))
    return whitening.Whitener(zeros, ones, zeros, directions)

  settings = FeaturesConfig(streams=STREAMS)
  audio, shape = whitener(901, 6), whitener(98, 5)
  return extractor.Extractor(settings, '', '', (), audio, shape, None)


@pytest.fixture(scope='module')
def measure(fitted):
  with long_recordings.RecordingMeasure(fitted) as made:
    yield made


def test_equals_a_clip(path, fitted, measure):
  """Agreement: all of a short recording has the streams of a clip.

  Landmarks are the same bits; audio columns are those of the whole, up to
  rounding.
  """
  recorded = measure(path)
  with columns.Measure(fitted.settings) as whole:
    want = fitted(whole(whole.decode(path, 'a')))
  got = long_recordings.window(
    recorded, fitted, 0, recorded.length, *recorded.faces
  )
  assert got.keys() == want.keys()
  np.testing.assert_array_equal(got['face'], want['face'])
  np.testing.assert_array_equal(got['shape'], want['shape'])
  np.testing.assert_allclose(got['audio'], want['audio'], atol=1e-5)
  assert recorded.faces[0].found.mean() > 0.9 and recorded.audible.mean() == 1
  part = long_recordings.window(recorded, fitted, 8, 33, *recorded.faces)
  assert [len(part[k]) for k in ('audio', 'shape', 'face')] == [32, 25, 25]
  np.testing.assert_array_equal(part['audio'], got['audio'][10:42])


@pytest.mark.parametrize(
  ('every', 'face'), [(1, 'largest'), (3, 'largest'), (1, 'all'), (3, 'all')]
)
def test_resumed(path, measure, tmp_path, monkeypatch, every, face):
  """Law: measured after an interruption is as measured at once."""
  monkeypatch.setattr(every_face, '_BLOCK', 4)
  monkeypatch.setattr(recorded_faces, 'MINUTE', 15)
  whole = measure(path, every, face=face)

  def stop(seconds):
    if seconds > 1:
      raise KeyboardInterrupt

  for _ in range(2):
    with pytest.raises(KeyboardInterrupt):
      measure(path, every, tmp_path, stop, face)
  assert (tmp_path / '00000.npz').exists()
  looked = []
  follow = measure._detector.fit
  monkeypatch.setattr(
    measure._detector, 'fit', lambda *x: looked.append(x) or follow(*x)
  )
  again = measure(path, every, tmp_path, face=face)
  assert 0 < len(looked) < -(-whole.length // every)
  for one, other in zip(again.faces, whole.faces, strict=True):
    assert one.first == other.first and other.found.mean() > 0.9
    np.testing.assert_array_equal(one.points, other.points)
    np.testing.assert_array_equal(one.found, other.found)
  for name in ('audio', 'audible', 'level', 'pictures'):
    np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
  with pytest.raises(DataError, match='begun for another file or other settin'):
    measure(path, every + 1, tmp_path, face=face)


def test_interpolated():
  """Equation: between two faces landmarks lie on a line; else there is none."""
  found = np.zeros(12, bool)
  searched = np.arange(12) % 3 == 0
  searched[9] = False
  searched[10] = True  # another part of the file begins here
  found[[0, 3, 10]] = True  # not 6
  points = np.zeros((12, 49, 2))
  points[0], points[3], points[10] = 1, 7, 5
  got = recorded_faces.interpolate(points, found, searched, 3)
  assert got.tolist() == [True] * 4 + [False] * 6 + [True] * 2
  want = [1, 3, 5, 7, 0, 0, 0, 0, 0, 0, 5, 5]
  np.testing.assert_allclose(points[:, 0, 0], want)


@pytest.mark.parametrize(
  ('changed', 'message'),
  [
    ({'streams': ('appearance', 'shape')}, 'without the appearance'),
    ({'streams': ('shape',), 'landmarks': '{clip}.csv'}, 'from files'),
  ],
)
def test_refused(changed, message):
  """Law: what would need all frames, or files, is refused with the reason."""
  settings = FeaturesConfig(**changed)
  made = extractor.Extractor(settings, '', '', (), None, None, None)
  with pytest.raises(ConfigError, match=message):
    long_recordings.RecordingMeasure(made)


def test_no_faces_to_choose_from(path):
  """Law: faces are refused of an extractor that does not look for them."""
  settings = FeaturesConfig(streams=('audio',))
  made = extractor.Extractor(settings, '', '', (), None, None, None)
  with (
    long_recordings.RecordingMeasure(made) as heard,
    pytest.raises(ConfigError, match='not among the features'),
  ):
    heard(path, face='all')
