"""What the words on a command line name: files, folders, globs and lists."""

import glob
import os
import pathlib
from collections.abc import Iterable, Iterator

from avjax.errors import DataError

_ENDINGS = (
  '.mp4', '.m4v', '.mov', '.mkv', '.webm', '.avi', '.flv', '.wmv', '.asf',
  '.mpg', '.mpeg', '.ts', '.mts', '.m2ts', '.3gp', '.ogv', '.mp3', '.wav',
  '.flac', '.ogg', '.oga', '.opus', '.m4a', '.aac', '.wma',
)  # fmt: skip
"""Of the files in a folder that are taken for recordings."""


def expanded(words: Iterable[str]) -> list[str]:
  """Returns the paths of files, each once, in order.

  Args:
    words: paths of files, which may be missing; folders, for all recordings in
      them and below, by name; patterns such as '*.mp4', where there is no file
      of that name; and '@list.txt' for a text file with one of these a line.

  Raises:
    DataError: a folder has no recording, no file fits a pattern, or a list
      cannot be read.
  """
  return list(dict.fromkeys(_expanded(words, None)))


def _expanded(words: Iterable[str], base: str | None) -> Iterator[str]:
  for word in words:
    path = os.path.join(base or '', os.path.expanduser(word))
    if word.startswith('@') and not os.path.exists(path):
      if base is not None:
        raise DataError(f'{word} is in a list; lists of lists are not read')
      yield from _listed(os.path.expanduser(word[1:]))
    elif os.path.isdir(path):
      yield from _within(path)
    elif os.path.exists(path) or not glob.has_magic(path):
      yield path
    elif found := sorted(p for p in glob.glob(path) if os.path.isfile(p)):
      yield from found
    else:
      raise DataError(f'no file fits {word}; check the pattern')


def _listed(path: str) -> list[str]:
  """Returns the paths in a list; relative ones begin at its folder."""
  try:
    text = pathlib.Path(path).read_text()
  except (OSError, UnicodeDecodeError) as error:
    reason = getattr(error, 'strerror', None) or 'it is no text in UTF-8'
    raise DataError(f'the list {path} cannot be read: {reason}') from None
  lines = [line.strip() for line in text.splitlines()]
  words = [line for line in lines if line and not line.startswith('#')]
  if not words:
    raise DataError(f'the list {path} is empty; give one path a line')
  return list(_expanded(words, os.path.dirname(path)))


def _within(folder: str) -> list[str]:
  """Returns the recordings in a folder and below."""
  found = [
    os.path.join(at, name)
    for at, _, names in os.walk(folder)
    for name in names
    if name.lower().endswith(_ENDINGS) and not name.startswith('.')
  ]
  if not found:
    raise DataError(
      f'{folder} has no video or audio file; name the files, or another folder'
    )
  return sorted(found)
