"""The landmarks of a whole corpus in one .npz file.

  takes    (clips,) the names, as text; or under the name `names`
  offsets  (clips + 1,) where the frames of each begin, from 0
  xy       (frames, 49 or 68, 2) in pixels

The frames of clip i are xy[offsets[i]:offsets[i + 1]].
"""

import collections
import os
import pathlib
import unicodedata
from collections.abc import Iterable

import numpy as np

from avjax.data import clip_files, npy
from avjax.errors import DataError
from avjax.features import landmark_files
from avjax.shapes import Float

_SHAPES = ((49, 2), (68, 2))


class LandmarkArchive:
  """The landmarks of many clips, by their names.

  Args:
    path: of the file.

  Attributes:
    path: of the file.

  Raises:
    DataError: it is missing or damaged, or its arrays do not fit together.
  """

  def __init__(self, path: str | os.PathLike):
    self.path = pathlib.Path(path)
    try:
      with npy.opened(path) as file, npy.archive(file) as packed:
        given = {name.removesuffix('.npy') for name in packed.namelist()}
        key = 'names' if 'names' in given and 'takes' not in given else 'takes'
        names = _names(npy.member(packed, key, 'US'), key)
        offsets = npy.member(packed, 'offsets')
        self._xy = npy.member(packed, 'xy')
      _check(names, offsets, self._xy)
    except OSError as error:
      raise DataError(f'landmarks {path}: {error.strerror}') from error
    except DataError as error:
      raise DataError(f'landmarks {path}: {error}') from error
    except Exception as error:
      # zipfile does not document all the errors of damaged members.
      raise DataError(f'landmarks {path}: {error!r:.100}') from error
    bounds = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    self._bounds = dict(zip(names, bounds, strict=True))

  def rows(self, clip: str) -> Float[np.ndarray, 'frames _']:
    """Returns the 98 or 136 numbers of every frame of a clip.

    Raises:
      DataError: the file has no frame of this clip, or an impossible one.
    """
    name = self._name(clip)
    if name is None:
      raise DataError(f'{self.path.name} has no landmarks of it')
    first, end = self._bounds[name]
    if first == end:
      raise DataError(f'{self.path.name} has no frame of it')
    try:
      return landmark_files.as_rows(self._xy[first:end])
    except DataError as error:
      raise DataError(f'{self.path.name}: {error}') from error

  def lacking(self, clip: str) -> str:
    """Returns why there are no landmarks of a clip, or ''."""
    try:
      self.rows(clip)
    except DataError as error:
      return str(error)
    return ''

  def unused(self, clips: Iterable[str]) -> list[str]:
    """Returns the names of which there is no clip."""
    return sorted(self._bounds.keys() - {self._name(clip) for clip in clips})

  def _name(self, clip: str) -> str | None:
    """Returns the name under which a clip is here: with or without ending."""
    written = clip_files.spellings(clip)
    written += [os.path.splitext(name)[0] for name in written]
    return next((name for name in written if name in self._bounds), None)


def _names(array: np.ndarray, key: str) -> list[str]:
  if array.ndim != 1:
    raise DataError(
      f'{key} has the shape {array.shape}; wanted one name a clip'
    )
  try:
    names = [
      name.decode() if isinstance(name, bytes) else name
      for name in array.tolist()
    ]
  except UnicodeDecodeError:
    raise DataError(f'{key} has a name that is not UTF-8') from None
  names = [unicodedata.normalize('NFC', name) for name in names]
  [(name, count)] = collections.Counter(names).most_common(1) or [('', 0)]
  if count > 1:
    raise DataError(f'{key} has {name!r:.80} twice; leave one out')
  return names


def _check(names: list[str], offsets: np.ndarray, xy: np.ndarray) -> None:
  """Raises DataError unless the arrays fit together."""
  if xy.ndim != 3 or xy.shape[1:] not in _SHAPES or xy.dtype.kind == 'b':
    raise DataError(
      f'xy has the shape {xy.shape} and the type {xy.dtype}; wanted numbers of'
      ' the shape (frames, 49 or 68, 2)'
    )
  if offsets.dtype.kind not in 'iu' or offsets.shape != (len(names) + 1,):
    raise DataError(
      f'offsets has the shape {offsets.shape} and the type {offsets.dtype};'
      f' wanted {len(names) + 1} integers for {len(names)} names'
    )
  steps = [0, *offsets.tolist(), len(xy)]  # integers of any size
  if steps != sorted(steps) or steps[0] != steps[1] or steps[-1] != steps[-2]:
    raise DataError(
      f'offsets do not ascend from 0 to {len(xy)}, the number of frames in xy'
    )
