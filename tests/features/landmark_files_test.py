"""Tests of landmark files, intact and damaged."""

import os
import struct
import zlib

import numpy as np
import pytest
import scipy.io

from avjax.clips import RawClip
from avjax.errors import DataError
from avjax.features import landmark_files, landmark_track
from avjax.features.landmarks import INNER

T = 12


def read_points(path, frames):
  """Returns the landmarks of a clip without a picture, and where a face is."""
  sound = np.zeros(640 * frames), np.ones(640 * frames, bool)
  raw = RawClip('', None, *sound, frames)
  rows = landmark_files.read(path)
  placed = landmark_track.place(raw, rows, None)
  return placed.points, placed.found


def cloud(count=49):
  """Returns points (T, count, 2) that are exact in decimal text."""
  random = np.random.default_rng(count)
  return random.integers(1, 4000, (T, count, 2)) / 8


def write_text(path, points, comma=' '):
  rows = points.reshape(len(points), -1)
  np.savetxt(path, rows, fmt='%.17g', delimiter=comma)


def write_pts(folder, points, first=1):
  folder.mkdir()
  for number, frame in enumerate(points, first):
    lines = '\n'.join(f'{x} {y}' for x, y in frame)
    (folder / f'frame_{number}.pts').write_text(
      f'version: 1\nn_points: {len(frame)}\n{{\n{lines}\n}}\n'
    )


def flat(points):
  return points.reshape(len(points), -1)


FORMS = {
  'a.npy': np.save,
  'flat.npy': lambda path, p: np.save(path, flat(p).astype(np.float32)),
  'fortran.npy': lambda path, p: np.save(path, np.asfortranarray(p)),
  'a.mat': lambda path, p: scipy.io.savemat(
    path, {'points': p, 'name': 'clip', 'n': len(p)}
  ),
  'packed.mat': lambda path, p: scipy.io.savemat(
    path, {'info': {'a': 1}, 'x': flat(p)}, do_compression=True
  ),
  'single.mat': lambda path, p: scipy.io.savemat(
    path, {'p': flat(p).astype(np.float32)}
  ),
  'a.txt': write_text,
  'a.csv': lambda path, p: write_text(path, p, ', '),
  'pts': write_pts,
  'from_zero': lambda path, p: write_pts(path, p, 0),
}


@pytest.mark.parametrize('count', [49, 68])
@pytest.mark.parametrize('form', FORMS)
def test_every_format(tmp_path, form, count):
  """Law: written points are read back; of 68, the 49 of `INNER`."""
  points = cloud(count)
  FORMS[form](tmp_path / form, points)
  read, found = read_points(tmp_path / form, T)
  kept = points if count == 49 else points[:, INNER]
  assert read.dtype == np.float64 and found.all()
  np.testing.assert_array_equal(read, kept)


@pytest.mark.parametrize('dtype', ['u1', 'i2', 'u4', 'i8', 'f4', 'f8'])
@pytest.mark.parametrize('packed', [False, True])
def test_mat_agrees(tmp_path, dtype, packed):
  """Agreement: equal to SciPy's reader, for all types of numbers."""
  points = (cloud() / 4).astype(dtype)
  path = tmp_path / 'a.mat'
  # A short name is stored in a small element; a long one is padded.
  content = {'p' * 19: points, 'x': np.arange(3), 'empty': np.zeros((0, 3))}
  scipy.io.savemat(path, content, do_compression=packed)
  read, _ = read_points(path, T)
  np.testing.assert_array_equal(read, scipy.io.loadmat(path)['p' * 19])


@pytest.mark.parametrize('form', ['a.npy', 'a.mat', 'a.txt'])
def test_rows_without_a_face(tmp_path, form):
  """Law: NaN, some NaN or zeros mean no face; other rows are unchanged."""
  points = cloud()
  points[2], points[5, 7, 1], points[9] = np.nan, np.nan, 0
  FORMS[form](tmp_path / form, points)
  read, found = read_points(tmp_path / form, T)
  assert np.flatnonzero(~found).tolist() == [2, 5, 9]
  assert not read[~found].any()
  np.testing.assert_array_equal(read[found], points[found])


def test_pts_that_are_missing_or_empty(tmp_path):
  """Law: such frames have no face; the frames after them are not shifted."""
  points = cloud()
  write_pts(tmp_path / 'pts', points)
  (tmp_path / 'pts' / 'frame_1.pts').unlink()
  (tmp_path / 'pts' / 'frame_6.pts').unlink()
  (tmp_path / 'pts' / 'frame_10.pts').write_text('n_points: 0\n{\n}\n')
  (tmp_path / 'pts' / 'notes.txt').write_text('of other kinds: ignored')
  read, found = read_points(tmp_path / 'pts', T)
  assert np.flatnonzero(~found).tolist() == [0, 5, 9]
  np.testing.assert_array_equal(read[found], points[found])
  with pytest.raises(DataError, match=f'have {T} frames'):
    read_points(tmp_path / 'pts', T + 3)


@pytest.mark.parametrize('frames', [T - 2, T - 1, T + 1, T + 2])
def test_a_few_frames_more_or_less(tmp_path, frames):
  """Law: up to two frames are cut, or added as frames without a face."""
  points = cloud()
  np.save(tmp_path / 'a.npy', points)
  read, found = read_points(tmp_path / 'a.npy', frames)
  assert read.shape == (frames, 49, 2)
  assert found.tolist() == [t < T for t in range(frames)]
  np.testing.assert_array_equal(read[found], points[:frames])
  assert not read[~found].any()


@pytest.mark.parametrize('frames', [T - 3, T + 3, 100, 0])
def test_another_clip(tmp_path, frames):
  """Program: with too many or too few rows, the error gives both numbers."""
  np.save(tmp_path / 'a.npy', cloud())
  with pytest.raises(DataError, match=f'{T} frames and the clip has {frames};'):
    read_points(tmp_path / 'a.npy', frames)


def mat(kind, size, body):
  """Returns a .mat file of one element, with the given type and size."""
  head = b'MATLAB 5.0 MAT-file'.ljust(124) + b'\x00\x01IM'
  return head + struct.pack('<II', kind, size) + body


def element(kind, body):
  return struct.pack('<II', kind, len(body)) + body + bytes(-len(body) % 8)


def claims(*sides):
  """Returns a .mat file of one array of eight bytes, with the given shape."""
  flags = element(6, struct.pack('<II', 6, 0))
  shape = element(5, struct.pack(f'<{len(sides)}i', *sides))
  body = flags + shape + element(1, b'p') + element(9, bytes(8))
  return mat(14, len(body), body)


def claims_npy(path):
  np.save(path, cloud().reshape(T, 98))
  raw = path.read_bytes()
  path.write_bytes(
    raw.replace(b'(12, 98), }' + 9 * b' ', b'(12000000000, 98), }')
  )


def many():
  """Returns a .mat file of arrays that are too large together."""
  packed = zlib.compress(claims(1, 1)[128:] + bytes(landmark_files.LIMIT // 4))
  one = struct.pack('<II', 15, len(packed)) + packed
  return mat(15, len(packed), packed) + 9 * one


def claims_shape(shape):
  """Returns a .npy file whose header has this text as the shape."""
  head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
  head = head.ljust(501) + '\n'
  size = struct.pack('<H', len(head))
  return b'\x93NUMPY\x01\x00' + size + head.encode() + bytes(98 * 8)


def pipe_in(path):
  write_pts(path, cloud())
  os.mkfifo(path / 'frame_99.pts')


def unchecked():
  """Returns a .mat file with a compressed array whose checksum is missing."""
  packed = zlib.compress(claims(1, 1)[128:])[:-4]
  return mat(15, len(packed), packed)


def two(path):
  scipy.io.savemat(path, {'a': cloud(), 'b': cloud()})


def twice(path):
  write_pts(path, cloud())
  (path / 'other_003.pts').write_text('{\n1 2\n}')


def unnumbered(path):
  path.mkdir()
  (path / 'face.pts').write_text('{\n1 2\n}')


def mixed(path):
  write_pts(path, cloud())
  (path / 'frame_3.pts').write_text('{\n1 2\n}')


def far(path):
  write_pts(path, cloud())
  (path / 'frame_99999999999.pts').write_text('{\n}')


@pytest.mark.parametrize(
  ('name', 'write', 'reason'),
  [
    ('none.npy', None, 'No such file'),
    ('a.xyz', b'1 2', 'endings .npy, .mat, .txt, .csv'),
    ('o.npy', lambda p: np.save(p, [{}], allow_pickle=True), 'wanted numbers'),
    ('a.npy', lambda p: np.save(p, np.ones((T, 50, 2))), r'\(12, 50, 2\)'),
    ('f.npy', lambda p: np.save(p, np.full((T, 98), 1e7)), '1e.07 pixels'),
    ('e.npy', b'', 'not an array'),
    ('h.mat', b'MATLAB 7.3 MAT-file'.ljust(600), '7.3; save it with -v7'),
    ('e.mat', b'', 'not a .mat file of version 5 to 7'),
    ('t.mat', mat(14, 400, b''), 'it is truncated'),
    ('c.mat', mat(15, 4, b'zlib'), 'cannot be unpacked'),
    ('u.mat', unchecked(), 'it is truncated, or has more than'),
    ('f.mat', mat(14, 8, bytes(8)), 'an array without a class'),
    ('c.npy', claims_npy, 'declares 9408000000000 bytes'),
    ('many.mat', many(), 'has more than 134217728 bytes in all'),
    ('axes.npy', claims_shape((1,) * 69 + (98,)), 'has 70 axes'),
    ('empty.npy', claims_shape((0, 2**62)), 'declares the shape .0, 46'),
    ('true.npy', claims_shape((True, 98)), 'declares the shape .True, 98'),
    ('pipe.npy', os.mkfifo, 'is not a regular file'),
    ('pipe', pipe_in, 'is not a regular file'),
    ('m.mat', claims(2**31 - 1, 98), '8 bytes for an array of'),
    ('n.mat', claims(-1, 98), '8 bytes for an array of'),
    ('axes.mat', claims(*[1] * 70), 'it has 0 arrays that can'),
    ('two.mat', two, 'it has 2 arrays that can'),
    ('no.mat', lambda p: scipy.io.savemat(p, {'a': 1}), 'it has 0 arrays'),
    ('z.mat', lambda p: scipy.io.savemat(p, {'p': cloud() * 1j}), 'has 0 arr'),
    ('e.txt', b'', 'no numbers'),
    ('w.txt', b'1 two 3', "line 1: .* 'two'"),
    ('s.csv', b'1,2\n' * 9, 'line 1 has 2 numbers'),
    ('d.txt', b',' + b'1,' * 137, 'line 1 has more than 136 numbers'),
    ('l.txt', b'1 ' * 999, 'line 1 has more than 136 numbers'),
    ('r.csv', b'1,' * 98 + b'\n\n' + b'1,' * 136, 'line 3 has 136 numbers and'),
    ('b.txt', b'\xff\xfe\x00', 'is not text'),
    ('e', lambda p: p.mkdir(), '0 .pts files have no points'),
    ('twice', twice, 'it has frame 3 twice'),
    ('unnumbered', unnumbered, 'must end in the number'),
    ('far', far, 'must end in the number'),
    ('mixed', mixed, '1, 49 points'),
  ],
)  # fmt: skip
def test_faulty_files(tmp_path, name, write, reason):
  """Program: the error is one line with the path and the reason."""
  path = tmp_path / name
  if callable(write):
    write(path)
  elif write is not None:
    path.write_bytes(write)
  with pytest.raises(DataError, match=reason) as caught:
    read_points(path, T)
  assert str(path) in str(caught.value) and '\n' not in str(caught.value)


def test_a_line_that_is_no_text(tmp_path):
  """Program: the error quotes only the beginning of a long word."""
  path = tmp_path / 'a.txt'
  path.write_bytes(b'x' * 100000)
  with pytest.raises(DataError, match='line 1: could not convert') as caught:
    read_points(path, T)
  assert len(str(caught.value)) < 200 + len(str(path))


@pytest.mark.parametrize('shape', [(0, 49, 2), (0, 98), (0, 68, 2), (0, 136)])
@pytest.mark.parametrize('frames', [0, 2])
def test_no_frames(tmp_path, shape, frames):
  """Law: a file without frames is filled like any short file."""
  np.save(tmp_path / 'a.npy', np.zeros(shape))
  points, found = read_points(tmp_path / 'a.npy', frames)
  assert points.shape == (frames, 49, 2) and not points.any()
  assert found.tolist() == [False] * frames


def damaged(random, raw):
  """Returns the bytes truncated, overwritten, flipped or with an insertion."""
  raw = bytearray(raw)
  # Half of the damage is in the header, which readers rely on most.
  end = len(raw) if random.random() < 0.5 else min(len(raw), 300)
  at = int(random.integers(end))
  noise = random.integers(0, 256, 4, np.uint8).tobytes()
  way = random.integers(4)
  if way == 0:
    return bytes(raw[:at])
  if way == 1:
    raw[at : at + int(random.integers(1, 5))] = noise
  elif way == 2:
    raw[at] ^= 1 << int(random.integers(8))
  else:
    raw[at:at] = raw[: int(random.integers(end))]
  return bytes(raw)


@pytest.mark.parametrize(
  'form', ['a.npy', 'a.mat', 'packed.mat', 'a.txt', 'a.csv', 'pts']
)
def test_damaged_files(tmp_path, form):
  """Law: each of 200 damaged files gives finite points or a DataError."""
  path = file = tmp_path / form
  FORMS[form](path, cloud())
  if path.is_dir():
    file = path / 'frame_7.pts'
  raw = file.read_bytes()
  random = np.random.default_rng(3)
  refused = 0
  for _ in range(200):
    file.write_bytes(damaged(random, raw))
    try:
      points, found = read_points(path, T)
    except DataError as error:
      refused += 1
      assert '\n' not in str(error)
    else:
      assert points.shape == (T, 49, 2) and np.isfinite(points).all()
      assert not points[~found].any()
  assert refused > 50
