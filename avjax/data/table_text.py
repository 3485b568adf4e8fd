"""The text of a table -> its fields, as editors and spreadsheets save it.

Fields are separated by commas, semicolons, tabs or bars, lines end as on Linux,
Windows or old Macs, and the encoding is UTF-8, UTF-16 with its mark, or
Windows-1252.
"""

import contextlib
import csv
import io
import os
import re
import sys
from collections.abc import Sequence

from avjax.errors import DataError

SEPARATORS = ',;\t|'
MAX_BYTES = 1 << 28  # some million clips
_MARKS = ((b'\xff\xfe', 'utf-16'), (b'\xfe\xff', 'utf-16'))


def read(
  path: str | os.PathLike, wanted: Sequence[str]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
  """Returns the names of the columns, and (number, fields) of the other lines.

  Spaces around fields are cut off, and empty lines left out.

  Args:
    path: of the table.
    wanted: names of columns. The separator is the one by which the first line
      has most of them, whatever their case; of several, the one that gives
      most columns.

  Raises:
    DataError: it cannot be read, or is no such table.
  """
  try:
    if os.stat(path).st_size > MAX_BYTES:
      raise DataError(
        f'{path} has more than {MAX_BYTES} bytes; give a CSV table'
      )
    with open(path, 'rb') as file:
      raw = file.read()
  except OSError as error:
    raise DataError(
      f'cannot read the table {path}: {error.strerror}; give a CSV file with'
      f' the columns {",".join(wanted)}'
    ) from error
  text = _decoded(path, raw)
  if '\0' in text:
    line = text[: text.index('\0')].count('\n') + 1
    raise DataError(
      f'{path} line {line} has a NUL character; save it as a CSV table in UTF-8'
    )
  text = text.replace('\r\n', '\n').replace('\r', '\n')
  names = {name.lower() for name in wanted}

  def fit(separator: str) -> tuple[int, int]:
    header = [word.strip(' "').lower() for word in first.split(separator)]
    return len(names.intersection(header)), len(header)

  first = text.lstrip('\n').partition('\n')[0]
  told = re.fullmatch('"?sep=(.)"?', first)  # Excel's way of naming it
  separator = told[1] if told else max(SEPARATORS, key=fit)
  lines = _fields(path, text, separator)[bool(told) :]
  if not lines:
    return [], []
  (_, header), *rest = lines
  for number, fields in rest:
    if len(fields) != len(header):
      raise DataError(
        f'{path} line {number} does not have the {len(header)} fields of the'
        f' first line, separated by {separator!r}; put quotes around'
        f' a field with {separator!r}'
      )
  return header, rest


def _decoded(path: str | os.PathLike, raw: bytes) -> str:
  """Returns the text, in one of the encodings above."""
  encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), '')
  try:
    return raw.decode(encoding or 'utf-8-sig')
  except UnicodeDecodeError as error:
    with contextlib.suppress(UnicodeDecodeError):
      if not encoding and b'\0' not in raw:
        text = raw.decode('cp1252')
        word = re.search(r'\w{0,20}[^\x00-\x7f]\w{0,20}', text)
        print(
          f'{path} is not in UTF-8; it was read as Windows-1252, with words'
          f' such as {word and word[0]!r}: save it as UTF-8 if that looks'
          ' wrong',
          file=sys.stderr,
        )
        return text
    raise DataError(
      f'{path} is not a CSV table in UTF-8 ({error}); save it as one'
    ) from error


def _fields(
  path: str | os.PathLike, text: str, separator: str
) -> list[tuple[int, list[str]]]:
  """Returns (number, fields) of the lines that are not empty."""
  reader = csv.reader(
    io.StringIO(text),
    delimiter=separator,
    skipinitialspace=True,
    strict=True,
  )
  try:
    lines = [(reader.line_num, fields) for fields in reader]
  except csv.Error as error:
    raise DataError(
      f'{path} is not a CSV table ({error} in line {reader.line_num}); correct'
      ' it'
    ) from error
  return [
    (number, [field.strip() for field in fields])
    for number, fields in lines
    if any(field.strip() for field in fields)
  ]
