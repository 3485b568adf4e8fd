"""The selection of values of pool5, and folders of labelled faces."""

import cv2
import numpy as np
import pytest

from avjax.errors import DataError
from avjax.features import random_forest


def faces(seed=0, n=90, width=60):
  """Returns features of which only the first six depend on the emotion."""
  rng = np.random.default_rng(seed)
  features = rng.normal(size=(n, width)).astype(np.float32)
  emotion = np.arange(n) % 3
  for k in range(6):
    features[:, k] += 3 * (emotion == k % 3)
  return features, np.array(['happy', 'sad', 'fear'])[emotion].tolist()


def test_informative_values_are_selected():
  """Law: the values that depend on the emotion are selected."""
  selected = random_forest.select(*faces(), keep=6)
  np.testing.assert_array_equal(selected, np.arange(6))


def test_selection_repeats():
  """Law: a seed gives one selection, ascending and of the requested size."""
  first, same, other = (
    random_forest.select(*faces(), keep=20, seed=seed) for seed in (1, 1, 2)
  )
  np.testing.assert_array_equal(first, same)
  assert (first != other).any()
  assert len(first) == 20 and (np.diff(first) > 0).all()


def test_ties_are_broken_by_index():
  """Law: of equally important values the first are selected."""
  features, labels = faces()
  features[:, 10:] = 1
  selected = random_forest.select(features, labels, keep=25)
  np.testing.assert_array_equal(selected, np.arange(25))


def test_unlabelled_faces_are_left_out():
  """Law: faces without an emotion do not affect the selection."""
  features, labels = faces()
  more = np.concatenate([features, 1e3 + features])
  plain = random_forest.select(features, labels, keep=20)
  with_them = random_forest.select(more, labels + [''] * len(labels), keep=20)
  np.testing.assert_array_equal(with_them, plain)


def test_too_few_values_or_emotions():
  """Law: too few values or emotions are refused."""
  features, labels = faces()
  with pytest.raises(DataError, match='61 of 60 values'):
    random_forest.select(features, labels, keep=61)
  with pytest.raises(DataError, match=r'show happy; .* two'):
    random_forest.select(features, ['happy'] * len(labels), keep=6)
  with pytest.raises(DataError, match='no emotion'):
    random_forest.select(features, [''] * len(labels), keep=6)


def colour(path, rgb, side=227):
  path.parent.mkdir(parents=True, exist_ok=True)
  image = np.full((side, side + (side != 227), 3), rgb[::-1], np.uint8)
  assert cv2.imwrite(str(path), image)


def test_images_of_a_folder(tmp_path):
  """Law: images are sorted by folder and name, in RGB, resized if necessary."""
  colour(tmp_path / 'Happy' / 'b.png', (250, 120, 10))
  colour(tmp_path / 'Happy' / 'a.PNG', (1, 2, 3), side=100)
  colour(tmp_path / 'Angry' / 'ü.png', (0, 0, 255), side=400)
  (tmp_path / 'Happy' / 'notes.txt').write_text('not an image')
  (tmp_path / 'README').write_text('not a folder')
  images, labels = random_forest.read_images(tmp_path)
  assert labels == ['angry', 'happy', 'happy']
  assert images.shape == (3, 227, 227, 3) and images.dtype == np.uint8
  for image, rgb in zip(
    images, [(0, 0, 255), (1, 2, 3), (250, 120, 10)], strict=True
  ):
    assert (image == rgb).all()


def test_faces_that_cannot_be_used(tmp_path):
  """Law: the error names the fault in a folder of faces."""
  with pytest.raises(DataError, match='is not a folder of labelled faces'):
    random_forest.read_images(tmp_path / 'none')
  (tmp_path / 'Sad').mkdir()
  with pytest.raises(DataError, match='has no image'):
    random_forest.read_images(tmp_path)
  colour(tmp_path / 'Sad' / 'good.png', (9, 9, 9))
  (tmp_path / 'Sad' / 'empty.png').touch()
  (tmp_path / 'Sad' / 'text.jpg').write_text('no image')
  (tmp_path / 'Sad' / 'folder.jpeg').mkdir()
  with pytest.raises(DataError, match=r'3 of 4 .*Sad/empty.png, Sad/folder'):
    random_forest.read_images(tmp_path)
  colour(tmp_path / 'Bored' / 'a.png', (9, 9, 9))
  with pytest.raises(DataError, match=r"\['Bored'\]; it must .* surprise"):
    random_forest.read_images(tmp_path)
