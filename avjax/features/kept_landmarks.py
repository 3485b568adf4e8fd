"""The landmarks of a recording that is being measured, minute by minute.

  WORK/recording.json    the file and the settings that they belong to
  WORK/00000.npz, ...    what was found in each minute, and where faces are
                         looked for next

The files are written atomically, and one counts only after all earlier ones.
So a measurement that was interrupted resumes, and ends as it would have.
"""

import json
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np

import avjax
from avjax import files
from avjax.data import npy
from avjax.data.corpora.tree import digest
from avjax.errors import AvjaxError, DataError
from avjax.features.work_folder import DECODING


class KeptLandmarks:
  """The folder of a recording's landmarks; made if it is missing.

  Args:
    work: the folder.
    path: of the recording.
    every: every how many frames are searched.
    faces: which faces are measured, 'largest' or 'all'.

  Raises:
    DataError: it is of another recording, or cannot be written to.
  """

  def __init__(
    self, work: pathlib.Path, path: str | os.PathLike, every: int, faces: str
  ):
    self._work, self._next = work, 0
    about = {
      'avjax': avjax.__version__,
      'decoding': DECODING,
      'sha256': digest(path),
      'every': every,
      'faces': faces,
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

  def read(self) -> Iterator[dict[str, np.ndarray]]:
    """Yields what was kept of each minute, in order."""
    while (minute := _read(self._path())) is not None:
      self._next += 1
      yield minute

  def write(self, minute: Mapping[str, np.ndarray]) -> None:
    """Keeps what was found since the last call.

    Args:
      minute: its arrays.

    Raises:
      DataError: the folder cannot be written to.
    """
    try:
      files.put(self._path(), npy.pack(minute))
    except OSError as error:
      raise DataError(
        f'{self._path()} cannot be written: {error.strerror}; run the same'
        ' command again when it can be'
      ) from error
    self._next += 1

  def _path(self) -> pathlib.Path:
    return self._work / f'{self._next:05}.npz'


def _read(path: pathlib.Path) -> dict[str, np.ndarray] | None:
  """Returns the arrays of a minute, or None if it is missing or damaged."""
  try:
    return npy.unpack(path.read_bytes())
  except (OSError, AvjaxError):
    return None
