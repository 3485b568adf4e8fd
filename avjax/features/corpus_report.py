"""The outcome of an extraction: each clip, and counts by label and speaker."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from avjax.clips import Note
from avjax.records import EXTRACTOR

COUNTS = ('expected', 'usable', 'partial', 'silent', 'faceless', 'broken')


@dataclasses.dataclass(frozen=True)
class Row:
  """The outcome of one clip.

  Attributes:
    clip, label, speaker: as in the table.
    sha256: of the clip's file; '' if the clip could not be used.
    frames: number of video frames; 0 if the clip could not be used.
    faces: number of frames with a face.
    notes: remarks for the user.
    failure: why the clip could not be used, or ''.
  """

  clip: str
  label: str
  speaker: str
  sha256: str
  frames: int
  faces: int
  notes: tuple[Note, ...]
  failure: str

  def counts(self, faces_wanted: bool) -> tuple[bool, ...]:
    """Returns for each entry of COUNTS whether the clip belongs to it."""
    usable = not self.failure
    kinds = {note.kind for note in self.notes}
    return (
      True,
      usable,
      usable and 'partial' in kinds,
      usable and bool(kinds & {'no sound', 'silent'}),
      usable and faces_wanted and not self.faces,
      not usable,
    )


@dataclasses.dataclass(frozen=True)
class CorpusReport:
  """The outcome of a whole extraction; `str` gives the report as text.

  Attributes:
    rows: one per clip.
    faces_wanted: whether faces were searched for.
    about: lines about the corpus and the fitted extractor.
    text: the report, if it was read from a file.
  """

  rows: tuple[Row, ...]
  faces_wanted: bool = True
  about: tuple[str, ...] = ()
  text: str = ''

  @property
  def left_out(self) -> list[tuple[str, str]]:
    """(clip, reason) of the clips that cannot be used."""
    return [(row.clip, row.failure) for row in self.rows if row.failure]

  @property
  def usable(self) -> int:
    """Number of clips that can be used."""
    return sum(not row.failure for row in self.rows)

  def __str__(self) -> str:
    if self.text:
      return self.text
    lines = [_line('', COUNTS), _line('all clips', self._count(self.rows))]
    for kind in ('label', 'speaker'):
      names = sorted({getattr(row, kind) for row in self.rows})
      for name in names:
        rows = tuple(row for row in self.rows if getattr(row, kind) == name)
        title = f'{kind} {name or "unknown"}'
        lines.append(_line(title, self._count(rows)))
    lines += self._particulars()
    return '\n'.join([*lines, *self.about])

  def _count(self, rows: tuple[Row, ...]) -> list[int]:
    flags = [row.counts(self.faces_wanted) for row in rows]
    return [sum(column) for column in zip(*flags, strict=True)]

  def _particulars(self) -> Iterator[str]:
    """Yields a line for every clip that failed or has notes."""
    for row in self.rows:
      if row.failure:
        yield f'left out {row.clip}: {row.failure}'
    for row in self.rows:
      if row.notes:
        yield f'{row.clip}: {_listed(row.notes)}'

  def table(self) -> str:
    """Returns the rows as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    names = [field.name for field in dataclasses.fields(Row)]
    writer.writerow(names)
    for row in self.rows:
      values = {name: getattr(row, name) for name in names}
      writer.writerow((values | {'notes': _listed(row.notes)}).values())
    return text.getvalue()


def load(folder: pathlib.Path) -> CorpusReport:
  """Returns the report of a store; its notes have no kinds.

  Raises:
    DataError: the store has no report, or it is damaged.
  """
  text = EXTRACTOR.text(folder / 'report.txt').rstrip('\n')
  return CorpusReport(read_rows(folder), text=text)


def read_rows(folder: pathlib.Path) -> tuple[Row, ...]:
  """Returns the outcomes that a store's clips.csv lists.

  Raises:
    DataError: it is missing or damaged.
  """
  path = folder / 'clips.csv'
  names = [field.name for field in dataclasses.fields(Row)]
  head, lines = EXTRACTOR.table(path, names)
  rows = []
  for line in lines:
    values: dict[str, Any] = dict(zip(head, line, strict=True))
    notes = (Note('', values['notes']),) if values['notes'] else ()
    try:
      counts = {key: int(values[key]) for key in ('frames', 'faces')}
      rows.append(Row(**(values | counts | {'notes': notes})))
    except (TypeError, ValueError) as error:
      raise EXTRACTOR.fault(path, f'{error!s:.80}') from None
  return tuple(rows)


def _listed(notes: Sequence[Note]) -> str:
  return '; '.join(note.text for note in notes)


def _line(title: str, values) -> str:
  return f'{title:<24.24}' + ''.join(f'{value!s:>10}' for value in values)
