"""The landmarks of a corpus in one file, intact and damaged."""

import numpy as np
import pytest

from avjax.errors import DataError
from avjax.features import landmark_files
from avjax.features.landmark_archive import LandmarkArchive
from tests.features.landmark_files_test import damaged

NAMES = ['a', 'b/c.d', 'e\u0301']
OFFSETS = [0, 5, 9, 9]


def content(**changes):
  """Returns the arrays of three clips, of which the last has no frame."""
  random = np.random.default_rng(0)
  xy = random.integers(1, 999, (9, 68, 2)).astype(np.int16)
  whole = {'takes': np.array(NAMES), 'offsets': np.array(OFFSETS), 'xy': xy}
  return whole | changes


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
@pytest.mark.parametrize('key', ['takes', 'names'])
def test_agrees_with_a_file_a_clip(tmp_path, save, key):
  """Agreement: a clip's rows are those of a .npy file of its frames."""
  arrays = content()
  save(tmp_path / 'all.npz', **{key: arrays.pop('takes')}, **arrays)
  made = LandmarkArchive(tmp_path / 'all.npz')
  for clip, first, end in (('a.flac', 0, 5), ('b/c.d', 5, 9), ('b\\c.d', 5, 9)):
    np.save(tmp_path / 'one.npy', arrays['xy'][first:end])
    wanted = landmark_files.read(tmp_path / 'one.npy')
    np.testing.assert_array_equal(made.rows(clip), wanted)
    assert not made.lacking(clip)
  assert made.lacking('b/c') == 'all.npz has no landmarks of it'
  assert made.lacking('\xe9.wav') == 'all.npz has no frame of it'
  assert made.unused(['a.flac', 'x']) == ['b/c.d', '\xe9']


BAD = {
  'one name a clip': {'takes': np.array([NAMES])},
  'wanted text': {'takes': np.arange(3)},
  "has 'a' twice": {'takes': np.array(['a', 'b', 'a'])},
  'not UTF-8': {'takes': np.array([b'\xff', b'a', b'b'])},
  'wanted 4 integers for 3 names': {'offsets': np.arange(3)},
  'wanted 4 integers': {'offsets': np.array(OFFSETS, float)},
  'do not ascend from 0 to 9': {'offsets': np.array([0, 9, 5, 9])},
  'ascend from 0': {'offsets': np.array([1, 5, 9, 9])},
  'the number of frames in xy': {'offsets': np.array([0, 5, 8, 8])},
  r'wanted numbers of the shape \(frames, 49 or 68, 2\)': {
    'xy': np.zeros((9, 136))
  },
  r'xy has the shape \(9, 67, 2\)': {'xy': np.zeros((9, 67, 2))},
  "no array 'xy' among takes, offsets": {'xy': None},
  "no array 'takes' among": {'takes': None},
  'wanted numbers': {'xy': np.array([None])},
}


@pytest.mark.parametrize('reason', BAD)
def test_faulty_files(tmp_path, reason):
  """Program: the error is one line with the path and the reason."""
  arrays = {k: v for k, v in content(**BAD[reason]).items() if v is not None}
  np.savez(tmp_path / 'all.npz', **arrays)
  with pytest.raises(DataError, match=reason) as caught:
    LandmarkArchive(tmp_path / 'all.npz')
  assert f'landmarks {tmp_path}/all.npz: ' in str(caught.value)
  assert '\n' not in str(caught.value)


def test_damaged_files(tmp_path):
  """Law: each of 200 damaged files gives landmarks or a DataError."""
  path = tmp_path / 'all.npz'
  np.savez_compressed(path, **content())
  raw, random, refused = path.read_bytes(), np.random.default_rng(3), 0
  for _ in range(200):
    path.write_bytes(damaged(random, raw))
    try:
      made = LandmarkArchive(path)
    except DataError as error:
      refused += 1
      assert '\n' not in str(error)
    else:
      assert len(made.rows('a')) == 5
  assert refused > 100
  path.unlink()
  with pytest.raises(DataError, match=r'all\.npz: No such file'):
    LandmarkArchive(path)
