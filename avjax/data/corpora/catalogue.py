"""The corpora by name: reading a folder of one, and checking it."""

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
_EXAMPLES = 3  # names of ignored files in one line


def find(name: str) -> Corpus:
  """Returns the corpus of this name.

  Raises:
    ConfigError: there is no such corpus.
  """
  if name not in CORPORA:
    raise ConfigError(
      f'the corpus is {name!r}; it must be one of {", ".join(CORPORA)}'
    )
  return CORPORA[name]


def read(name: str, folder: str | os.PathLike) -> Listing:
  """Returns the clips of a corpus in a folder, and the faults found.

  Raises:
    ConfigError: there is no such corpus.
    DataError: there is no such folder, or no clip in it; the message tells
      where to request the corpus.
  """
  corpus, root = find(name), pathlib.Path(folder).expanduser()
  if not root.is_dir():
    raise missing(corpus, f'{root} is not a folder')
  paths, hidden = walk(root, corpus.endings)
  system = [Item(str(path), ignored='a system file') for path in hidden]
  listing = gather(root, [*system, *corpus.read(root, paths)])
  if not listing.nominal:
    first = next((f', only {p} ({why})' for p, why in listing.broken), '')
    raise missing(corpus, f'{root} has no clip of {corpus.title}{first}')
  return listing


def feature_rows(name: str, folder: str | os.PathLike) -> list[dict[str, str]]:
  """Returns a table row for every clip with feature files in a folder.

  The clip is named after its files, so that patterns with `{clip}` find them.

  Raises:
    ConfigError: there is no such corpus, or its file names do not identify
      label and speaker.
    DataError: no file is named like the files of the corpus.
  """
  corpus, root = find(name), pathlib.Path(folder).expanduser()
  if not corpus.by_name:
    by_name = ', '.join(key for key, each in CORPORA.items() if each.by_name)
    raise ConfigError(
      f'the file names of {corpus.title} do not give label and speaker, unlike'
      f' those of {by_name}; give a table of the clips with --clips'
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
  """Returns a report, and whether the corpus is as expected.

  Raises:
    AvjaxError: see `read`.
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
  for path, first in copies(root, [entry.path for entry in listing.entries]):
    lines.append(f'note: {path} has the same bytes as {first}')
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
  wanted = dict(release.counts) if release else {}
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
  per_speaker = collections.Counter(entry.speaker for entry in listing.nominal)
  for speaker, count in sorted(per_speaker.items()):
    if speaker:
      lines.append(_line(f'  {speaker}', count, ''))
  return lines, good


def _keys(entry: Entry) -> set[str]:
  """Returns the keys under which an entry counts: split, label, both."""
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
  """Yields a line for every reason for which files were ignored."""
  kinds: dict[str, list[str]] = collections.defaultdict(list)
  for path, why in reasons:
    # Without the name of the other file, which follows these words.
    kind = next((k for k in ('the same take as', 'a copy of') if k in why), why)
    kinds[kind.partition(';')[0]].append(path)
  for kind, paths in sorted(kinds.items()):
    few = ', '.join(paths[:_EXAMPLES]) + ', ...' * (len(paths) > _EXAMPLES)
    yield f'ignored: {len(paths)} files, {kind} ({few})'


def _line(title: str, found: object, expected: object) -> str:
  return f'{title:<44.44}{found!s:>9}{expected!s:>10}'.rstrip()
