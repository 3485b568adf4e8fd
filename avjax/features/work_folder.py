"""The folder of an extraction under way: what every clip gave so far.

  OUT.work/settings.json     what it was begun with
  OUT.work/clips/KEY.npz     columns of one clip, with the hash of its file

A clip's file is there whole or not at all, and counts only while the clip is
the same; so an extraction that was cut off goes on where it was.
"""

import dataclasses
import hashlib
import json
import pathlib

import numpy as np

import avjax
from avjax import files
from avjax.clips import Note
from avjax.data import npy
from avjax.errors import AvjaxError, DataError
from avjax.features.columns import Columns
from avjax.settings import FeaturesConfig


@dataclasses.dataclass(frozen=True)
class Measured:
  """One clip's file in the work folder, read when it is needed."""

  path: pathlib.Path
  sha256: str
  found: np.ndarray
  notes: tuple[Note, ...]

  def columns(self) -> Columns:
    """Returns what was measured."""
    arrays = npy.unpack(self.path.read_bytes())
    found = arrays.pop('found')
    for name in ('notes', 'sha256'):
      del arrays[name]
    return Columns(arrays, found, self.notes, {})


def begin(work: pathlib.Path, settings: FeaturesConfig) -> None:
  """Makes the work folder, or checks that it was begun with these settings.

  Raises:
    DataError: it was begun with others, or cannot be written to.
  """
  about = {'avjax': avjax.__version__, **dataclasses.asdict(settings)}
  for key in ('audio_width', 'shape_width', 'appearance_width'):
    del about[key]  # what is measured does not depend on them
  text = json.dumps(about, indent=2, sort_keys=True).encode()
  place = work / 'settings.json'
  try:
    (work / 'clips').mkdir(parents=True, exist_ok=True)
    if not place.exists():
      files.put(place, text)
    elif place.read_bytes() != text:
      raise DataError(
        f'{work} was begun with other settings; ask for those, or'
        ' remove it to begin again'
      )
  except OSError as error:
    raise DataError(f'cannot write to {work}: {error.strerror}') from error


def place(work: pathlib.Path, clip: str) -> pathlib.Path:
  """Returns the file of a clip, whose name may be anything."""
  key = hashlib.sha256(clip.encode()).hexdigest()[:24]
  return work / 'clips' / f'{key}.npz'


def read(path: pathlib.Path) -> Measured | None:
  """Returns a file of the work folder; None where it is not whole."""
  try:
    arrays = npy.unpack(path.read_bytes())
    notes = json.loads(arrays['notes'].tobytes())
    return Measured(
      path,
      arrays['sha256'].tobytes().hex(),
      arrays['found'],
      tuple(Note(*pair) for pair in notes),
    )
  except (OSError, AvjaxError, KeyError, TypeError, ValueError):
    return None
