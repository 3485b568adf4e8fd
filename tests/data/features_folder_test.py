"""Reading a folder of feature arrays and its table."""

import os
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest

from avjax.data import features_folder, store
from avjax.errors import DataError

STREAMS = {'audio': 'audio/{clip}.npy', 'shape': 'shape/{clip}.npy'}


def table(folder, text='clip,label\na,sad\nb,happy\nc,\n'):
  path = folder / 'clips.csv'
  path.write_text(text, encoding='utf-8')
  return path


@pytest.fixture
def folder(tmp_path):
  """Returns clips a, b, c with 6, 7, 8 audio and 4, 5, 6 video frames."""
  for i, name in enumerate('abc'):
    for stream, array in (
      ('audio', np.full((6 + i, 3), i, np.float64)),
      ('shape', np.full((4 + i, 2), i, np.int16)),
    ):
      (tmp_path / stream).mkdir(exist_ok=True)
      np.save(tmp_path / stream / name, array)
  return tmp_path


def read(folder, text='clip,label\na,sad\nb,happy\nc,\n', **kwargs):
  return features_folder.read_folder(folder, table(folder, text), **kwargs)


def shapes(clips):
  return {
    clip.name: {k: v.shape for k, v in clip.streams.items()} for clip in clips
  }


WHOLE = {
  'a': {'audio': (6, 3), 'shape': (4, 2)},
  'b': {'audio': (7, 3), 'shape': (5, 2)},
  'c': {'audio': (8, 3), 'shape': (6, 2)},
}


@pytest.mark.parametrize('streams', [None, STREAMS])
def test_a_folder_of_npy(folder, streams):
  """Law: streams are read from sub-folders, or from the given patterns."""
  clips, report = read(folder, streams=streams)
  assert shapes(clips) == WHOLE
  assert [clip.label for clip in clips] == ['sad', 'happy', None]
  for i, clip in enumerate(clips):
    for array in clip.streams.values():
      assert array.dtype == np.float32
      assert (array == i).all()
  assert report.read == 3 and not report.skipped and not report.unlisted
  assert report.widths == {'audio': 3, 'shape': 2}


@pytest.mark.parametrize('named', [False, True])
@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_a_folder_of_npz(folder, tmp_path, named, save):
  """Law: arrays of FOLDER/<clip>.npz are streams, also if compressed."""
  other = tmp_path / 'packed'
  other.mkdir()
  for name in 'abc':
    arrays = {k: np.load(folder / k / f'{name}.npy') for k in WHOLE['a']}
    # Only patterns can leave out an array that is not a stream.
    save(other / f'{name}.npz', **arrays, **({'fps': 25} if named else {}))
  streams = {k: f'{{clip}}.npz:{k}' for k in WHOLE['a']} if named else None
  clips, _ = read(other, streams=streams)
  assert shapes(clips) == WHOLE


def test_a_stray_array_is_not_a_stream(folder):
  """Law: an array that few clips have is not a stream, and is reported."""
  (folder / 'old').mkdir()
  np.save(folder / 'old' / 'a', np.ones((4, 1)))
  clips, report = read(folder)
  assert shapes(clips) == WHOLE
  assert report.unlisted == ('old/a.npy',)


def test_columns_have_other_names(folder):
  """Law: columns may have other names; speaker and split are optional."""
  text = '\ufefftake,emotion,who,set\na, sad ,s1,train\nb,happy,s2,val\n'
  columns = {
    'clip': 'take',
    'label': 'emotion',
    'speaker': 'who',
    'split': 'set',
  }
  clips, report = read(folder, text, columns=columns)
  known = [(c.name, c.label, c.speaker, c.split) for c in clips]
  assert known == [('a', 'sad', 's1', 'train'), ('b', 'happy', 's2', 'val')]
  assert report.speakers == {'s1': 1, 's2': 1}
  assert report.splits == {'train': 1, 'val': 1}
  assert report.unlisted == ('audio/c.npy', 'shape/c.npy')


@pytest.mark.parametrize(
  ('array', 'reason'),
  [
    (np.zeros(5), 'the shape (5,), not (frames, width)'),
    (np.zeros(()), 'the shape (), not (frames, width)'),
    (np.zeros((0, 2)), 'empty'),
    (np.array([[0, 0]] * 4 + [[0, np.nan]]), 'frame 4'),
    (np.full((5, 2), 1e300), 'infinite'),
    (np.zeros((5, 3)), '3 wide; most are 2'),
    (np.zeros((8, 2)), 'differ in length: shape 8, face 5'),
    (np.array([['a', 'b']] * 5), 'wanted numbers'),
    (None, 'No such file'),
  ],
)
def test_bad_clips_are_left_out(folder, array, reason):
  """Law: a faulty clip is left out; the report gives the reason."""
  (folder / 'face').mkdir()
  for i, name in enumerate('abc'):
    np.save(folder / 'face' / name, np.zeros((4 + i, 1)))
  (folder / 'shape' / 'b.npy').unlink()
  if array is not None:
    np.save(folder / 'shape' / 'b.npy', array)
  streams = {**STREAMS, 'face': 'face/{clip}.npy'}
  clips, report = read(folder, streams=streams)
  assert [clip.name for clip in clips] == ['a', 'c']
  ((name, why),) = report.skipped
  assert name == 'b' and reason in why
  assert f'left out b: {why}' in str(report)


def test_a_few_frames_are_cut(folder):
  """Law: visual streams that differ by up to 2 frames are shortened."""
  (folder / 'face').mkdir()
  for name, frames in (('a', 4), ('b', 6), ('c', 4)):
    face = np.arange(frames, dtype=np.float32)[:, None]
    np.save(folder / 'face' / name, face)
  clips, report = read(folder)
  assert report.cut == (('b', 1), ('c', 2))
  assert 'cut c by 2' in str(report)
  assert [clip.visual_length for clip in clips] == [4, 5, 4]
  assert [clip.audio_length for clip in clips] == [6, 7, 8]
  assert clips[1].streams['face'][-1, 0] == 4


def test_pickles_do_not_run(folder):
  """Law: a pickle instead of an array is left out and not run."""

  class Malice:
    def __reduce__(self):
      return os.mkdir, (str(folder / 'ran'),)

  (folder / 'shape' / 'a.npy').write_bytes(pickle.dumps(Malice()))
  objects = np.array([[Malice()]], object)
  np.save(folder / 'shape' / 'b.npy', objects, allow_pickle=True)
  clips, report = read(folder, streams=STREAMS)
  assert [clip.name for clip in clips] == ['c']
  assert [name for name, _ in report.skipped] == ['a', 'b']
  assert not (folder / 'ran').exists()


def test_bombs_stay_small(folder):
  """Law: little memory is used, whatever size a file declares."""
  zeros = bytes(100_000_000)
  claims = b'\x93NUMPY\x02\x00\xff\xff\xff\x05'
  shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10**12, 9)}"
  shape = shape.replace(b'10**12', b'1000000000000').ljust(117) + b'\n'
  huge = b'\x93NUMPY\x01\x00v\x00' + shape
  for name, data in (('a', claims + zeros), ('b', huge + zeros)):
    with zipfile.ZipFile(folder / f'{name}.npz', 'w', 8) as archive:
      archive.writestr('x.npy', data)
  del zeros, data
  tracemalloc.start()
  _, report = read(folder, streams={'x': '{clip}.npz:x'})
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  reasons = dict(report.skipped)
  assert 'version (2, 0)' in reasons['a']
  assert 'declares 72000000000000 bytes' in reasons['b']
  assert peak < 20e6


def test_damaged_files_are_left_out(folder):
  """Law: with any bytes, a clip is either read or left out."""
  rng = np.random.default_rng(0)
  (folder / 'packed').mkdir()
  for name in 'abc':
    array = np.load(folder / 'shape' / f'{name}.npy')
    np.savez_compressed(folder / 'packed' / name, x=array)
  paths = [folder / 'shape' / 'a.npy', folder / 'packed' / 'b.npz']
  kept = {path: path.read_bytes() for path in paths}
  streams = {'shape': 'shape/{clip}.npy', 'packed': 'packed/{clip}.npz:x'}
  left_out = 0
  for _ in range(200):
    for path, data in kept.items():
      changed = bytearray(data)
      at = rng.integers(len(data), size=4)
      changed[at[0]] ^= 1 << rng.integers(8)
      changed[at[1]] = rng.integers(256)
      del changed[at[2] : at[2] + at[3] % 3]
      path.write_bytes(changed)
    clips, report = read(folder, streams=streams)
    assert len(clips) + len(report.skipped) == 3
    left_out += len(report.skipped)
  assert left_out > 200


@pytest.mark.parametrize(
  ('text', 'reason'),
  [
    ('name,label\na,sad\n', "no column 'clip' among ['name', 'label']"),
    ('clip,mood\na,sad\n', '--label_column'),
    (
      'clip,label\na,sad\nb,sad\na,sad\n',
      "line 4 names 'a', the same clip as line 2",
    ),
    ('clip,label\na,sad\n,sad\n', 'line 3 names no clip'),
    ('clip,label\na,sad,1\n', 'line 2 does not have the 2 fields'),
    ('clip,label\na\n', 'line 2 does not have the 2 fields'),
    ('clip,label\n"a,sad\n', 'not a CSV table'),
    ('', "no column 'clip' among []"),
  ],
)
def test_a_bad_table(folder, text, reason):
  """Law: the error for a faulty table names the line or column."""
  with pytest.raises(DataError) as caught:
    read(folder, text)
  assert reason in str(caught.value)
  assert '\n' not in str(caught.value)


def test_a_column_that_is_not_there(folder):
  """Law: a column that is named must exist, even one that is optional."""
  with pytest.raises(DataError, match="no column 'emotion'"):
    read(folder, columns={'split': 'emotion'})


@pytest.mark.parametrize(
  'pattern', ['shape/a.npy', '{clip}.npz', '{clip}.npy:x', '{clip}.mat', '']
)
def test_a_bad_pattern(folder, pattern):
  """Law: a pattern that does not give one array per clip is refused."""
  with pytest.raises(DataError, match="stream 'shape' is given as"):
    read(folder, streams={'shape': pattern})


def test_no_arrays(folder, tmp_path):
  """Law: a missing folder, or a folder without arrays, is refused."""
  with pytest.raises(DataError, match='is not a folder'):
    features_folder.read_folder(tmp_path / 'no', table(folder))
  with pytest.raises(DataError, match='wanted FOLDER/<clip>'):
    read(folder, 'clip,label\nz,sad\n')


def test_names_as_other_systems_write_them(folder):
  """Law: accents in two parts and Windows' separators mean the same arrays."""
  sub = folder / 'shape' / 'sé'
  sub.mkdir()
  np.save(sub / 'x.npy', np.ones((3, 2)))
  clips, report = read(
    folder,
    'clip,label\nse\u0301\\x,sad\n',
    streams={'shape': 'shape/{clip}.npy'},
  )
  assert [clip.name for clip in clips] == ['se\u0301\\x']  # as in the table
  assert 'shape/sé/x.npy' not in report.unlisted


def test_a_clip_of_too_many_bytes(folder, monkeypatch):
  """Law: it is left out with the reason, and the others are read."""
  monkeypatch.setattr(store, '_MOST', 4 * 3 * 100)
  (folder / 'shape/c.npy').unlink()
  os.mkfifo(folder / 'shape/c.npy')  # a pipe is never waited for
  np.save(folder / 'shape/a.npy', np.ones((200, 3)))
  np.save(folder / 'shape/b.npy', np.ones((20, 3)))
  clips, report = read(folder, streams={'shape': 'shape/{clip}.npy'})
  assert [clip.name for clip in clips] == ['b']
  assert 'more than' in dict(report.skipped)['a']
  assert 'not a regular file' in dict(report.skipped)['c']


def test_arrays_that_do_not_fit(folder):
  """Law: clips beyond the memory are the same, and read when asked for."""
  (folder / 'face').mkdir()
  for k, name in enumerate('abc'):
    np.save(folder / 'face' / name, np.arange(3 + k)[:, None])  # one missing
  whole, report = read(folder)
  assert len(report.cut) == 3
  size = sum(x.nbytes for x in whole[0].streams.values())
  clips, same = read(folder, most=size)
  assert [clip.unread for clip in clips] == [False, True, True]
  assert report == same and store.fingerprint(clips) == store.fingerprint(whole)
