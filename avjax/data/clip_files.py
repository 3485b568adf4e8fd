"""The files of clips by their names in a table, however these are written.

An accented letter is one character, or, on macOS, a letter and an accent; both
name the same file. So do a path with Windows' separators and one with ours.
Links to folders are followed.
"""

import os
import pathlib
import unicodedata
from collections import defaultdict

_SIDECARS = (
  '.csv', '.json', '.jsonl', '.mat', '.npy', '.npz', '.pts', '.txt', '.xml',
)  # fmt: skip
"""Endings of files that may lie beside a clip under the same name."""


def spellings(name: str) -> list[str]:
  """Returns the paths that a name may mean: itself, then by Windows' rules."""
  composed = unicodedata.normalize('NFC', name).removeprefix('./')
  windows = composed.replace('\\', '/').removeprefix('./')
  return list(dict.fromkeys([composed, windows]))


class ClipFiles:
  """The files below a folder. Every folder is listed once.

  Args:
    folder: the folder.
  """

  def __init__(self, folder: str | os.PathLike):
    self._root = pathlib.Path(folder)
    self._lists: dict[pathlib.Path, dict[str, list[str]]] = {}

  def path(self, name: str) -> pathlib.Path:
    """Returns the path of the file that a name with its ending means.

    Without such a file, the path that is meant literally.
    """
    literal = self._root / name
    if not os.path.exists(literal):
      for spelling in spellings(name):
        found = self._below(spelling)
        if found is not None:
          return found
    return literal

  def clip(self, name: str) -> pathlib.Path | str:
    """Returns the file of a clip, or as text why there is none.

    Args:
      name: of the file, with or without its ending.
    """
    for spelling in spellings(name):
      if paths := self._matching(spelling):
        break
    else:
      return 'there is no such file'
    if len(paths) > 1:
      paths = [p for p in paths if p.suffix.lower() not in _SIDECARS] or paths
    if len(paths) > 1:
      listed = ', '.join(path.name for path in paths)
      return f'several files have this name: {listed}; add the ending'
    if not paths[0].is_file():
      return 'it is not a regular file'
    return paths[0]

  def _matching(self, name: str) -> list[pathlib.Path]:
    """Returns the files of this name, or of this name and any ending."""
    exact = self._below(name)
    if exact is not None and not exact.is_dir():
      return [exact]
    parent, _, last = name.rpartition('/')
    folder = self._below(parent) if parent else self._root
    if folder is None:
      return []
    paths = [
      folder / real
      for written, all_real in self._listed(folder).items()
      for real in all_real
      if os.path.splitext(written)[0] == last
    ]
    return sorted(path for path in paths if not path.is_dir())

  def _below(self, name: str) -> pathlib.Path | None:
    """Returns the file or folder at a path, or None."""
    path = self._root
    for part in name.split('/'):
      names = self._listed(path).get(part)
      if not names:
        return None
      # Two may differ in their Unicode form alone; then the one written so.
      path /= part if part in names else names[0]
    return path

  def _listed(self, folder: pathlib.Path) -> dict[str, list[str]]:
    """Returns the composed names in a folder -> their names on disk."""
    if folder not in self._lists:
      names: dict[str, list[str]] = defaultdict(list)
      if folder.is_dir():
        for name in sorted(os.listdir(folder)):
          names[unicodedata.normalize('NFC', name)].append(name)
      self._lists[folder] = dict(names)
    return self._lists[folder]
