"""Reads landmarks that come with a corpus, in any of these formats:

  .npy          (T, 49, 2), (T, 98), (T, 68, 2) or (T, 136)
  .mat          MATLAB up to version 7, with one array of such a shape
  .txt, .csv    one line per frame with 98 or 136 numbers: x, y, x, y, ...
  a folder      of .pts files (as in 300-W), one per frame, numbered from 1 or 0

68 landmarks are dlib's, of which 49 are kept. A frame without a face is marked
by NaN, by zeros, or by a .pts file that is missing or has no points.
"""

import math
import os
import pathlib
import re
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from avjax.data import npy
from avjax.errors import DataError
from avjax.features.landmarks import INNER
from avjax.shapes import Bool, Float

LIMIT = 1 << 27  # bytes of a file, unpacked: 45 minutes of 98 numbers as text
MOST = 1 << 17  # largest number of a frame in a folder: 87 minutes
FARTHEST = 1e6  # largest coordinate, in pixels
_COORDINATES = (2 * len(INNER), 136)
_WANTED = 'wanted 49 or 68 points, x and y, for every frame'


def read(path: str | os.PathLike) -> Float[np.ndarray, 'frames _']:
  """Returns the 98 or 136 numbers of every frame of a file, in pixels.

  Args:
    path: a file or folder in one of the formats above.

  Raises:
    DataError: the file is missing, damaged, or of another format.
  """
  path = pathlib.Path(path)
  readers = {'.npy': _npy, '.mat': _mat, '.txt': _text, '.csv': _text}
  array: np.ndarray
  try:
    if path.is_dir():
      array = _pts_folder(path)
    elif path.suffix.lower() in readers:
      array = readers[path.suffix.lower()](path)
    else:
      raise DataError(f'it has none of the endings {", ".join(readers)}')
    return as_rows(array)
  except DataError as error:
    raise DataError(f'landmarks {path}: {error}') from error
  except OSError as error:
    reason = error.strerror or error
    raise DataError(f'landmarks {path}: {reason}') from error


def faces(
  rows: Float[np.ndarray, 'T _'],
) -> tuple[Float[np.ndarray, 'T 49 2'], Bool[np.ndarray, ' T']]:
  """Returns the 49 landmarks of every frame, and whether there is a face."""
  found = np.isfinite(rows).all(1) & (rows != 0).any(1)
  points = np.where(found[:, None], rows, 0)
  points = points.reshape(len(rows), rows.shape[1] // 2, 2)
  if points.shape[1] == 68:
    points = points[:, INNER]
  return points, found


def as_rows(array: np.ndarray) -> Float[np.ndarray, 'T _']:
  """Returns one row per frame, as float64.

  Raises:
    DataError: the array has not the shape of landmarks.
  """
  shape = array.shape
  if array.ndim == 3 and shape[2] == 2:
    array = array.reshape(len(array), 2 * shape[1])
  if array.ndim != 2 or array.shape[1] not in _COORDINATES:
    raise DataError(f'it has the shape {shape}; {_WANTED}')
  rows = array.astype(np.float64)
  farthest = np.abs(rows[np.isfinite(rows)]).max(initial=0)
  if farthest > FARTHEST:
    raise DataError(f'it has a point at {farthest:g} pixels; {_WANTED}')
  return rows


def _npy(path: pathlib.Path) -> np.ndarray:
  with npy.opened(path) as file:
    return npy.data(file, npy.header(file, path.stat().st_size))


_MATRIX, _COMPRESSED = 14, 15  # types of elements of a .mat file
_NUMERIC = range(6, 16)  # classes of MATLAB arrays: double to uint64
_COMPLEX = 0x800  # bit of an array's flags
_STORED = {
  1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8',
  12: 'i8', 13: 'u8',
}  # fmt: skip


def _mat(path: pathlib.Path) -> np.ndarray:
  """Returns the array of a .mat file that has the shape of landmarks.

  SciPy's reader is not used: it crashes the process on some damaged files.
  """
  raw = _bytes(path)
  if raw.startswith(b'MATLAB 7.3'):
    raise DataError('it is a .mat file of version 7.3; save it with -v7')
  order = {b'IM': '<', b'MI': '>'}.get(raw[126:128])
  if order is None:
    raise DataError('it is not a .mat file of version 5 to 7; save it with -v7')
  candidates = []
  left = LIMIT
  for kind, body in _elements(raw[128:], order):
    if kind == _COMPRESSED:
      unpacked = _unpacked(body, left)
      left -= len(unpacked)
      kind, body = next(_elements(unpacked, order), (0, b''))
    array = _matrix(body, order) if kind == _MATRIX else None
    if array is not None and (
      array.shape[1:] in ((49, 2), (68, 2))
      or (array.ndim == 2 and array.shape[1] in _COORDINATES)
    ):
      candidates.append(array)
  if len(candidates) != 1:
    raise DataError(
      f'it has {len(candidates)} arrays that can be landmarks; {_WANTED}, in'
      ' one array'
    )
  return candidates[0]


def _elements(raw: bytes, order: str) -> Iterator[tuple[int, bytes]]:
  """Yields type and content of the elements of a .mat file."""
  offset = 0
  while offset + 8 <= len(raw):
    kind, size = struct.unpack_from(f'{order}II', raw, offset)
    start, end = offset + 8, offset + 8 + size
    # Elements are padded to eight bytes, compressed ones are not.
    offset = end if kind == _COMPRESSED else end + -size % 8
    if kind >> 16:  # a small element: up to four bytes instead of the size
      start, end, offset = start - 4, start - 4 + (kind >> 16), start
      kind &= 0xFFFF
    if end > len(raw):
      raise DataError('it is truncated')
    yield kind, raw[start:end]


def _matrix(body: bytes, order: str) -> np.ndarray | None:
  """Returns an array of real numbers, or None for an array of another class."""
  parts = _elements(body, order)
  _, flags = next(parts, (0, b''))
  if len(flags) != 8:
    raise DataError('it has an array without a class')
  (flag,) = struct.unpack_from(f'{order}I', flags)
  if flag & 0xFF not in _NUMERIC or flag & _COMPLEX:
    return None
  (_, sides), _, (kind, data) = (next(parts, (0, b'')) for _ in range(3))
  if kind not in _STORED or len(sides) % 4:
    raise DataError('it has an array of an unknown type')
  shape = [n for (n,) in struct.iter_unpack(f'{order}i', sides)]
  if len(shape) > 3:  # not landmarks, and NumPy allows at most 64 dimensions
    return None
  dtype = np.dtype(order + _STORED[kind])
  if min(shape, default=-1) < 0 or math.prod(shape) * dtype.itemsize != len(
    data
  ):
    raise DataError(f'it has {len(data)} bytes for an array of {shape}')
  return np.frombuffer(data, dtype).reshape(shape, order='F')


def _unpacked(body: bytes, limit: int) -> bytes:
  """Returns the content of a compressed element, of `limit` bytes at most."""
  try:
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(body, limit + 1)
  except zlib.error as error:
    raise DataError(f'it cannot be unpacked ({error})') from None
  if not unpacker.eof or len(raw) > limit:
    raise DataError(f'it is truncated, or has more than {LIMIT} bytes in all')
  return raw


def _text(path: pathlib.Path) -> np.ndarray:
  rows = []
  for number, line in enumerate(_lines(path), 1):
    if not line.strip():
      continue
    rows.append(_numbers(line, f'line {number}'))
    # Checked at once: a long file of another format would take much memory.
    if len(rows[0]) not in _COORDINATES:
      raise DataError(f'line {number} has {len(rows[0])} numbers; {_WANTED}')
    if len(rows[-1]) != len(rows[0]):
      raise DataError(
        f'line {number} has {len(rows[-1])} numbers and the first line has'
        f' {len(rows[0])}; {_WANTED}'
      )
  if not rows:
    raise DataError(f'it has no numbers; {_WANTED}')
  return np.stack(rows)


def _pts_folder(path: pathlib.Path) -> np.ndarray:
  frames: dict[int, np.ndarray] = {}
  for file in sorted(path.glob('*.pts')):
    digits = re.findall('[0-9]+', file.stem)
    if not digits or int(digits[-1]) > MOST:
      raise DataError(
        f'{file.name} must end in the number of a frame, {MOST} at most'
      )
    number = int(digits[-1])
    if number in frames:
      raise DataError(f'it has frame {number} twice, once in {file.name}')
    frames[number] = _pts(file)
  counts = {len(frame) for frame in frames.values()} - {0}
  if len(counts) != 1:
    listed = ', '.join(str(n // 2) for n in sorted(counts)) or 'no'
    raise DataError(
      f'its {len(frames)} .pts files have {listed} points; {_WANTED}'
    )
  # A missing number is a frame without a face.
  first = 0 if 0 in frames else 1
  rows = np.full((max(frames) + 1 - first, counts.pop()), np.nan)
  for number, frame in frames.items():
    if len(frame):
      rows[number - first] = frame
  return rows


def _pts(path: pathlib.Path) -> np.ndarray:
  """Returns the numbers between the braces of one .pts file."""
  text = '\n'.join(_lines(path))
  inside = re.search(r'\{([^{}]*)\}', text)
  if inside is None:
    raise DataError(f'{path.name} has no points between {{ and }}')
  return _numbers(inside[1], path.name)


def _numbers(text: str, where: str) -> np.ndarray:
  most = max(_COORDINATES)
  words = re.split(r'[\s,;]+', text.strip(), maxsplit=most + 1)
  words = [word for word in words if word]
  if len(words) > most:
    raise DataError(f'{where} has more than {most} numbers; {_WANTED}')
  try:
    return np.array([float(word) for word in words])
  except ValueError as error:
    # The error quotes the word, which may be as long as the file.
    raise DataError(f'{where}: {error!s:.80}') from None


def _lines(path: pathlib.Path) -> list[str]:
  try:
    return _bytes(path).decode('utf-8-sig').splitlines()
  except UnicodeDecodeError:
    raise DataError(f'{path.name} is not text') from None


def _bytes(path: pathlib.Path) -> bytes:
  with npy.opened(path) as file:
    if os.fstat(file.fileno()).st_size > LIMIT:
      raise DataError(f'{path.name} has more than {LIMIT} bytes')
    return file.read()
