"""The listing of a corpus's folder: every clip once, and all faults.

The reader of a corpus yields an `Item` for every file, from its name and
folders. `gather` turns the items into a `Listing`: it reports empty files, and
keeps one of several files of a take.
"""

import dataclasses
import pathlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from avjax.data.clip_table import ATTRIBUTE, TARGET
from avjax.data.corpora.tree import Path, digest, file_fault
from avjax.errors import DataError

VIDEO = ('.avi', '.flv', '.m4v', '.mkv', '.mov', '.mp4', '.mpg', '.webm')
AUDIO = ('.wav', '.flac', '.mp3')
IMAGES = ('.png', '.jpg', '.jpeg')
FEATURES = ('.npy', '.npz')


@dataclasses.dataclass(frozen=True)
class Entry:
  """One clip of a corpus.

  Attributes:
    name: identity within the corpus, independent of the folder.
    path: of the file, relative to the root.
    take: identity of the recording.
    split: 'training', 'validation' or 'test', or '' without splits.
    speaker: name of the speaker, or '' if unknown.
    targets: target -> emotion, such as {'acted': 'happy', 'voice': 'sad'}; the
      first is the label. Empty if unknown.
    attributes: what else is known, such as {'gender': 'female'}.
  """

  name: str
  path: str
  take: str
  split: str = ''
  speaker: str = ''
  targets: Mapping[str, str] = dataclasses.field(default_factory=dict)
  attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)

  @property
  def label(self) -> str:
    """The emotion, or ''."""
    return next(iter(self.targets.values()), '')


@dataclasses.dataclass(frozen=True)
class Item:
  """A reader's classification of one file.

  Attributes:
    path: relative to the root.
    entry: the clip in the file, or None.
    rank: of several files of a clip the one with the lowest rank is kept; 0 is
      a video with audio.
    fault: why the clip is not used, if its authors or users document it as
      bad; or ''.
    broken: an unexpected fault, or ''.
    ignored: why an intact file is not a clip, or ''.
    note: a harmless irregularity, or ''.
  """

  path: str
  entry: Entry | None = None
  rank: int = 0
  fault: str = ''
  broken: str = ''
  ignored: str = ''
  note: str = ''


Reasons = tuple[tuple[str, str], ...]
"""(path, reason) of files."""


@dataclasses.dataclass(frozen=True)
class Listing:
  """The clips and faults found in a corpus's folder.

  Attributes:
    entries: the usable clips, each once.
    faults: (clip, reason) of clips that are documented as bad; not used.
    broken: unexpected faults.
    ignored: files that are not clips, or further files of a clip.
    notes: harmless irregularities.
  """

  entries: tuple[Entry, ...]
  faults: tuple[tuple[Entry, str], ...]
  broken: Reasons
  ignored: Reasons
  notes: Reasons

  @property
  def nominal(self) -> tuple[Entry, ...]:
    """All clips of the corpus, including those documented as bad."""
    return (*self.entries, *(entry for entry, _ in self.faults))


@dataclasses.dataclass(frozen=True)
class Expected:
  """The expected number of clips, including those documented as bad.

  Attributes:
    release: name of the release.
    clips: total number of clips.
    counts: a split, a label or 'split label' -> number of clips.
    speakers: number of speakers; 0 if unknown.
  """

  release: str
  clips: int
  counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
  speakers: int = 0


@dataclasses.dataclass(frozen=True)
class Corpus:
  """The description and the reader of a corpus.

  Attributes:
    name: in flags and stores.
    title: in messages.
    source: where to request it.
    licence: in a few words.
    layout: path of an example file.
    read: (root, paths of its files) -> items.
    expected: its releases.
    endings: of its files.
    by_name: whether file names give label and speaker, so that feature files
      can be read as well.
  """

  name: str
  title: str
  source: str
  licence: str
  layout: str
  read: Callable[[pathlib.Path, Sequence[Path]], Iterable[Item]]
  expected: tuple[Expected, ...]
  endings: tuple[str, ...] = VIDEO + AUDIO
  by_name: bool = False


def rows(corpus: str, entries: Iterable[Entry]) -> list[dict[str, str]]:
  """Returns the rows of a `clip_table` for the entries."""
  return [
    {
      'clip': entry.name,
      'label': entry.label,
      'speaker': entry.speaker,
      'split': entry.split,
      'corpus': corpus,
      'take': entry.take,
    }
    | {TARGET + target: label for target, label in entry.targets.items()}
    | {ATTRIBUTE + name: word for name, word in entry.attributes.items()}
    for entry in entries
  ]


def format_rank(path: Path) -> int:
  """Returns the rank of a file by its ending: video first, then audio."""
  ending = path.suffix.lower()
  if ending in AUDIO:
    return 1 + AUDIO.index(ending)
  return 0


def gather(root: pathlib.Path, items: Iterable[Item]) -> Listing:
  """Returns the listing of a reader's items."""
  broken, ignored = [], []
  faults: dict[str, tuple[Entry, str]] = {}
  clips: dict[str, list[Item]] = defaultdict(list)
  for item in items:
    if item.broken:
      broken.append((item.path, item.broken))
    elif item.entry is None:
      ignored.append((item.path, item.ignored))
    elif item.fault:
      faults.setdefault(item.entry.name, (item.entry, item.fault))
    elif wrong := file_fault(root / item.path):
      broken.append((item.path, wrong))
    else:
      clips[item.entry.name].append(item)
  best = min((i.rank for files in clips.values() for i in files), default=0)
  kept = []
  for files in clips.values():
    first, *others = sorted(files, key=lambda item: item.rank)
    for other in others:
      if why := _conflict(root, first, other):
        broken.append((other.path, why))
      else:
        same = 'the same take as' if other.rank > first.rank else 'a copy of'
        ignored.append((other.path, f'{same} {first.path}'))
    if first.rank > best:
      why = 'is the only file of its take, while other takes have a better one'
      broken.append((first.path, why))
    else:
      kept.append(first)
  return Listing(
    entries=tuple(item.entry for item in kept if item.entry),
    faults=tuple(faults.values()),
    broken=tuple(broken),
    ignored=tuple(ignored),
    notes=tuple((item.path, item.note) for item in kept if item.note),
  )


def _conflict(root: pathlib.Path, first: Item, other: Item) -> str:
  """Returns the fault if two files of equal rank differ in content, or ''."""
  if other.rank > first.rank:
    return ''
  if digest(root / first.path) == digest(root / other.path):
    return ''
  return f'is the same clip as {first.path}, with another content'


def missing(corpus: Corpus, what: str) -> DataError:
  """Returns the error for a missing corpus, with where to request it."""
  return DataError(
    f'{what}; wanted {corpus.layout}. {corpus.title} cannot be downloaded here:'
    f' request it from {corpus.source} ({corpus.licence})'
  )
