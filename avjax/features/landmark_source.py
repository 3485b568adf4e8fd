"""Where the landmarks of a corpus are: a file a clip, or one file of all."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterable

import numpy as np

from avjax.data import clip_files, clip_table
from avjax.data.corpora import tree
from avjax.errors import DataError
from avjax.features import landmark_files
from avjax.features.landmark_archive import LandmarkArchive
from avjax.settings import FeaturesConfig
from avjax.shapes import Float


class LandmarkSource:
  """The landmark files of a corpus.

  Args:
    settings: of the features; `landmarks` is not empty.

  Attributes:
    archive: the landmarks of all clips in one file; None: a file a clip.
  """

  def __init__(self, settings: FeaturesConfig):
    self._pattern = settings.landmarks
    self.archive = None
    if settings.landmark_archive:
      self.archive = LandmarkArchive(settings.landmarks)

  @property
  def about(self) -> str:
    """A line about the file of all clips, or ''."""
    if self.archive is None:
      return ''
    path = self.archive.path
    return f'landmarks of {path.name}, SHA-256 {tree.digest(path)}'

  def rows(
    self, clip: str, folder: str | os.PathLike
  ) -> Float[np.ndarray, 'frames _']:
    """Returns the 98 or 136 numbers of every frame of a clip.

    Args:
      clip: its name.
      folder: base of a relative path.

    Raises:
      DataError: there are no landmarks of it, or they are damaged.
    """
    if self.archive is not None:
      return self.archive.rows(clip)
    path = self._pattern.replace('{clip}', os.path.splitext(clip)[0])
    return landmark_files.read(clip_files.ClipFiles(folder or '.').path(path))

  def lacking(self, clip: str) -> str:
    """Returns why the file of all clips has none of a clip, or ''."""
    return self.archive.lacking(clip) if self.archive is not None else ''

  def unused(self, clips: Iterable[str]) -> list[str]:
    """Returns a line about names in the file of all clips that no clip has."""
    names = self.archive.unused(clips) if self.archive is not None else []
    if not names or self.archive is None:
      return []
    few = ', '.join(names[:5]) + ', ...' * (len(names) > 5)
    return [
      f'{self.archive.path.name} has landmarks of {len(names)} names that no'
      f' clip has: {few}'
    ]

  def digest(self, clip: str, folder: str | os.PathLike) -> str:
    """Returns the SHA-256 of a clip's landmarks, or '' without any."""
    try:
      rows = self.rows(clip, folder)
    except DataError:
      return ''
    return hashlib.sha256(f'{rows.shape}'.encode() + rows.tobytes()).hexdigest()


def source(settings: FeaturesConfig) -> LandmarkSource | None:
  """Returns the landmark files that the settings name and need, or None.

  Raises:
    DataError: the file of all clips cannot be used.
  """
  needed = settings.landmarks and settings.seen
  return LandmarkSource(settings) if needed else None


def located(settings: FeaturesConfig, folder: pathlib.Path) -> FeaturesConfig:
  """Returns the settings with the place of the landmarks of all clips.

  It is sought as a table is; see `clip_table.find`.

  Args:
    settings: of the features.
    folder: of the clips.
  """
  if not settings.landmark_archive:
    return settings
  path = clip_table.find(settings.landmarks, folder).absolute()
  return dataclasses.replace(settings, landmarks=str(path))
