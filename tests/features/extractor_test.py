"""The extractor: fitting, applying, saving and loading."""

import contextlib
import dataclasses

import numpy as np
import pytest

from avjax.clips import Note
from avjax.data import npy
from avjax.errors import DataError
from avjax.features import extractor, fitting, work_folder
from tests.features.measured import corpus, settings


@pytest.fixture
def fitted(tmp_path):
  """Returns rows, measured clips, and the extractor of the training clips."""
  rows, measured = corpus(tmp_path)
  chosen = fitting.training(rows, measured)
  return rows, measured, fitting.fit(rows, measured, chosen, settings())


def equal(one, other):
  """Returns whether two whiteners have the same arrays."""
  a, b = one.arrays(), other.arrays()
  return all(np.array_equal(a[name], b[name]) for name in a)


def test_streams_of_a_clip(fitted):
  """Law: every stream has the right shape and finite values."""
  _, measured, made = fitted
  streams = made(measured[4].columns())
  assert {k: v.shape for k, v in streams.items()} == {
    'audio': (29, 8),
    'shape': (24, 5),
    'face': (24, 1),
  }
  assert all(v.dtype == np.float32 for v in streams.values())
  assert all(np.isfinite(v).all() for v in streams.values())


def test_frames_without_a_face_are_zero(fitted):
  """Law: shape and face are 0 in frames without a face, for any input."""
  _, measured, made = fitted
  columns = measured[0].columns()
  without = ~columns.found
  assert 0 < without.sum() < len(without)
  streams = made(columns)
  np.testing.assert_array_equal(streams['shape'][without], 0)
  np.testing.assert_array_equal(streams['face'][:, 0], columns.found)
  changed = np.where(without[:, None], 1e9, columns.arrays['shape'])
  arrays = {**columns.arrays, 'shape': changed.astype(np.float32)}
  again = made(dataclasses.replace(columns, arrays=arrays))
  np.testing.assert_array_equal(again['shape'], streams['shape'])


def test_only_training_clips_are_fitted_on(fitted, tmp_path):
  """Law: another training clip changes the extractor, a test clip does not."""
  rows, measured, made = fitted
  others = corpus(tmp_path / 'others', seed=1)[1]
  for k, changes in ((2, False), (1, True)):
    assert (rows[k]['split'] == 'train') is changes
    changed = {**measured, k: others[k]}
    chosen = fitting.training(rows, changed)
    again = fitting.fit(rows, changed, chosen, settings())
    assert (again.fingerprint != made.fingerprint) is changes
    assert equal(again.audio, made.audio) is not changes
    assert equal(again.shape, made.shape) is not changes


def test_masked_frames_are_not_fitted_on(fitted, tmp_path):
  """Law: values in frames without a face do not change the whitener."""
  rows, measured, made = fitted
  for clip in measured.values():
    arrays = npy.unpack(clip.path.read_bytes())
    shape = arrays['shape'].copy()
    shape[~arrays['found']] = 1e9
    clip.path.write_bytes(npy.pack({**arrays, 'shape': shape}))
  chosen = fitting.training(rows, measured)
  again = fitting.fit(rows, measured, chosen, settings())
  assert equal(again.shape, made.shape)


def test_save_and_load(fitted, tmp_path):
  """Law: a saved extractor loads equal, and its files have no time stamps."""
  made = fitted[2]
  made.save(tmp_path / 'a')
  made.save(tmp_path / 'b')
  again = extractor.load(tmp_path / 'a')
  assert again.fingerprint == made.fingerprint
  assert again.settings == made.settings
  for name in ('fitted.npz', 'extractor.json'):
    first, second = (tmp_path / k / name for k in 'ab')
    assert first.read_bytes() == second.read_bytes()


def test_landmarks_of_all_clips_in_a_file(fitted, tmp_path):
  """Law: only the file's name is kept, and without it nothing that is new."""
  made = fitted[2]
  made.save(tmp_path / 'old')
  assert 'landmarks_rate' not in (tmp_path / 'old/extractor.json').read_text()
  given = {'landmarks': '/home/me/all.npz', 'landmarks_rate': '30'}
  one = dataclasses.replace(made, settings=settings(**given))
  one.save(tmp_path / 'new')
  again = extractor.load(tmp_path / 'new')
  kept = {**given, 'landmarks': 'all.npz'}
  assert again.settings == settings(**kept)
  assert again.fingerprint == one.fingerprint != made.fingerprint


@pytest.mark.parametrize('name', ['fitted.npz', 'extractor.json'])
def test_damage_is_found(fitted, tmp_path, name):
  """Law: a file that is truncated, empty, missing or changed is refused."""
  fitted[2].save(tmp_path / 'e')
  path = tmp_path / 'e' / name
  whole = path.read_bytes()
  rng = np.random.default_rng(0)
  damaged = [b'', whole[: len(whole) // 2], whole[:-1]]
  for index in rng.integers(len(whole), size=40):
    bits = bytearray(whole)
    bits[index] ^= 1 << int(rng.integers(7))
    damaged.append(bytes(bits))
  path.write_bytes(b'')
  with pytest.raises(DataError, match='is damaged: ') as caught:
    extractor.load(tmp_path / 'e')
  assert 'Error(' not in str(caught.value)
  for content in damaged:
    path.write_bytes(content)
    with contextlib.suppress(DataError):  # flipped white space does no harm
      again = extractor.load(tmp_path / 'e')
      assert again.fingerprint == fitted[2].fingerprint
  path.unlink()
  with pytest.raises(DataError, match='does not exist; give the folder'):
    extractor.load(tmp_path / 'e')


def test_no_training_clips(tmp_path):
  """Law: without training clips nothing is fitted; the error names a way."""
  rows, measured = corpus(tmp_path)
  rows = [{**row, 'split': 'test'} for row in rows]
  with pytest.raises(DataError, match='--fit_on=all'):
    fitting.training(rows, measured)


def test_work_folder_of_other_settings(tmp_path):
  """Law: a work folder is not resumed with other settings."""
  work_folder.begin(tmp_path / 'w', settings())
  work_folder.begin(tmp_path / 'w', settings(audio_width=3))  # fitted later
  with pytest.raises(DataError, match='begun with other settings'):
    work_folder.begin(tmp_path / 'w', settings(preset='documented'))


def test_damaged_files_are_not_read(tmp_path):
  """Law: a truncated file counts as missing."""
  corpus(tmp_path, clips=1)
  path = work_folder.path_of(tmp_path, 'clip 0')
  whole = path.read_bytes()
  assert work_folder.read(path).notes == (Note('face', 'a note'),)
  for end in (0, 10, len(whole) // 2, len(whole) - 5):
    path.write_bytes(whole[:end])
    assert work_folder.read(path) is None
