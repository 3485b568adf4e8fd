"""Landmarks that a corpus provides, in the forms there are.

  .npy          (T, 49, 2), (T, 98), (T, 68, 2) or (T, 136)
  .mat          MATLAB up to version 7, with one array of such a shape
  .txt, .csv    a line a frame with 98 or 136 numbers: x, y, x, y, ...
  a folder      of .pts files (300-W's form), one a frame, numbered from 1 or 0

68 points are dlib's, of which 49 are kept. A frame without a face has NaN,
zeros, or a .pts file that is missing or has no points.
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

SLACK = 2  # frames that a file may have more or less than its clip
LIMIT = 1 << 27  # bytes of a file, unpacked: 45 minutes of 98 numbers as text
MOST = 1 << 17  # frames a folder may be numbered to: 87 minutes
FARTHEST = 1e6  # pixels, where a point may be
_COORDINATES = (2 * len(INNER), 136)
_WANTED = 'wanted 49 or 68 points, x and y, for every frame'


def read_points(
  path: str | os.PathLike, frames: int
) -> tuple[Float[np.ndarray, 'T 49 2'], Bool[np.ndarray, ' T']]:
  """Returns the landmarks of a clip, and where there is a face.

  A file that is up to SLACK frames short or long is filled with frames without
  a face, or cut at its end.

  Args:
    path: a file or folder of one of the forms above.
    frames: video frames of the clip.

  Raises:
    DataError: the file is missing, damaged, of another form or length.
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
      raise DataError(f'has none of the endings {", ".join(readers)}')
    rows = _rows(array)
  except DataError as error:
    raise DataError(f'landmarks {path}: {error}') from error
  except OSError as error:
    reason = error.strerror or error
    raise DataError(f'landmarks {path}: {reason}') from error
  if abs(len(rows) - frames) > SLACK:
    raise DataError(
      f'landmarks {path}: it has {len(rows)} frames and the clip {frames}; they'
      ' must be those of the clip at 25 frames a second'
    )
  flat = np.full((frames, rows.shape[1]), np.nan)
  flat[: len(rows)] = rows[:frames]
  found = np.isfinite(flat).all(1) & (flat != 0).any(1)
  flat[~found] = 0
  points = flat.reshape(frames, rows.shape[1] // 2, 2)
  if points.shape[1] == 68:
    points = points[:, INNER]
  return points, found


def _rows(array: np.ndarray) -> Float[np.ndarray, 'T _']:
  """Returns a frame a row, as float64."""
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
  with open(path, 'rb') as file:
    return npy.data(file, npy.header(file, path.stat().st_size))


_MATRIX, _COMPRESSED = 14, 15  # kinds of element of a .mat file
_NUMERIC = range(6, 16)  # classes of MATLAB's arrays: double to uint64
_COMPLEX = 0x800  # among an array's flags, beside its class
_STORED = {
  1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8',
  12: 'i8', 13: 'u8',
}  # fmt: skip


def _mat(path: pathlib.Path) -> np.ndarray:
  """Returns the one array of a .mat file that can be landmarks.

  Read here, since SciPy's reader ends the process on some damaged files.
  """
  raw = _bytes(path)
  if raw.startswith(b'MATLAB 7.3'):
    raise DataError("it is of MATLAB's version 7.3; save it again with -v7")
  order = {b'IM': '<', b'MI': '>'}.get(raw[126:128])
  if order is None:
    raise DataError('it is no .mat file of versions 5 to 7; save it with -v7')
  fitting = []
  for kind, body in _elements(raw[128:], order):
    if kind == _COMPRESSED:
      kind, body = next(_elements(_unpacked(body), order), (0, b''))
    array = _matrix(body, order) if kind == _MATRIX else None
    if array is not None and (
      array.shape[1:] in ((49, 2), (68, 2))
      or (array.ndim == 2 and array.shape[1] in _COORDINATES)
    ):
      fitting.append(array)
  if len(fitting) != 1:
    raise DataError(
      f'{len(fitting)} of its arrays have such a shape; {_WANTED}'
    )
  return fitting[0]


def _elements(raw: bytes, order: str) -> Iterator[tuple[int, bytes]]:
  """Yields kind and content of the elements of a .mat file, one by one."""
  at = 0
  while at + 8 <= len(raw):
    kind, size = struct.unpack_from(f'{order}II', raw, at)
    start, end = at + 8, at + 8 + size
    # What is compressed is not filled up to eight bytes.
    at = end if kind == _COMPRESSED else end + -size % 8
    if kind >> 16:  # four bytes at most, in the place of the size
      start, end, at = start - 4, start - 4 + (kind >> 16), start
      kind &= 0xFFFF
    if end > len(raw):
      raise DataError('it ends too soon')
    yield kind, raw[start:end]


def _matrix(body: bytes, order: str) -> np.ndarray | None:
  """Returns an array of plain numbers; None for any other kind."""
  parts = _elements(body, order)
  _, flags = next(parts, (0, b''))
  if len(flags) != 8:
    raise DataError('it has an array without a class')
  (flag,) = struct.unpack_from(f'{order}I', flags)
  if flag & 0xFF not in _NUMERIC or flag & _COMPLEX:
    return None
  (_, sides), _, (kind, data) = (next(parts, (0, b'')) for _ in range(3))
  if kind not in _STORED or len(sides) % 4:
    raise DataError('it has an array of no known kind')
  shape = [n for (n,) in struct.iter_unpack(f'{order}i', sides)]
  if len(shape) > 3:  # of no use here, and NumPy takes 64 at most
    return None
  dtype = np.dtype(order + _STORED[kind])
  if min(shape, default=-1) < 0 or math.prod(shape) * dtype.itemsize != len(
    data
  ):
    raise DataError(f'it has {len(data)} bytes for an array of {shape}')
  return np.frombuffer(data, dtype).reshape(shape, order='F')


def _unpacked(body: bytes) -> bytes:
  try:
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(body, LIMIT)
  except zlib.error as error:
    raise DataError(f'it cannot be unpacked ({error})') from None
  if not unpacker.eof:
    raise DataError(f'it ends too soon, or has over {LIMIT} bytes')
  return raw


def _text(path: pathlib.Path) -> np.ndarray:
  rows = []
  for number, line in enumerate(_lines(path), 1):
    if not line.strip():
      continue
    rows.append(_numbers(line, f'line {number}'))
    # At once, as a long file of another kind takes much time and memory.
    if len(rows[0]) not in _COORDINATES:
      raise DataError(f'line {number} has {len(rows[0])} numbers; {_WANTED}')
    if len(rows[-1]) != len(rows[0]):
      raise DataError(
        f'line {number} has {len(rows[-1])} numbers and the first'
        f' {len(rows[0])}; {_WANTED}'
      )
  if not rows:
    raise DataError(f'it has no line with numbers; {_WANTED}')
  return np.stack(rows)


def _pts_folder(path: pathlib.Path) -> np.ndarray:
  frames: dict[int, np.ndarray] = {}
  for file in sorted(path.glob('*.pts')):
    digits = re.findall('[0-9]+', file.stem)
    if not digits or int(digits[-1]) > MOST:
      raise DataError(
        f'{file.name} must end in the number of its frame, {MOST} at most'
      )
    number = int(digits[-1])
    if number in frames:
      raise DataError(f'it has the frame {number} twice, once in {file.name}')
    frames[number] = _pts(file)
  counts = {len(frame) for frame in frames.values()} - {0}
  if len(counts) != 1:
    found = ', '.join(str(n // 2) for n in sorted(counts)) or 'no'
    raise DataError(
      f'its {len(frames)} .pts files have {found} points; {_WANTED}'
    )
  # A number that is missing is a frame whose face was not found.
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
    raise DataError(f'{path.name} has no {{ }} with points in it')
  return _numbers(inside[1], path.name)


def _numbers(text: str, where: str) -> np.ndarray:
  most = max(_COORDINATES)
  words = re.split(r'[\s,;]+', text.strip(), maxsplit=most + 1)
  words = [word for word in words if word]
  if len(words) > most:
    raise DataError(f'{where} has over {most} numbers; {_WANTED}')
  try:
    return np.array([float(word) for word in words])
  except ValueError as error:
    # It repeats the word, which may be as long as the file.
    raise DataError(f'{where}: {error!s:.80}') from None


def _lines(path: pathlib.Path) -> list[str]:
  try:
    return _bytes(path).decode('utf-8-sig').splitlines()
  except UnicodeDecodeError:
    raise DataError(f'{path.name} is not text') from None


def _bytes(path: pathlib.Path) -> bytes:
  with open(path, 'rb') as file:
    raw = file.read(LIMIT + 1)
  if len(raw) > LIMIT:
    raise DataError(f'{path.name} has over {LIMIT} bytes')
  return raw
