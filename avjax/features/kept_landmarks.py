"""The landmarks of a recording that is being measured, minute by minute.

  WORK/recording.json    the file and the settings that they belong to
  WORK/00000.npz, ...    what was found in each minute, and the latest face

The files are written atomically, and one counts only after all earlier ones.
So a measurement that was interrupted resumes, and ends as it would have.
"""

import json
import os
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

import avjax
from avjax import files
from avjax.data import npy
from avjax.data.corpora.tree import digest
from avjax.errors import AvjaxError, DataError
from avjax.features.landmarks import INNER, Face, Follower
from avjax.features.work_folder import DECODING


class _Minute(NamedTuple):
  """What was found in a minute.

  Attributes:
    rows: (frame, landmarks) of the faces that were found, in order.
    end: number of the frame after the last one.
    latest: the latest face, or None.
    next_search: see `Follower`.
  """

  rows: list[tuple[int, np.ndarray]]
  end: int
  latest: Face | None
  next_search: int


class KeptLandmarks:
  """The folder of a recording's landmarks; made if it is missing.

  Args:
    work: the folder.
    path: of the recording.
    every: every how many frames are searched.

  Raises:
    DataError: it is of another recording, or cannot be written to.
  """

  def __init__(self, work: pathlib.Path, path: str | os.PathLike, every: int):
    self._work, self._next = work, 0
    about = {
      'avjax': avjax.__version__,
      'decoding': DECODING,
      'sha256': digest(path),
      'every': every,
    }
    text = json.dumps(about, indent=2).encode()
    try:
      work.mkdir(parents=True, exist_ok=True)
      if not (work / 'recording.json').exists():
        files.put(work / 'recording.json', text)
      elif (work / 'recording.json').read_bytes() != text:
        raise DataError(
          f'{work} was begun for another file or other settings than those of'
          f' {path}; remove the folder to begin again'
        )
    except OSError as error:
      raise DataError(f'cannot write to {work}: {error.strerror}') from error

  def read(self) -> Iterator[_Minute]:
    """Yields what was kept of each minute, in order."""
    while (minute := _read(self._path())) is not None:
      self._next += 1
      yield minute

  def write(
    self, rows: list[tuple[int, np.ndarray]], end: int, follower: Follower
  ) -> None:
    """Keeps what was found since the last call.

    Args:
      rows: (frame, landmarks), in the order in which they were found.
      end: number of the next frame.
      follower: that will be given it.

    Raises:
      DataError: the folder cannot be written to.
    """
    latest = follower.latest
    arrays = {
      'numbers': np.array([number for number, _ in rows], np.int64),
      'points': np.array([p for _, p in rows]).reshape(-1, len(INNER), 2),
      'end': np.array([end, follower.next_search], np.int64),
    }
    if latest is not None:
      arrays['box'] = np.asarray(latest.box)
      arrays['face'] = np.array([latest.zoom, latest.score])
    try:
      files.put(self._path(), npy.pack(arrays))
    except OSError as error:
      raise DataError(
        f'{self._path()} cannot be written: {error.strerror}; run the same'
        ' command again when it can be'
      ) from error
    self._next += 1

  def _path(self) -> pathlib.Path:
    return self._work / f'{self._next:05}.npz'


def _read(path: pathlib.Path) -> _Minute | None:
  """Returns a minute, or None if it is missing or damaged."""
  try:
    arrays = npy.unpack(path.read_bytes())
    latest = None
    if 'box' in arrays:
      latest = Face(arrays['box'], *map(float, arrays['face']))
    numbers = arrays['numbers'].tolist()
    rows = list(zip(numbers, arrays['points'], strict=True))
    return _Minute(rows, int(arrays['end'][0]), latest, int(arrays['end'][1]))
  except (OSError, AvjaxError, KeyError, TypeError, ValueError, IndexError):
    return None
