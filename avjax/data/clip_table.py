"""The table of a corpus: a CSV file with one row a clip.

  clip,label,speaker,split,corpus,take,target.voice,...

The first two must be there. A take is the recording that several clips may be
of; the columns `target.` hold what was asked besides the label.
"""

import csv
import os
from collections.abc import Mapping

import numpy as np

from avjax.clips import Clip
from avjax.errors import DataError

COLUMNS = ('clip', 'label', 'speaker', 'split', 'corpus', 'take')
REQUIRED = ('clip', 'label')
TARGET = 'target.'


def read(
  path: str | os.PathLike, renamed: Mapping[str, str]
) -> list[dict[str, str]]:
  """Returns a row a clip: COLUMNS, '' where unknown, and those of targets.

  Args:
    path: a CSV file in UTF-8 whose first line names the columns.
    renamed: those of COLUMNS that the table calls otherwise -> name there.

  Raises:
    DataError: the table cannot be read, lacks a column, or names a clip twice.
  """
  try:
    # utf-8-sig: what spreadsheets save begins with a byte-order mark.
    with open(path, encoding='utf-8-sig', newline='') as file:
      reader = csv.DictReader(file, strict=True)
      header = list(reader.fieldnames or ())
      lines = [(reader.line_num, line) for line in reader]
  except OSError as error:
    raise DataError(
      f'cannot read the table {path}: {error.strerror}; give a CSV file with'
      f' the columns {",".join(COLUMNS)}'
    ) from error
  except (UnicodeDecodeError, csv.Error) as error:
    raise DataError(
      f'{path} is no CSV table in UTF-8 ({error}); save it as one'
    ) from error
  _check_header(path, header, renamed)
  rows = []
  line_of: dict[str, int] = {}
  for number, line in lines:
    # DictReader puts what is too much under None, and None where too little.
    if None in line or None in line.values():
      raise DataError(
        f'{path} line {number} has not the {len(header)} fields of the first'
        ' line; put quotes around a field with a comma'
      )
    row = {c: (line.get(renamed.get(c, c)) or '').strip() for c in COLUMNS}
    row |= {c: line[c].strip() for c in header if c.startswith(TARGET)}
    name = row['clip']
    first = line_of.setdefault(name, number)
    if not name or first != number:
      fault = f'names {name!r}, as line {first}' if name else 'names no clip'
      raise DataError(f'{path} line {number} {fault}; give every clip one row')
    rows.append(row)
  return rows


def clip(
  row: Mapping[str, str], streams: Mapping[str, np.ndarray], source: str = ''
) -> Clip:
  """Returns the clip that a row is about.

  Args:
    row: as `read` gives it.
    streams: of the clip.
    source: SHA-256 of the file that they come from, or ''.
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
  )


def _check_header(
  path: str | os.PathLike, header: list[str], renamed: Mapping[str, str]
) -> None:
  """Raises DataError for a column that is needed, or said, and not there."""
  for column in COLUMNS:
    given = renamed.get(column, column)
    if (column in renamed or column in REQUIRED) and given not in header:
      raise DataError(
        f'{path} has no column {given!r} among {header!r:.300}; say which one'
        f' is the {column} with --{column}_column'
      )
