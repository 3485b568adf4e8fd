"""The table of a corpus: a CSV file with one row per clip.

  clip,label,speaker,split,corpus,take,target.voice,...

Only the first two columns are required. A take is one recording, of which there
may be several clips; the columns `target.` have further labels.
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
  """Returns one row per clip: COLUMNS ('' if unknown), and target columns.

  Args:
    path: a CSV file in UTF-8 whose first line names the columns.
    renamed: one of COLUMNS -> its name in the table, if it differs.

  Raises:
    DataError: the table cannot be read, lacks a column, or names a clip twice.
  """
  try:
    # utf-8-sig: spreadsheets may write a byte-order mark.
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
      f'{path} is not a CSV table in UTF-8 ({error}); save it as one'
    ) from error
  _check_header(path, header, renamed)
  rows = []
  line_of: dict[str, int] = {}
  for number, line in lines:
    # DictReader: surplus fields have the key None, missing ones the value None.
    if None in line or None in line.values():
      raise DataError(
        f'{path} line {number} does not have the {len(header)} fields of the'
        ' first line; put quotes around a field with a comma'
      )
    row = {c: (line.get(renamed.get(c, c)) or '').strip() for c in COLUMNS}
    row |= {c: line[c].strip() for c in header if c.startswith(TARGET)}
    name = row['clip']
    first = line_of.setdefault(name, number)
    if not name or first != number:
      fault = f'names {name!r}, as line {first}' if name else 'names no clip'
      raise DataError(f'{path} line {number} {fault}; write one row per clip')
    rows.append(row)
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
  )


def _check_header(
  path: str | os.PathLike, header: list[str], renamed: Mapping[str, str]
) -> None:
  """Raises DataError if a required or renamed column is missing."""
  for column in COLUMNS:
    given = renamed.get(column, column)
    if (column in renamed or column in REQUIRED) and given not in header:
      raise DataError(
        f'{path} has no column {given!r} among {header!r:.300}; name the'
        f' column of the {column} with --{column}_column'
      )
