"""The corpora by name, and what is said of one that was found."""

import collections
import os
import pathlib
from collections.abc import Iterator

from avjax.data.corpora import (
  afew,
  cremad,
  enterface,
  meld,
  ravdess,
  savee,
)
from avjax.data.corpora.listing import (
  FEATURES,
  Corpus,
  Entry,
  Expected,
  Item,
  Listing,
  Reasons,
  gather,
  missing,
  rows,
)
from avjax.data.corpora.tree import copies, walk
from avjax.errors import ConfigError

CORPORA = {
  corpus.name: corpus
  for corpus in (
    afew.AFEW,
    ravdess.CORPUS,
    cremad.CORPUS,
    savee.CORPUS,
    enterface.CORPUS,
    meld.CORPUS,
    afew.SFEW,
  )
}
_EXAMPLES = 3  # of files that are no clips of their own


def find(name: str) -> Corpus:
  """Returns the corpus of this name.

  Raises:
    ConfigError: there is none.
  """
  if name not in CORPORA:
    raise ConfigError(
      f'the corpus is {name!r}; it must be one of {", ".join(CORPORA)}'
    )
  return CORPORA[name]


def read(name: str, folder: str | os.PathLike) -> Listing:
  """Returns what a folder holds of a corpus.

  Raises:
    ConfigError: there is no such corpus.
    DataError: there is no such folder, or no clip in it; says where to ask.
  """
  corpus, root = find(name), pathlib.Path(folder).expanduser()
  if not root.is_dir():
    raise missing(corpus, f'{root} is not a folder')
  paths, hidden = walk(root, corpus.endings)
  own = [Item(str(path), ignored='a file of the system') for path in hidden]
  listing = gather(root, [*own, *corpus.read(root, paths)])
  if not listing.nominal:
    first = next((f', only {p} ({why})' for p, why in listing.broken), '')
    raise missing(corpus, f'{root} holds no clip of {corpus.title}{first}')
  return listing


def feature_rows(name: str, folder: str | os.PathLike) -> list[dict[str, str]]:
  """Returns a row for every clip that a folder has files of features of.

  The clip is called as its files are, so that `{clip}` finds them.

  Raises:
    ConfigError: there is no such corpus, or its files' names do not say all.
    DataError: no file is named as the corpus's are.
  """
  corpus, root = find(name), pathlib.Path(folder).expanduser()
  if not corpus.by_name:
    able = ', '.join(key for key, each in CORPORA.items() if each.by_name)
    raise ConfigError(
      f'a file of {corpus.title} does not say all by its own name, as those of'
      f' {able} do; give a table of the clips with --clips'
    )
  if not root.is_dir():
    raise missing(corpus, f'{root} is not a folder')
  paths, _ = walk(root, FEATURES)
  clips: dict[str, dict[str, str]] = {}
  for item in corpus.read(root, paths):
    if item.entry and not item.fault:
      (row,) = rows(corpus.name, [item.entry])
      stem = pathlib.PurePosixPath(item.path).stem
      clips.setdefault(stem, row | {'clip': stem})
  if not clips:
    raise missing(corpus, f'{root} has no features of {corpus.title}')
  return [clips[stem] for stem in sorted(clips)]


def check(name: str, folder: str | os.PathLike) -> tuple[str, bool]:
  """Returns a report for people, and whether all is as expected.

  Raises:
    AvjaxError: as `read`.
  """
  corpus, listing = find(name), read(name, folder)
  release = _nearest(corpus, listing)
  lines, good = _counts(listing, release)
  lines.insert(0, f'{corpus.title}, {corpus.licence}')
  for entry, why in listing.faults:
    lines.append(f'known to be bad, not used: {entry.name} {why}')
  for path, why in listing.broken:
    lines.append(f'broken: {path} {why}')
  lines += [f'note: {path} {why}' for path, why in listing.notes]
  root = pathlib.Path(folder).expanduser()
  for one, first in copies(root, [entry.path for entry in listing.entries]):
    lines.append(f'note: {one} has the same bytes as {first}')
  lines += _ignored(listing.ignored)
  good = good and not listing.broken
  lines.append('as expected' if good else 'NOT as expected')
  return '\n'.join(lines) + '\n', good


def _nearest(corpus: Corpus, listing: Listing) -> Expected | None:
  """Returns the release that has the most similar number of clips."""
  found = len(listing.nominal)
  return min(
    corpus.expected, key=lambda each: abs(each.clips - found), default=None
  )


def _counts(
  listing: Listing, release: Expected | None
) -> tuple[list[str], bool]:
  """Returns the lines of a table, and whether all counts are as expected."""
  found = collections.Counter(
    key for entry in listing.nominal for key in _keys(entry)
  )
  wanted = dict(release.parts) if release else {}
  speakers = {e.speaker for e in listing.nominal if e.speaker}
  clips = len(listing.nominal)
  lines = [_line(release.release if release else '', 'found', 'expected')]
  lines.append(_line('clips', clips, release.clips if release else '-'))
  good = release is None or clips == release.clips
  for key in sorted({*found, *wanted}):
    lines.append(_line(key, found[key], wanted.get(key, '-')))
    good &= found[key] == wanted.get(key, found[key])
  expected = release.speakers if release else 0
  lines.append(_line('speakers', len(speakers), expected or '-'))
  good &= not expected or len(speakers) == expected
  of = collections.Counter(entry.speaker for entry in listing.nominal)
  for speaker, count in sorted(of.items()):
    if speaker:
      lines.append(_line(f'  {speaker}', count, ''))
  return lines, good


def _keys(entry: Entry) -> set[str]:
  """Returns what an entry counts for: split, label, 'split label'."""
  return {
    key
    for key in (
      entry.split,
      '' if entry.split else entry.label,
      f'{entry.split} {entry.label}'.strip() if entry.label else '',
    )
    if key
  }


def _ignored(reasons: Reasons) -> Iterator[str]:
  """Yields a line for every kind of file that is no clip of its own."""
  kinds: dict[str, list[str]] = collections.defaultdict(list)
  for path, why in reasons:
    # The file that follows these words makes no kind of its own.
    kind = next((k for k in ('the same take as', 'a copy of') if k in why), why)
    kinds[kind.partition(';')[0]].append(path)
  for kind, paths in sorted(kinds.items()):
    few = ', '.join(paths[:_EXAMPLES]) + ', ...' * (len(paths) > _EXAMPLES)
    yield f'no clips of their own: {len(paths)} files, {kind} ({few})'


def _line(title: str, found: object, expected: object) -> str:
  return f'{title:<44.44}{found!s:>9}{expected!s:>10}'.rstrip()
