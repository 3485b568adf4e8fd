"""What a corpus's folder holds: its clips, each once, and what is wrong.

A reader looks at names and folders and yields an `Item` for every file. Here
the items become a `Listing`: files that hold nothing are told, and of several
files of one take one is kept.
"""

import dataclasses
import pathlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from avjax.data.corpora.tree import Path, digest, file_fault
from avjax.errors import DataError

VIDEO = ('.avi', '.flv', '.m4v', '.mkv', '.mov', '.mp4', '.mpg', '.webm')
SOUND = ('.wav', '.flac', '.mp3')
IMAGES = ('.png', '.jpg', '.jpeg')
FEATURES = ('.npy', '.npz')


@dataclasses.dataclass(frozen=True)
class Entry:
  """One clip of a corpus.

  Attributes:
    name: identity within the corpus, whatever its folder is called.
    path: its file, from the root.
    take: identity of the recording.
    split: 'training', 'validation' or 'test', or '' where there is none.
    speaker: or '' where that is not known.
    targets: what was asked -> the answer, an emotion by name; the first is the
      label. Empty where nothing is known.
  """

  name: str
  path: str
  take: str
  split: str = ''
  speaker: str = ''
  targets: Mapping[str, str] = dataclasses.field(default_factory=dict)

  @property
  def label(self) -> str:
    """The emotion, or ''."""
    return next(iter(self.targets.values()), '')


@dataclasses.dataclass(frozen=True)
class Item:
  """What a reader says of one file.

  Attributes:
    path: from the root.
    entry: the clip that it is, if it is one.
    rank: of several files of a clip that with the least is kept: 0 has picture
      and sound.
    fault: '' or why the clip is not used, as those who made the corpus, or many
      who used it, have written.
    broken: '' or what nobody expects.
    ignored: '' or why the file is no clip, though nothing is wrong.
    note: what is odd, and does no harm.
  """

  path: str
  entry: Entry | None = None
  rank: int = 0
  fault: str = ''
  broken: str = ''
  ignored: str = ''
  note: str = ''


Reasons = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Listing:
  """A corpus as it was found.

  Attributes:
    entries: its clips, each once.
    faults: clips that are known to be bad, and why; they are not used.
    broken: path -> what is wrong and was not expected.
    ignored: path -> why it is no clip of its own.
    notes: path -> what is odd about a clip.
  """

  entries: tuple[Entry, ...]
  faults: tuple[tuple[Entry, str], ...]
  broken: Reasons
  ignored: Reasons
  notes: Reasons

  @property
  def nominal(self) -> tuple[Entry, ...]:
    """All clips that the corpus counts, the known bad ones too."""
    return (*self.entries, *(entry for entry, _ in self.faults))


@dataclasses.dataclass(frozen=True)
class Expected:
  """How many clips there should be, the known bad ones counted.

  Attributes:
    release: which one.
    clips: all together.
    parts: a split, a label or 'split label' -> its clips.
    speakers: how many; 0 where that is not known.
  """

  release: str
  clips: int
  parts: Mapping[str, int] = dataclasses.field(default_factory=dict)
  speakers: int = 0


@dataclasses.dataclass(frozen=True)
class Corpus:
  """A corpus that can be read.

  Attributes:
    name: in flags and stores.
    title: for people.
    source: where it is to be asked for.
    licence: under which.
    layout: what its folder looks like.
    read: root and the paths of its files -> items.
    expected: its releases.
    endings: of its files.
    by_name: whether a file's own name says everything, so that files of
      features can be read as well.
  """

  name: str
  title: str
  source: str
  licence: str
  layout: str
  read: Callable[[pathlib.Path, Sequence[Path]], Iterable[Item]]
  expected: tuple[Expected, ...]
  endings: tuple[str, ...] = VIDEO + SOUND
  by_name: bool = False


def rows(corpus: str, entries: Iterable[Entry]) -> list[dict[str, str]]:
  """Returns what `data.table` would read of the entries from a CSV table."""
  return [
    {
      'clip': entry.name,
      'label': entry.label,
      'speaker': entry.speaker,
      'split': entry.split,
      'corpus': corpus,
      'take': entry.take,
    }
    | {f'target.{asked}': label for asked, label in entry.targets.items()}
    for entry in entries
  ]


def form(path: Path) -> int:
  """Returns the rank of a file by its ending: picture first, then sound."""
  ending = path.suffix.lower()
  if ending in SOUND:
    return 1 + SOUND.index(ending)
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
      if why := _another_content(root, first, other):
        broken.append((other.path, why))
      else:
        same = 'the same take as' if other.rank > first.rank else 'a copy of'
        ignored.append((other.path, f'{same} {first.path}'))
    if first.rank > best:
      why = 'is all there is of its take, where other takes have more'
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


def _another_content(root: pathlib.Path, first: Item, other: Item) -> str:
  """Returns what is wrong with a second file of one form and clip, or ''."""
  if other.rank > first.rank:
    return ''
  if digest(root / first.path) == digest(root / other.path):
    return ''
  return f'is the clip that {first.path} is, with another content'


def missing(corpus: Corpus, what: str) -> DataError:
  """Returns the error of a corpus that is not there."""
  return DataError(
    f'{what}; wanted {corpus.layout}. {corpus.title} is not downloaded: ask for'
    f' it at {corpus.source} ({corpus.licence})'
  )
