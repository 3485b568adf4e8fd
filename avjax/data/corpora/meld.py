"""MELD: utterances of one television series, seven emotions.

  train_splits/diaD_uttU.mp4, dev_splits_complete/, output_repeated_splits_test/
  train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv

D and U restart in every split, so a clip is identified by split, D and U. Some
test clips have a second cut, final_videos_testdiaD_uttU.mp4. It agrees with the
table, which the first cut may not, so the second is used. Six friends speak in
all three splits.
"""

import csv
import pathlib
import re
from collections.abc import Iterator, Sequence

from avjax.data.corpora.listing import (
  VIDEO,
  Corpus,
  Entry,
  Expected,
  Item,
)
from avjax.data.corpora.tree import Path
from avjax.errors import DataError

_SPLITS = {'train': 'training', 'dev': 'validation', 'test': 'test'}
_EMOTIONS = {
  'neutral': 'neutral', 'surprise': 'surprise', 'fear': 'fear',
  'sadness': 'sad', 'joy': 'happy', 'disgust': 'disgust', 'anger': 'angry',
}  # fmt: skip
_FILE = re.compile('(final_videos_test)?(dia[0-9]+_utt[0-9]+)')
_FOLDER = re.compile('(train|dev|output_repeated_splits_test|test)')
_NOISY = 2_500_000  # bytes; larger training files have noisy audio

FAULTS = {
  'train/dia125_utt3': 'cannot be decoded, its index is missing',
  'dev/dia110_utt7': 'is not in the archive, or cannot be decoded',
  'test/dia38_utt4': 'is five minutes long for one utterance',
  'test/dia220_utt0': 'is four minutes long for one utterance',
}
"""Clips that are documented as bad, in their first cut."""


def read(root: pathlib.Path, paths: Sequence[Path]) -> Iterator[Item]:
  """Yields an item for every file, and for every table row without a file."""
  first: dict[str, Path] = {}
  second: dict[str, Path] = {}
  for path in paths:
    name, split = _FILE.fullmatch(path.stem), _split(path)
    if name is None or not split:
      why = 'is not named like train_splits/dia0_utt0.mp4'
      yield Item(str(path), broken=why)
      continue
    cuts = second if name[1] else first
    key = f'{split}/{name[2]}'
    if key in cuts:
      yield Item(str(path), ignored=f'a copy of {cuts[key]}')
    else:
      cuts[key] = path
  for split in sorted({key.split('/')[0] for key in (*first, *second)}):
    yield from _table_items(root, split, first, second)
  for path in (*first.values(), *second.values()):
    yield Item(str(path), ignored='not in the table')


def _table_items(
  root: pathlib.Path,
  split: str,
  first: dict[str, Path],
  second: dict[str, Path],
) -> Iterator[Item]:
  """Yields the clips of one table, and removes their files from both dicts."""
  for name, speaker, emotion in _rows(root, split):
    first_cut, second_cut = first.pop(name, None), second.pop(name, None)
    path = second_cut or first_cut
    entry = Entry(
      name=name,
      path=str(path or ''),
      take=name,
      split=_SPLITS[split],
      speaker=speaker,
      targets={'annotated': emotion},
    )
    if name in FAULTS and not second_cut:
      yield Item(str(path or name), entry, fault=FAULTS[name])
      continue
    if path is None:
      yield Item(name, broken='is in the table and has no file')
      continue
    if second_cut and first_cut:
      yield Item(str(first_cut), ignored=f'a first cut; {second_cut} is used')
    large = split == 'train' and (root / path).stat().st_size > _NOISY
    note = 'is larger than 2.5 MB; such files are noisy' if large else ''
    yield Item(str(path), entry, note=note)


def _split(path: Path) -> str:
  """Returns 'train', 'dev', 'test' or '' by the folder nearest to the file."""
  for folder in reversed(path.parts[:-1]):
    if found := _FOLDER.match(folder.lower()):
      return found[0].rpartition('_')[2]
  return ''


def _rows(root: pathlib.Path, split: str) -> Iterator[tuple[str, str, str]]:
  """Yields (name, speaker, emotion) for every row of a split's table.

  Raises:
    DataError: the table is missing or another table.
  """
  name = f'{split}_sent_emo.csv'
  tables = sorted(root.rglob(name))
  if not tables:
    raise DataError(
      f'{root} has files of the split {split} and no {name}; copy it from'
      ' https://github.com/declare-lab/MELD, data/MELD'
    )
  lines = map(_text, tables[0].read_bytes().splitlines())
  for row in csv.DictReader(lines):
    try:
      stem = f'dia{int(row["Dialogue_ID"])}_utt{int(row["Utterance_ID"])}'
      emotion = _EMOTIONS[row['Emotion'].strip().lower()]
      speaker = row['Speaker'].strip()
    except (KeyError, ValueError, AttributeError) as error:
      raise DataError(
        f'{tables[0]} is not the table of MELD ({error!r:.60}); restore it'
      ) from None
    yield f'{split}/{stem}', speaker, emotion


def _text(line: bytes) -> str:
  """Returns a line as text; some are in Windows-1252 instead of UTF-8."""
  try:
    text = line.decode('utf-8-sig')
  except UnicodeDecodeError:
    text = line.decode('cp1252', errors='replace')
  return text.replace('\u2019', "'")


CORPUS = Corpus(
  name='meld',
  title='MELD',
  source='https://affective-meld.github.io',
  licence='GPL-3.0 for the annotations; the videos belong to the series',
  layout='train_splits/dia0_utt0.mp4 and train_sent_emo.csv',
  read=read,
  expected=(
    Expected(
      'all three splits',
      13708,
      {'training': 9989, 'validation': 1109, 'test': 2610},
    ),
  ),
  endings=VIDEO,
)
