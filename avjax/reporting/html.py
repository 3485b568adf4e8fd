"""A report of finished runs: one HTML page without external resources."""

import html
import shlex
import sys
from collections.abc import Sequence

from avjax.reporting import (
  comparisons,
  markup,
  overview,
  robustness_curves,
  run_section,
)
from avjax.reporting import tables as paper_tables
from avjax.reporting.captioned import FigureLook
from avjax.reporting.page_style import SCRIPT, STYLE
from avjax.runs.finished import Group

DIFFERENCES = 'Differences from the paper'

# With this policy the page cannot load anything from elsewhere.
POLICY = (
  "default-src 'none'; img-src data:; style-src 'unsafe-inline';"
  " script-src 'unsafe-inline'"
)
_Section = tuple[str, str, str]
"""Its id, its title, its content."""


def report(
  groups: Sequence[Group],
  clips: int,
  command: Sequence[str],
  differences: Sequence[str] = (),
  base: Group | None = None,
  robustness: str = '',
) -> tuple[str, dict[str, str]]:
  """Returns the page as HTML, and title -> why a run lacks clips and maps.

  The runs come first, and what the paper gives after them.

  Args:
    groups: runs; figures and clips are those of each group's first run.
    clips: the largest number of clips to show of each run.
    command: the command line that makes the page.
    differences: sentences on differences from the paper, the first of which
      stands before the results too.
    base: the group that the others are compared with; None chooses it.
    robustness: a folder of bin/robustness; '' for none.

  Raises:
    AvjaxError: matplotlib is missing, or the study of robustness.
  """
  sections: list[_Section] = [
    ('results', 'Results', _results(groups, differences))
  ]
  if compared := _compared(groups, base):
    sections.append(('comparisons', 'Comparisons', compared))
  if robustness:
    table, made = robustness_curves.read(robustness)
    body = (
      f'{run_section.shown(made)}<details><summary>Numbers of the curves, and'
      f' without a modality</summary>\n{markup.as_html(table)}</details>\n'
    )
    sections.append(('robustness', 'Robustness', body))
  left_out = {}
  for number, group in enumerate(groups):
    body, why = run_section.section(group, clips, number)
    sections.append((f'run-{number}', group.title, body))
    if why:
      left_out[group.title] = why
  sections.append(('paper', 'As the paper gives it', _paper(groups)))
  if differences:
    body = f'<ul>{_items(differences)}</ul>\n'
    sections.append(('differences', DIFFERENCES, body))
  sections.append(('stamps', 'How it was made', _stamps(groups, command)))
  return _page(groups, sections), left_out


def _page(groups: Sequence[Group], sections: Sequence[_Section]) -> str:
  """Returns the whole page."""
  menu = ''.join(
    f'<li><a href="#{name}">{html.escape(title)}</a></li>'
    for name, title, _ in sections
  )
  content = ''.join(_section(*section) for section in sections)
  return (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    '<meta name="color-scheme" content="light dark">\n'
    '<link rel="icon" href="data:,">\n'
    f'<title>avjax: report of {sum(len(g.runs) for g in groups)} runs</title>\n'
    f'<style>{STYLE}</style></head>\n<body>\n'
    '<a class="skip" href="#main">Skip to the results</a>\n'
    '<header><h1>Emotion recognition from audio and video</h1>\n'
    f'<nav aria-label="Sections"><ul>{menu}</ul></nav></header>\n'
    f'<main id="main" tabindex="-1">\n{content}</main>\n'
    f'<script>{SCRIPT}</script>\n</body></html>\n'
  )


def _section(name: str, title: str, body: str) -> str:
  return (
    f'<section id="{name}" aria-labelledby="{name}-title">\n'
    f'<h2 id="{name}-title">{html.escape(title)}</h2>\n{body}</section>\n'
  )


def _items(texts: Sequence[str]) -> str:
  return ''.join(f'<li>{html.escape(text)}</li>' for text in texts)


def _results(groups: Sequence[Group], differences: Sequence[str]) -> str:
  """Returns the figure of all rows, and the tables of the runs."""
  parts = []
  if differences:
    rest = f'all {len(differences)} {DIFFERENCES.lower()}'
    parts.append(
      f'<div class="found"><p>{html.escape(differences[0])} See'
      f' <a href="#differences">{rest}</a>.</p></div>\n'
    )
  glance = overview.overview(groups, FigureLook())
  if glance is not None:
    picture = run_section.shown([glance])
    parts.append(f'<div class="glance">{picture}</div>\n')
  parts += [markup.as_html(t) for t in paper_tables.own_tables(groups)]
  return ''.join(parts)


def _compared(groups: Sequence[Group], base: Group | None) -> str:
  """Returns the comparisons with one base; '' where nothing is compared."""
  if len(groups) < 2:
    return ''
  table = comparisons.comparisons(groups, base=base)[0]
  if not table.rows:
    return f'<ul class="notes">{_items(table.notes)}</ul>\n'
  return markup.as_html(table)


def _paper(groups: Sequence[Group]) -> str:
  """Returns the paper's own results, apart from those of the runs."""
  return markup.as_html(paper_tables.paper_table(groups))


def _stamps(groups: Sequence[Group], command: Sequence[str]) -> str:
  """Returns how each run was made: data, versions, revision and audit."""
  rows = []
  for run in (run for group in groups for run in group.runs):
    versions = run.info.versions.items()
    listed = ', '.join(f'{name} {value}' for name, value in versions)
    audit = '; '.join(run.audit) or (
      'nothing found' if 'audit' in run.results else 'not made'
    )
    rows.append(
      (
        run.folder.name,
        f'{run.config.data.store}, {run.config.data.protocol}, {run.stamp}',
        run.info.data_fingerprint[:12],
        str(run.info.revision),
        str(run.results.get('device', '-')),
        listed,
        audit,
      )
    )
  table = markup.Table(
    'stamps',
    'Runs',
    (
      'folder',
      'data',
      'fingerprint',
      'revision',
      'device',
      'versions',
      'audit',
    ),
    tuple(rows),
  )
  line = html.escape(shlex.join(command))
  python = html.escape(sys.version.split()[0])
  return (
    f'{markup.as_html(table)}<p>This page: Python {python},</p>'
    f'<pre tabindex="0" role="region" aria-label="Command">{line}</pre>\n'
  )
