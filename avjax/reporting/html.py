"""A report of finished runs: one HTML page without external resources."""

import dataclasses
import html
from collections.abc import Sequence

from avjax.reporting import (
  clip_browser,
  comparisons,
  markup,
  opening,
  overview,
  published,
  robustness_curves,
  run_section,
  stamps,
  table_notes,
)
from avjax.reporting import tables as paper_tables
from avjax.reporting.captioned import FigureLook
from avjax.reporting.page_style import SCRIPT, STYLE
from avjax.runs.finished import Group

TITLE = 'Emotion recognition from audio and video'
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
  title: str = TITLE,
) -> tuple[str, dict[str, str]]:
  """Returns the page as HTML, and title -> why a run lacks clips and maps.

  The runs come first, the best on top, and what the paper gives after them; it
  is left out unless a run can be compared with it, or differences are given.

  Args:
    groups: runs; figures and clips are those of each group's first run.
    clips: the largest number of clips to show of each run.
    command: the command line that makes the page.
    differences: sentences on differences from the paper, the first of which
      stands before the results too.
    base: the group that the others are compared with; None chooses it.
    robustness: a folder of bin/robustness; '' for none.
    title: of the page.

  Raises:
    AvjaxError: matplotlib is missing, or the study of robustness.
  """
  sections: list[_Section] = [
    ('results', 'Results', _results(groups, differences, base))
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
  said = table_notes.of_all(groups)
  for number, group in enumerate(paper_tables.ranked(groups)):
    body, why = run_section.section(group, clips, number, said)
    sections.append((f'run-{number}', group.title, body))
    if why:
      left_out[group.title] = why
  if differences or any(map(published.comparable, groups)):
    table = paper_tables.paper_table(groups)
    sections.append(('paper', 'As the paper gives it', markup.as_html(table)))
  if differences:
    body = f'<ul>{_items(differences)}</ul>\n'
    sections.append(('differences', DIFFERENCES, body))
  body = stamps.made(groups, command)
  sections.append(('stamps', 'How it was made', body))
  return _page(title, sections), left_out


def _page(title: str, sections: Sequence[_Section]) -> str:
  """Returns the whole page."""
  menu = ''.join(
    f'<li><a href="#{name}">{html.escape(text)}</a></li>'
    for name, text, _ in sections
  )
  content = ''.join(_section(*section) for section in sections)
  return (
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    '<meta name="color-scheme" content="light dark">\n'
    '<link rel="icon" href="data:,">\n'
    f'<title>{html.escape(title)}</title>\n'
    f'<style>{STYLE}</style></head>\n<body>\n'
    '<a class="skip" href="#main">Skip to the results</a>\n'
    f'<header><h1>{html.escape(title)}</h1>\n'
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


def _results(
  groups: Sequence[Group], differences: Sequence[str], base: Group | None
) -> str:
  """Returns what was found, the figure of all rows, and their table."""
  parts = []
  if differences:
    rest = f'all {len(differences)} {DIFFERENCES.lower()}'
    parts.append(
      f'<div class="found"><p>{html.escape(differences[0])} See'
      f' <a href="#differences">{rest}</a>.</p></div>\n'
    )
  best = paper_tables.ranked(groups)
  glance = overview.overview(best, FigureLook())
  answer = glance.result if glance else ''
  parts += [
    f'<p>{clip_browser.joined(text)}</p>\n'
    for text in opening.opening(groups, answer, base)
  ]
  said = table_notes.of_all(groups)
  parts.append(run_section.box('Split audit of all rows', said))
  if glance is not None:
    picture = run_section.shown([dataclasses.replace(glance, result='')])
    parts.append(f'<div class="glance">{picture}</div>\n')
  table = paper_tables.report_table(groups)
  return ''.join(parts) + markup.as_html(table)


def _compared(groups: Sequence[Group], base: Group | None) -> str:
  """Returns the comparisons with one base; '' where nothing is compared."""
  tested = [group for group in groups if comparisons.labels(group, 'test')]
  if len(groups) < 2 or not tested:
    return ''
  table = comparisons.comparisons(groups, base=base)[0]
  if not table.rows:
    return '<p>No two rows have a labelled test clip in common.</p>\n'
  return markup.as_html(table)
