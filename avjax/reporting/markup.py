"""A table of texts, formatted as Markdown, LaTeX, CSV or HTML."""

import csv
import dataclasses
import html
import io
import re

NONE = '-'  # the cell of an unknown value
_LATEX = {
  '\\': r'\textbackslash{}', '&': r'\&', '%': r'\%', '#': r'\#', '_': r'\_',
  '$': r'\$', '{': r'\{', '}': r'\}', '~': r'\textasciitilde{}',
  '^': r'\textasciicircum{}', '±': r'$\pm$',
  '\N{MINUS SIGN}': '$-$', '<': '$<$', '>': '$>$',
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Table:
  """The content of a table.

  Attributes:
    name: stem of file names, such as 'table-1'.
    title: the caption.
    head: names of the columns; the first column has the rows' names.
    rows: one text per column.
    notes: sentences below the table.
  """

  name: str
  title: str
  head: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]
  notes: tuple[str, ...] = ()

  def __post_init__(self):
    uneven = [row for row in self.rows if len(row) != len(self.head)]
    if uneven:
      raise ValueError(f'{uneven[0]} must have {len(self.head)} columns')


def markdown(table: Table) -> str:
  """Returns the table in Markdown."""

  def line(cells):
    return '| ' + ' | '.join(c.replace('|', r'\|') for c in cells) + ' |'

  lines = [f'**{table.title}**', '', line(table.head)]
  lines.append('|---' * len(table.head) + '|')
  lines += [line(row) for row in table.rows]
  if table.notes:
    lines += ['', *(f'- {note}' for note in table.notes)]
  return '\n'.join(lines) + '\n'


def latex(table: Table) -> str:
  """Returns the table as a LaTeX float that needs no package."""

  def line(cells):
    return ' & '.join(map(_escaped, cells)) + r' \\'

  notes = ' '.join(_escaped(note) for note in table.notes)
  return '\n'.join(
    [
      r'\begin{table}',
      rf'\caption{{{_escaped(table.title)}}}',
      rf'\begin{{tabular}}{{l{"r" * (len(table.head) - 1)}}}',
      r'\hline',
      line(table.head),
      r'\hline',
      *(line(row) for row in table.rows),
      r'\hline',
      r'\end{tabular}',
      *([rf'\par {notes}'] if notes else []),
      r'\end{table}',
      '',
    ]
  )


def latex_figure(name: str, caption: str) -> str:
  """Returns a LaTeX float that includes the figure of this name."""
  return '\n'.join(
    [
      r'\begin{figure}',
      r'\centering',
      rf'\includegraphics{{{name}}}',
      rf'\caption{{{_escaped(caption)}}}',
      rf'\label{{fig:{name}}}',
      r'\end{figure}',
      '',
    ]
  )


def _escaped(text: str) -> str:
  """Returns the text as LaTeX."""
  return ''.join(_LATEX.get(letter, letter) for letter in text)


def comma_separated(table: Table) -> str:
  """Returns the table as CSV, without title and notes."""
  file = io.StringIO()
  csv.writer(file, lineterminator='\n').writerows([table.head, *table.rows])
  return file.getvalue()


def as_html(table: Table) -> str:
  """Returns the table as HTML that scrolls in a box of its own.

  The box takes the keyboard too; row names and title stay in sight.
  """
  text = html.escape
  label = text(table.title, quote=True)
  head = ''.join(f'<th scope="col">{text(cell)}</th>' for cell in table.head)
  rows = ''.join(
    f'<tr><th scope="row">{_breakable(row[0])}</th>'
    + ''.join(f'<td>{text(cell)}</td>' for cell in row[1:])
    + '</tr>\n'
    for row in table.rows
  )
  notes = ''.join(f'<li>{_with_flags(note)}</li>' for note in table.notes)
  return (
    f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">\n'
    f'<table><caption><span>{text(table.title)}</span></caption>\n'
    f'<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n'
    + (f'<ul class="notes">{notes}</ul>\n' if notes else '')
  )


def _breakable(name: str) -> str:
  """Returns a name as HTML that may be broken behind commas and the like."""
  return re.sub(r'([,=/])(?=\S)', r'\1<wbr>', html.escape(name))


def _with_flags(note: str) -> str:
  """Returns a note as HTML, in which no flag is broken."""
  return re.sub(r'--\w[\w=]*', r'<code>\g<0></code>', html.escape(note))


FORMATS = {'.md': markdown, '.tex': latex, '.csv': comma_separated}
"""Suffix of a file -> function that formats the table."""
