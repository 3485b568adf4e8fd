"""AFEW of the EmotiW challenges, and SFEW: clips and single frames of films.

  AFEW  Train_AFEW/Angry/000149120.avi, Val_AFEW/..., Test/000149120.avi
  SFEW  Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png

The number of a clip is its time in the film, so clips of two films can have the
same number. A clip is identified by split, emotion and number. The test clips
have no folders of emotions and no labels. The actors are not named. Some
archives unzip into two nested folders of the same name; the folders nearest to
the file count.

SFEW trains the random forest of Section 3.2. Its frames come from the films of
AFEW, so only its training split is used.

Dhall et al. (2012), doi:10.1109/MMUL.2012.26.
"""

import pathlib
import re
from collections.abc import Iterator, Sequence

from avjax.clips import EMOTIONS
from avjax.data.corpora.listing import (
  IMAGES,
  VIDEO,
  Corpus,
  Entry,
  Expected,
  Item,
)
from avjax.data.corpora.tree import Path

_SPLIT = re.compile('(train|val|test)(?:$|[^a-z])', re.IGNORECASE)
_SPLITS = {'train': 'training', 'val': 'validation', 'test': 'test'}
_TRAINING = dict(zip(EMOTIONS, (133, 74, 81, 150, 144, 117, 74), strict=True))
_VALIDATION = dict(zip(EMOTIONS, (64, 40, 46, 63, 63, 61, 46), strict=True))


def read(root: pathlib.Path, paths: Sequence[Path]) -> Iterator[Item]:
  """Yields an item for every clip or image."""
  del root
  for path in paths:
    split, emotion = _split(path), path.parent.name.lower()
    known = emotion in EMOTIONS
    if not split:
      yield Item(
        str(path), broken='is not in a folder Train..., Val... or Test...'
      )
    elif not known and split != 'test':
      why = f'is in {path.parent.name}, which is not one of the seven emotions'
      yield Item(str(path), broken=why)
    else:
      words = (split, emotion, path.stem) if known else (split, path.stem)
      name = '/'.join(words)
      targets = {'annotated': emotion} if known else {}
      yield Item(str(path), Entry(name, str(path), name, split, '', targets))


def _split(path: Path) -> str:
  """Returns the split named by the folder nearest to the file, or ''."""
  for folder in reversed(path.parts[:-1]):
    if found := _SPLIT.match(folder):
      return _SPLITS[found[1].lower()]
  return ''


def faces(folder: str) -> pathlib.Path:
  """Returns the folder of labelled training faces, by default `folder`.

  Args:
    folder: SFEW as unzipped, or a folder with one folder per emotion.
  """
  root = pathlib.Path(folder).expanduser()
  for path in sorted(root.rglob('*')) if not _labelled(root) else ():
    inside = Path(path.relative_to(root).as_posix()) / 'any'
    if path.is_dir() and _split(inside) == 'training' and _labelled(path):
      return path
  return root


def _labelled(folder: pathlib.Path) -> bool:
  """Returns whether a folder contains a folder named after an emotion."""
  return folder.is_dir() and any(
    path.name.lower() in EMOTIONS and path.is_dir() for path in folder.iterdir()
  )


def _emotiw() -> Iterator[Expected]:
  """Yields the releases, without and with the test clips."""
  counts = {'training': 773, 'validation': 383} | {
    f'{split} {label}': count
    for split, of_label in (
      ('training', _TRAINING),
      ('validation', _VALIDATION),
    )
    for label, count in of_label.items()
  }
  yield Expected('EmotiW 2017, training and validation', 1156, counts)
  yield Expected('EmotiW 2017', 1809, counts | {'test': 653})
  counts = {'training': 711, 'validation': 371}
  yield Expected('EmotiW 2015 as in the paper, without test', 1082, counts)
  yield Expected('EmotiW 2015 as in the paper', 1621, counts | {'test': 539})


AFEW = Corpus(
  name='afew',
  title='AFEW',
  source='the organisers of the EmotiW challenges, by e-mail',
  licence='for research, with an agreement',
  layout='Train_AFEW/Angry/000149120.avi',
  read=read,
  expected=tuple(_emotiw()),
  endings=VIDEO,
)

SFEW = Corpus(
  name='sfew',
  title='SFEW',
  source=AFEW.source,
  licence=AFEW.licence,
  layout='Train/Train_Aligned_Faces/Angry/NAME.png',
  read=read,
  expected=(),
  endings=IMAGES,
)
