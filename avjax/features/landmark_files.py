"""Landmarks that a corpus provides, in the forms there are.

  .npy          (T, 49, 2), (T, 98), (T, 68, 2) or (T, 136)
  .mat          MATLAB up to version 7, with one array of such a shape
  .txt, .csv    a line a frame with 98 or 136 numbers: x, y, x, y, ...
  a folder      of .pts files (300-W's form), one a frame, numbered from 1 or 0

68 points are dlib's, of which 49 are kept. A frame without a face has NaN,
zeros, or a .pts file that is missing or has no points.
"""

import os
import pathlib
import re

import numpy as np

from avjax.data import npy
from avjax.errors import ConfigError, DataError
from avjax.features.landmarks import INNER
from avjax.shapes import Bool, Float

SLACK = 2  # frames that a file may have more or less than its clip
LIMIT = 1 << 27  # bytes of a text file: 45 minutes of 98 numbers
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
    ConfigError: SciPy, which reads .mat, is not installed.
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
  points = flat.reshape(frames, -1, 2)
  if points.shape[1] == 68:
    points = points[:, INNER]
  return points, found


def _rows(array: np.ndarray) -> Float[np.ndarray, 'T _']:
  """Returns a frame a row, as float64."""
  if array.ndim == 3 and array.shape[2] == 2:
    array = array.reshape(len(array), -1)
  if array.ndim != 2 or array.shape[1] not in _COORDINATES:
    raise DataError(f'it has the shape {array.shape}; {_WANTED}')
  rows = array.astype(np.float64)
  farthest = np.abs(rows[np.isfinite(rows)]).max(initial=0)
  if farthest > FARTHEST:
    raise DataError(f'it has a point at {farthest:g} pixels; {_WANTED}')
  return rows


def _npy(path: pathlib.Path) -> np.ndarray:
  with open(path, 'rb') as file:
    return npy.data(file, npy.header(file, path.stat().st_size))


def _mat(path: pathlib.Path) -> np.ndarray:
  try:
    import scipy.io
  except ImportError as error:
    raise ConfigError(
      "reading .mat needs the package scipy; pip install 'avjax[features]'"
    ) from error
  try:
    content = scipy.io.loadmat(path, mat_dtype=True)
  except NotImplementedError:
    raise DataError(
      "it is of MATLAB's version 7.3; save it again with -v7"
    ) from None
  except Exception as error:
    # scipy has no closed list of what it raises on damaged files.
    raise DataError(f'it cannot be read: {error!r:.100}') from error
  fitting = [
    array
    for name, array in content.items()
    if not name.startswith('__')
    and isinstance(array, np.ndarray)
    and array.dtype.kind in 'fiu'
    and (
      (array.ndim == 3 and array.shape[1:] in ((49, 2), (68, 2)))
      or (array.ndim == 2 and array.shape[1] in _COORDINATES)
    )
  ]
  if len(fitting) != 1:
    raise DataError(
      f'{len(fitting)} of its arrays have such a shape; {_WANTED}'
    )
  return fitting[0]


def _text(path: pathlib.Path) -> np.ndarray:
  rows = []
  for number, line in enumerate(_lines(path), 1):
    if not line.strip():
      continue
    rows.append(_numbers(line, f'line {number}'))
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
  try:
    return np.array(
      [float(word) for word in re.split(r'[\s,;]+', text.strip()) if word]
    )
  except ValueError as error:
    raise DataError(f'{where}: {error}') from None


def _lines(path: pathlib.Path) -> list[str]:
  if path.stat().st_size > LIMIT:
    raise DataError(f'{path.name} has over {LIMIT} bytes')
  try:
    return path.read_text(encoding='utf-8-sig').splitlines()
  except UnicodeDecodeError:
    raise DataError(f'{path.name} is not text') from None
