"""Robust scaling and PCA whitening."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from avjax.errors import DataError
from avjax.features import whitening


def clips(seed=0, count=6, width=12):
  rng = np.random.default_rng(seed)
  mix = rng.normal(size=(width, width))
  offset = 10 * rng.normal(size=width)
  return [rng.normal(size=(40 + k, width)) @ mix + offset for k in range(count)]


def test_whitened_columns_are_uncorrelated():
  """Law: training frames have mean 0, variance 1 and no correlation."""
  data = clips()
  whitener = whitening.fit(data, 5)
  white = np.concatenate([whitener(clip) for clip in data]).astype(np.float64)
  assert white.shape[1] == 5
  np.testing.assert_allclose(white.mean(0), 0, atol=1e-5)
  np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(5), atol=1e-4)


def test_agrees_with_scikit_learn():
  """Agreement: the components equal scikit-learn's PCA up to the sign."""
  rows = np.concatenate(clips())
  low, median, high = np.percentile(rows, (25, 50, 75), axis=0)
  scaled = np.clip((rows - median) / ((high - low) / 1.349), -5, 5)
  theirs = PCA(5, whiten=True, svd_solver='full').fit_transform(scaled)
  theirs *= np.sqrt(len(rows) / (len(rows) - 1))  # sklearn divides by n - 1
  ours = whitening.fit([rows], 5)(rows)
  np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-4)


def test_constant_columns_and_missing_rank_give_zeros():
  """Law: constant columns and missing components give zeros for any input."""
  rng = np.random.default_rng(0)
  rows = np.repeat(rng.normal(size=(50, 1)), 4, axis=1)
  rows[:, 3] = 7.0
  whitener = whitening.fit([rows], 3)
  other = rows.copy()
  other[:, 3] = -1e6
  white = whitener(other)
  np.testing.assert_array_equal(white, whitener(rows))
  np.testing.assert_array_equal(white[:, 1:], 0)
  np.testing.assert_allclose(white[:, 0].std(), 1, rtol=1e-5)


def test_an_outlier_has_little_effect():
  """Law: a frame of 1e15 barely changes the scaling and stays in range."""
  data = clips()
  plain = whitening.fit(data, 5)
  changed = [clip.copy() for clip in data]
  changed[0][0] = 1e15
  robust = whitening.fit(changed, 5)
  np.testing.assert_allclose(robust.scale, plain.scale, rtol=0.1)
  assert np.abs(robust(changed[0])).max() < 50


def test_many_frames_are_thinned(monkeypatch):
  """Law: with more than ROWS frames, every k-th is fitted on."""
  data = clips()
  every_third = np.concatenate(data)[::3]
  monkeypatch.setattr(whitening, 'ROWS', 100)  # 255 frames
  thinned = whitening.fit(data, 5)
  wanted = whitening.fit([every_third], 5).arrays()
  for name, array in thinned.arrays().items():
    np.testing.assert_array_equal(array, wanted[name])


def test_made_from_arrays():
  """Law: a whitener made from the arrays of another is bit-identical to it."""
  whitener = whitening.fit(clips(), 5)
  again = whitening.Whitener(**whitener.arrays())
  frames = clips(1)[0]
  np.testing.assert_array_equal(again(frames), whitener(frames))


@pytest.mark.parametrize(
  ('data', 'width', 'message'),
  [
    ([np.zeros((1, 4))], 2, '1 frames'),
    ([np.zeros((9, 4))], 5, '5 components of 4 columns'),
  ],
)
def test_too_few_frames_or_columns(data, width, message):
  """Law: too few frames or columns are refused; the error gives the number."""
  with pytest.raises(DataError, match=message):
    whitening.fit(data, width)


def test_other_columns_are_refused():
  """Law: frames with another number of columns are refused."""
  whitener = whitening.fit(clips(), 5)
  with pytest.raises(DataError, match=r'11 columns .* fitted on 12'):
    whitener(np.zeros((3, 11)))
