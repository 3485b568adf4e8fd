"""The files in a corpus's folder: listing, faults, hashes and copies."""

import hashlib
import os
import pathlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

Path = pathlib.PurePosixPath

_STUB = b'version https://git-lfs'
_STUB_BYTES = 1024  # larger than any such stub


def walk(
  root: pathlib.Path, endings: Sequence[str]
) -> tuple[list[Path], list[Path]]:
  """Returns the files with these endings, and separately the system files.

  Sorted, those in the fewest folders first. Links to folders are followed; each
  folder is visited once.
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
        system = file.startswith('.') or '__MACOSX' in path.parts
        (hidden if system else paths).append(path)
  return sorted(paths, key=lambda path: (len(path.parts), path)), sorted(hidden)


def file_fault(path: pathlib.Path) -> str:
  """Returns why a file cannot be a clip, or ''."""
  try:
    size = path.stat().st_size
    if not size:
      return 'is empty'
    if size <= _STUB_BYTES and path.read_bytes().startswith(_STUB):
      return "is a stub of git-lfs, not a clip; run 'git lfs pull'"
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
  """Yields (path, earlier path) of files with equal content.

  Only files of equal size are read.
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
