"""The appearance by dlib's face recognition network."""

import os
import pathlib
import sys
import time

import numpy as np
import pytest

from avjax.errors import AvjaxError
from avjax.features import (
  dlib_faces,
  extractor,
  fitting,
  landmarks,
  media,
  work_folder,
)
from avjax.settings import FeaturesConfig
from tests.features.measured import corpus, settings

dlib = pytest.importorskip('dlib')
FIVE = tuple(landmarks.INNER.index(k) for k in (45, 42, 36, 39, 33))


@pytest.fixture(scope='module')
def network():
  try:
    return dlib_faces.DlibFaces()
  except AvjaxError as error:
    pytest.skip(str(error))


def test_chips_are_those_of_dlib(network):
  """Agreement: with dlib's chips and numbers for the same five landmarks."""
  random = np.random.default_rng(0)
  frames = random.integers(0, 255, (3, 90, 120, 3), dtype=np.uint8)
  points = np.zeros((3, 49, 2))
  each = [(75, 41), (62, 42), (34, 40), (46, 41), (55, 60)]
  points[2, FIVE] = each
  chips = network.crops(frames, points, np.array([2]))
  parts = dlib.points([dlib.point(*pair) for pair in each])
  box = dlib.rectangle(0, 0, 119, 89)
  face = dlib.full_object_detection(box, parts)
  theirs = dlib.get_face_chip(frames[2], face, 150, 0.25)
  np.testing.assert_array_equal(chips[0], theirs)
  model = dlib.face_recognition_model_v1(str(_file()))
  np.testing.assert_array_equal(
    network.values(chips)[0],
    np.array(model.compute_face_descriptor(frames[2], face), np.float32),
  )
  assert network.values(chips[:0]).shape == (0, 128)


def _file():
  folder = pathlib.Path(landmarks._model()).parent
  return folder / 'dlib_face_recognition_resnet_model_v1.dat'


def test_all_numbers_are_kept(network, tmp_path):
  """Law: no forest selects; each is divided by its standard deviation."""
  rows, _ = corpus(tmp_path)
  given = settings(streams=('appearance',), appearance='dlib')
  random, measured = np.random.default_rng(0), {}
  for k in range(len(rows)):
    found = random.random(20) < 0.8
    values = random.normal(size=(20, 128)) * found[:, None]
    arrays = {'dlib': (np.arange(1, 129) * values).astype(np.float32)}
    measured[k] = _Measured(arrays, found, f'{k:064x}')
  chosen = fitting.training(rows, measured)
  made = fitting.fit(rows, measured, chosen, given)
  assert dlib_faces.DESCRIPTION in made.about
  assert 'untrained' not in ' '.join(made.about)
  assert made.face_network == dlib_faces.DESCRIPTION
  shown = [measured[k] for k in chosen]
  frames = np.concatenate([
    made(one.columns())['appearance'][one.found] for one in shown
  ])  # fmt: skip
  assert frames.shape[1] == 128
  np.testing.assert_allclose(frames.std(axis=0), 1, rtol=1e-5)
  made.save(tmp_path / 'e')
  again = extractor.load(tmp_path / 'e')
  assert again.fingerprint == made.fingerprint
  for text, changed in (
    ('one of them', {'alexnet': 'w.npz'}),
    ('none is left out', {'appearance_width': 64}),
    ('must be one of alexnet, dlib', {'appearance': 'vgg'}),
  ):
    with pytest.raises(AvjaxError, match=text):
      FeaturesConfig(**{'appearance': 'dlib', **changed})


class _Measured(work_folder.Measured):
  """Stands for the file of a clip in the work folder."""

  def __init__(self, arrays, found, sha256):
    super().__init__(pathlib.Path(), sha256, found, ())
    object.__setattr__(self, 'arrays', arrays)

  def columns(self):
    return work_folder.Columns(self.arrays, self.found, (), {})


def test_real_clips(network):
  """Golden: speakers are apart, and one speaker's clips are together.

  If AVJAX_CLIPS names a folder with six clips of actor 1001 of CREMA-D and of
  five speakers of GRID. Prints the ms a frame.
  """
  folder = os.environ.get('AVJAX_CLIPS', '')
  if not folder:
    pytest.skip('AVJAX_CLIPS names no folder of real clips')
  detector, means, spent, count = landmarks.Detector(), {}, 0.0, 0
  paths = sorted(pathlib.Path(folder).glob('*.[fm][lp][vg]'))
  with media.Decoder() as decoder:
    for path in paths:
      frames = decoder(path).frames[::30]
      points, found = detector(frames)
      start = time.process_time()
      faces = network.crops(frames, points, np.flatnonzero(found))
      means[path.name] = network.values(faces).mean(axis=0)
      spent, count = spent + time.process_time() - start, count + len(faces)
  print(f'{1000 * spent / count:.0f} ms of CPU a frame', file=sys.stderr)
  rows = np.array([*means.values()])
  apart = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
  actor = np.array([name.startswith('1001') for name in means])
  assert (actor.sum(), (~actor).sum()) == (6, 5)
  same = apart[np.ix_(actor, actor)].max()
  other = apart[np.ix_(actor, ~actor)].min()
  apart = apart[np.ix_(~actor, ~actor)][~np.eye(5, dtype=bool)].min()
  print(
    f'one actor {same:.2f}, others {other:.2f}, {apart:.2f}', file=sys.stderr
  )
  assert same < other
  assert apart > 0.6  # below it dlib takes two faces for one person's
