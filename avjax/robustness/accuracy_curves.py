"""The table and the picture of a study of robustness."""

import pathlib
from collections.abc import Sequence
from typing import Any

from avjax import files
from avjax.reporting import page, plots
from avjax.reporting.markup import FORMATS, NONE, Table, markdown
from avjax.robustness import conditions
from avjax.robustness.conditions import Condition, Disturbance
from avjax.robustness.study import Studied

NAME = 'robustness'
_COLUMNS = 3
_WIDTH, _HEIGHT = 2.55, 1.75  # of a panel, in inches
_LEFT, _RIGHT, _TOP, _GAP, _BELOW = 0.6, 0.1, 0.35, 0.35, 0.5


def table(studied: Sequence[Studied]) -> Table:
  """Returns a row for every run and condition."""
  rows = []
  for one in studied:
    clean = next(iter(one.answers.values())).accuracy
    for condition, answers in one.answers.items():
      kind, accuracy = condition.disturbance, answers.accuracy
      bounds = answers.interval
      rows.append(
        (
          one.title,
          kind.title,
          f'{condition.level:g}' if kind.unit else NONE,
          kind.unit or NONE,
          str(len(answers.right)),
          f'{100 * accuracy:.1f}',
          *(f'{100 * b:.1f}' for b in bounds or ()),
          *([] if bounds else [NONE, NONE]),
          f'{100 * (accuracy - clean):+.1f}',
        )
      )
  return Table(
    NAME,
    'Accuracy in % on disturbed test clips',
    (
      'run', 'disturbance', 'level', 'unit', 'clips', 'accuracy',
      'from, by speaker', 'to', 'change',
    ),
    tuple(rows),
    notes(studied),
  )  # fmt: skip


def notes(studied: Sequence[Studied]) -> tuple[str, ...]:
  """Returns what must stand below the table and the picture."""
  by_about: dict[str, list[str]] = {}
  for one in studied:
    by_about.setdefault(one.about, []).append(one.title)
  lines = [f'{"; ".join(titles)}: {a}.' for a, titles in by_about.items()]
  return (
    *lines,
    'Bars: 95 % bootstrap over the speakers; dotted: undisturbed. All clips of'
    ' a tested speaker are disturbed alike, then standardised as in the run.'
    ' Lost frames are like those without a face; a missing modality is the'
    ' average.',
  )


def picture(studied: Sequence[Studied]) -> Any:
  """Returns the figure: a panel for every disturbance, a line for every run.

  Raises:
    ConfigError: matplotlib is not installed.
  """
  panels = _panels(studied)
  rows = -(-len(panels) // _COLUMNS)
  width = _COLUMNS * (_LEFT + _WIDTH + _RIGHT)
  drawn = page.Page(width)
  legend = [drawn.fit(one.title, width - 1, fontsize=page.SMALL)[0]
            for one in studied]  # fmt: skip
  below = page.wrapped(notes(studied), width - 0.4)
  each = _TOP + _HEIGHT + _BELOW
  head = 0.2 + 0.17 * len(studied)
  drawn.resize(head + rows * each + 0.16 * len(below) + 0.2)
  low = min(
    (a.interval or (a.accuracy,))[0]
    for one in studied
    for a in one.answers.values()
  )
  for number, kinds in enumerate(panels):
    row, column = divmod(number, _COLUMNS)
    x = _LEFT + column * (_LEFT + _WIDTH + _RIGHT)
    ax = drawn.axes(x, head + row * each + _TOP, _WIDTH, _HEIGHT)
    _panel(ax, studied, kinds)
    ax.set_ylim(100 * max(low - 0.05, 0), 100)
    if not column:
      ax.set_ylabel('accuracy, %', fontsize=page.SMALL)
  for number, text in enumerate(legend):
    colour, marker = plots.style(number)
    drawn.text(0.35, 0.26 + 0.17 * number, text, fontsize=page.SMALL)
    ax = drawn.axes(0.1, 0.13 + 0.17 * number, 0.2, 0.17)
    ax.plot([0, 1], [0, 0], color=colour)
    ax.plot([0.5], [0], marker, color=colour, ms=4)
    ax.set_axis_off()
  for number, text in enumerate(below):
    y = head + rows * each + 0.16 * (number + 1)
    drawn.text(0.2, y, text, fontsize=page.SMALL)
  return drawn.figure


def _panels(studied: Sequence[Studied]) -> list[list[Disturbance]]:
  """Returns the disturbances of each panel; those without levels share one."""
  found = {c.disturbance for one in studied for c in one.answers}
  kinds = [kind for kind in conditions.EVERY if kind in found]
  panels = [[kind] for kind in kinds if not kind.removes]
  if removing := [kind for kind in kinds if kind.removes]:
    panels.append(removing)
  return panels


def _panel(
  ax, studied: Sequence[Studied], kinds: Sequence[Disturbance]
) -> None:
  """Draws the accuracies of all runs under a disturbance."""
  of = [Condition(kind, level) for kind in kinds for level in kind.levels]
  first, evenly = kinds[0], kinds[0].removes
  for number, one in enumerate(studied):
    known = [c for c in of if c in one.answers]
    if not known:
      continue
    clean = next(iter(one.answers.values())).accuracy
    plots.accuracy_curve(
      ax,
      [of.index(c) if evenly else c.level for c in known],
      [100 * one.answers[c].accuracy for c in known],
      [one.answers[c].interval for c in known],
      100 * clean,
      number,
      joined=not evenly,
    )
  if evenly:
    ax.set_xticks(range(len(of)), [c.disturbance.title for c in of])
    ax.set_xlim(-0.6, len(of) - 0.4)
    plots.heading(ax, 'one modality absent')
  else:
    ax.set_xlabel(first.unit, fontsize=page.SMALL)
    if first.levels[0] > first.levels[-1]:
      ax.invert_xaxis()  # worse to the right
    plots.heading(ax, first.title)


def write(studied: Sequence[Studied], folder: pathlib.Path) -> str:
  """Writes the table and the picture; returns the table in Markdown."""
  made = table(studied)
  for suffix in ('.csv', '.md'):
    files.write_text(folder / f'{NAME}{suffix}', FORMATS[suffix](made))
  drawn = picture(studied)
  for suffix in ('.png', '.pdf'):
    page.save(drawn, folder / f'{NAME}{suffix}')
  return markdown(made)
