"""The table of a corpus: a CSV file with one row per clip.

  clip,label,speaker,split,corpus,take,target.voice,...

Only the first two columns are required. A take is one recording, of which there
may be several clips; the columns `target.` have further labels. All other
columns, such as gender, are kept as attributes of the clips.
"""

import os
import pathlib
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from avjax.clips import Clip
from avjax.data import clip_files, lookalikes, manifest, table_text
from avjax.errors import DataError

COLUMNS = ('clip', 'label', 'speaker', 'split', 'corpus', 'take')
REQUIRED = ('clip', 'label')
TARGET = 'target.'
ATTRIBUTE = 'attribute.'
"""Before the names of other columns, in a row."""
Rows = list[dict[str, str]]


def find(given: str | None, folder: str | os.PathLike) -> pathlib.Path:
  """Returns the path of a table: `given`, or clips.csv in the clips' folder.

  A relative path is sought in the current folder, in that of the clips, and
  beside it.
  """
  folder = pathlib.Path(folder)
  if given is None:
    return folder / 'clips.csv'
  path = pathlib.Path(given).expanduser()
  for place in (pathlib.Path(), folder, folder.absolute().parent):
    if (place / path).exists():
      return place / path
  return path


def read(
  path: str | os.PathLike,
  renamed: Mapping[str, str],
  merge: bool = False,
  labels: str = '',
  files: clip_files.ClipFiles | None = None,
) -> Rows:
  """Returns one row per clip: COLUMNS ('' if unknown), targets, attributes.

  A column with words that a store cannot keep, such as long texts, is left out
  with a note on standard error.

  Args:
    path: a table whose first line names the columns; see `table_text`.
    renamed: one of COLUMNS -> its name in the table, if it differs.
    merge: whether labels, and speakers, that look alike become one, by the
      most frequent spelling.
    labels: a table with the columns from and to: how labels are renamed. A
      label that it names may look like others; '' for none.
    files: of the clips, so that one file under two names is found; or None.

  Raises:
    DataError: the table cannot be read, lacks a column, or names a clip twice;
      or labels or speakers look alike.
  """
  wanted = {c: renamed.get(c, c) for c in COLUMNS}
  must = [wanted[c] for c in COLUMNS if c in REQUIRED or c in renamed]
  header, lines = table_text.read(path, must)
  column_of = _columns(path, header, renamed)
  kept = _attributes(path, header, lines, {*column_of.values()})
  rows = []
  line_of: dict[str, int] = {}
  for number, line in lines:
    row = {c: line[column_of[c]] if c in column_of else '' for c in COLUMNS}
    row |= {
      name.lower(): line[k]
      for k, name in enumerate(header)
      if name.lower().startswith(TARGET)
    }
    row |= {ATTRIBUTE + name: line[k] for name, k in kept.items()}
    name = row['clip']
    first = line_of.setdefault(_meant(name, files), number)
    if not name or first != number:
      same = f'names {name!r}, the same clip as line {first}'
      fault = same if name else 'names no clip'
      raise DataError(f'{path} line {number} {fault}; write one row per clip')
    rows.append(row)
  told = _rename(rows, labels) if labels else set()
  _settle_lookalikes(path, rows, merge, told)
  return rows


def clip(
  row: Mapping[str, str], streams: Mapping[str, np.ndarray], source: str = ''
) -> Clip:
  """Returns the clip described by a row.

  Args:
    row: from `read`.
    streams: of the clip.
    source: SHA-256 of the file that the streams come from, or ''.
  """
  return Clip(
    name=row['clip'],
    streams=streams,
    label=row['label'] or None,
    speaker=row['speaker'],
    split=row['split'],
    corpus=row['corpus'],
    take=row['take'],
    source=source,
    targets={
      key.removeprefix(TARGET): label
      for key, label in row.items()
      if key.startswith(TARGET) and label
    },
    attributes={
      key.removeprefix(ATTRIBUTE): word
      for key, word in row.items()
      if key.startswith(ATTRIBUTE) and word
    },
  )


def _meant(name: str, files: clip_files.ClipFiles | None) -> str:
  """Returns what two names of one clip have in common."""
  file = files.clip(name) if files and name else ''
  if isinstance(file, pathlib.Path):
    return os.path.realpath(file)
  return clip_files.spellings(name)[-1]


def _columns(
  path: str | os.PathLike, header: list[str], renamed: Mapping[str, str]
) -> dict[str, int]:
  """Returns the index of every one of COLUMNS that the table has.

  Raises:
    DataError: a required or renamed column is missing, or is there twice.
  """
  found = {}
  for column in COLUMNS:
    given = renamed.get(column, column)
    matches = [
      k for k, name in enumerate(header) if name.lower() == given.lower()
    ]
    exact = [k for k in matches if header[k] == given]
    if len(matches) > 1 and len(exact) != 1:
      raise DataError(f'{path} has the column {given!r} twice; rename one')
    if matches:
      found[column] = (exact or matches)[0]
    elif column in renamed or column in REQUIRED:
      raise DataError(
        f'{path} has no column {given!r} among {header!r:.300}; name the'
        f' column of the {column} with --{column}_column'
      )
  return found


def _attributes(
  path: str | os.PathLike,
  header: list[str],
  lines: Sequence[tuple[int, list[str]]],
  used: Collection[int],
) -> dict[str, int]:
  """Returns name -> index of the columns to keep as attributes of the clips.

  Args:
    path: of the table.
    header: names of the columns.
    lines: (number, fields) of the other lines.
    used: indices of the columns with another meaning.
  """
  kept: dict[str, int] = {}
  for k, name in enumerate(header):
    plain = name and not name.lower().startswith(TARGET)
    if k in used or not plain or name.lower() in COLUMNS:
      continue
    words = [name, *(line[k] for _, line in lines)]
    if name in kept or not all(map(manifest.is_text, words)):
      print(
        f'{path}: the column {name!r:.60} is not kept: it is there twice, or'
        ' has a word of more than 200 characters or one that cannot be printed',
        file=sys.stderr,
      )
      continue
    kept[name] = k
  return kept


def renames(path: str, dropping: bool = False) -> dict[str, str]:
  """Returns label -> its new name, by a table with the columns from and to.

  Args:
    path: of the table.
    dropping: whether the new name may be '', for labels that are left out.

  Raises:
    DataError: the table cannot be read, or renames a label in two ways.
  """
  header, lines = table_text.read(path, ['from', 'to'])
  lower = [name.lower() for name in header]
  for name in ('from', 'to'):
    if name not in lower:
      raise DataError(
        f'{path} has no column {name!r} among {header!r:.300}; --labels wants'
        ' a table with the columns from and to'
      )
  first, second = lower.index('from'), lower.index('to')
  new: dict[str, str] = {}
  for number, line in lines:
    old, label = line[first], line[second]
    if not label and not dropping:
      raise DataError(f'{path} line {number} gives {old!r} no label; write one')
    if new.setdefault(old, label) != label:
      raise DataError(
        f'{path} line {number} renames {old!r} to {label!r}, and a line above'
        f' to {new[old]!r}; write one of them'
      )
  return new


def say_unused(path: str, names: Collection[str]) -> None:
  """Prints a note on labels of a table of `renames` that no clip has."""
  if names:
    listed = ', '.join(map(repr, sorted(names)))
    print(f'{path}: no clip has the label {listed:.300}', file=sys.stderr)


def _rename(rows: Rows, path: str) -> set[str]:
  """Renames the labels by the table `path`; returns the labels it names."""
  new = renames(path)
  places = _labels(rows)
  say_unused(path, new.keys() - {row[column] for row, column in places})
  for row, column in places:
    row[column] = new.get(row[column], row[column])
  return set(new) | set(new.values())


def _settle_lookalikes(
  path: str | os.PathLike, rows: Rows, merge: bool, told: set[str]
) -> None:
  """Merges labels, and speakers of a corpus, that look alike.

  Raises:
    DataError: there are some, and neither `merge` nor `told` says what to do.
  """
  cells = defaultdict(list)
  for row, column in _labels(rows):
    cells['labels', ''].append((row, column))
  for row in rows:
    cells['speakers', row['corpus']].append((row, 'speaker'))
  faults = []
  for (kind, _), places in cells.items():
    for spellings in lookalikes.groups(row[column] for row, column in places):
      if kind == 'labels' and told.issuperset(spellings):
        continue
      faults.append(f'the {kind} {lookalikes.described(spellings)}')
      for row, column in places:
        if row[column] in spellings:
          row[column] = next(iter(spellings))
  if faults and not merge:
    few = '; '.join(faults[:5]) + '; ...' * (len(faults) > 5)
    raise DataError(
      f'{path} has words that differ only in case, spaces or letters that look'
      f' alike: {few}; correct them, or add --merge_labels to take the most'
      ' frequent of each, or --labels=FILE with the columns from,to'
    )


def _labels(rows: Rows) -> list[tuple[dict[str, str], str]]:
  """Returns (row, column) of all labels."""
  return [
    (row, column)
    for row in rows
    for column, word in row.items()
    if word and (column == 'label' or column.startswith(TARGET))
  ]
