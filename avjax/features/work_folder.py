"""The work folder of an unfinished extraction: raw features clip by clip.

  OUT.work/settings.json     the settings of the extraction
  OUT.work/clips/KEY.npz     columns of one clip, and the hashes of its file and
                             of its landmarks, if these are from a file
  OUT.work/lock              see `locked`

The files are written atomically, and one counts only as long as the hashes
match; so an interrupted extraction resumes where it stopped.
"""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

import avjax
from avjax import files
from avjax.clips import Note
from avjax.data import npy
from avjax.errors import AvjaxError, DataError
from avjax.features.columns import Columns
from avjax.settings import FeaturesConfig

SETTINGS = 'settings.json'
DECODING = 2  # raised when files are decoded in another way


@dataclasses.dataclass(frozen=True)
class Measured:
  """The file of one clip in the work folder; its columns are read on demand.

  Attributes:
    path: the file.
    sha256: of the clip.
    found: (T,) whether a face was found in the frame.
    notes: remarks for the user.
    landmarks: `LandmarkSource.digest` of its landmarks from a file, or ''.
  """

  path: pathlib.Path
  sha256: str
  found: np.ndarray
  notes: tuple[Note, ...]
  landmarks: str = ''

  def columns(self) -> Columns:
    """Returns the raw features of the clip."""
    arrays = npy.unpack(self.path.read_bytes())
    found = arrays.pop('found')
    for name in ('notes', 'sha256', 'landmarks'):
      arrays.pop(name, None)
    return Columns(arrays, found, self.notes, {})


@contextlib.contextmanager
def locked(work: pathlib.Path, shard: tuple[int, int] | None) -> Iterator[None]:
  """Locks the work folder: for one process, or for one process a shard.

  Raises:
    CheckpointError: another process has the lock.
  """
  with contextlib.ExitStack() as stack:
    stack.enter_context(files.lock(work, shared=shard is not None))
    if shard is not None:
      one = work / 'shards' / f'{shard[0]}-of-{shard[1]}'
      stack.enter_context(files.lock(one))
    else:
      # Left by processes that were killed; nobody else writes here now.
      for part in (work / 'clips').glob('.*.part'):
        part.unlink(missing_ok=True)
    yield


def begin(work: pathlib.Path, settings: FeaturesConfig) -> None:
  """Makes the work folder, or checks that an existing one has these settings.

  Raises:
    DataError: it has other settings, or cannot be written to.
  """
  about: dict[str, Any] = {'avjax': avjax.__version__, 'decoding': DECODING}
  about |= dataclasses.asdict(settings)
  for key in ('audio_width', 'shape_width', 'appearance_width'):
    del about[key]  # the raw features do not depend on them
  if settings.landmark_archive:  # wherever it is; see `Measured.landmarks`
    about['landmarks'] = pathlib.PurePath(settings.landmarks).name
  if not settings.landmarks_rate:
    del about['landmarks_rate']
  if settings.appearance == 'alexnet':  # as in folders older than it
    del about['appearance']
  if settings.onnx:  # its hash tells which model it is
    about['onnx'] = [{**one, 'file': '', 'whiten': 0} for one in about['onnx']]
  else:
    del about['onnx']
  text = json.dumps(about, indent=2, sort_keys=True).encode()
  path = work / SETTINGS
  try:
    (work / 'clips').mkdir(parents=True, exist_ok=True)
    if not path.exists():
      files.put(path, text)
    elif path.read_bytes() != text:
      raise DataError(
        f'{work} was begun with other settings; use those, or'
        ' remove the folder to begin again'
      )
  except OSError as error:
    raise DataError(f'cannot write to {work}: {error.strerror}') from error


def path_of(work: pathlib.Path, clip: str) -> pathlib.Path:
  """Returns the path of a clip's file; the clip may have any name."""
  key = hashlib.sha256(clip.encode()).hexdigest()[:24]
  return work / 'clips' / f'{key}.npz'


def read(path: pathlib.Path) -> Measured | None:
  """Returns a clip's file, or None if it is missing or damaged."""
  try:
    arrays = npy.unpack(path.read_bytes())
    notes = json.loads(arrays['notes'].tobytes())
    return Measured(
      path,
      arrays['sha256'].tobytes().hex(),
      arrays['found'],
      tuple(Note(*pair) for pair in notes),
      arrays['landmarks'].tobytes().hex() if 'landmarks' in arrays else '',
    )
  except (OSError, AvjaxError, KeyError, TypeError, ValueError):
    return None
