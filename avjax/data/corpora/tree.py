"""The files below a corpus's folder: which there are, and what they hold."""

import hashlib
import os
import pathlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

Path = pathlib.PurePosixPath

_STUB = b'version https://git-lfs'
_STUB_BYTES = 1024  # more than any such stub has


def walk(
  root: pathlib.Path, endings: Sequence[str]
) -> tuple[list[Path], list[Path]]:
  """Returns the paths of the files with these endings, and the system's own.

  Sorted, those in the fewest folders first; folders that are links are looked
  into, and each folder once.
  """
  paths: list[Path] = []
  hidden: list[Path] = []
  seen = set()
  for folder, folders, files in os.walk(root, followlinks=True):
    real = os.path.realpath(folder)
    if real in seen:
      folders.clear()
      continue
    seen.add(real)
    inside = Path(pathlib.Path(folder).relative_to(root).as_posix())
    for file in files:
      path = inside / file
      if path.suffix.lower() in endings:
        own = file.startswith('.') or '__MACOSX' in path.parts
        (hidden if own else paths).append(path)
  return sorted(paths, key=lambda path: (len(path.parts), path)), sorted(hidden)


def file_fault(path: pathlib.Path) -> str:
  """Returns why a file cannot be a clip, '' if it may be one."""
  try:
    size = path.stat().st_size
    if not size:
      return 'is empty'
    if size <= _STUB_BYTES and path.read_bytes().startswith(_STUB):
      return "is a stub of git-lfs and no clip; run 'git lfs pull'"
  except OSError as error:
    return f'cannot be read: {error.strerror}'
  return ''


def digest(path: str | os.PathLike) -> str:
  """Returns the SHA-256 of a file."""
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def copies(
  root: pathlib.Path, paths: Sequence[str]
) -> Iterator[tuple[str, str]]:
  """Yields the files that are, byte for byte, an earlier one: (one, first).

  Only files of one size are read.
  """
  sizes: dict[int, list[str]] = defaultdict(list)
  for path in paths:
    sizes[os.stat(root / path).st_size].append(path)
  for same in sizes.values():
    first: dict[str, str] = {}
    for path in same if len(same) > 1 else ():
      key = digest(root / path)
      if key in first:
        yield path, first[key]
      else:
        first[key] = path
