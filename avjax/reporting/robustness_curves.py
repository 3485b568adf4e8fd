"""The curves of bin/robustness on the page of a report, from its table."""

import dataclasses
import math
import pathlib
import re
from collections.abc import Sequence

from avjax.errors import ConfigError
from avjax.records import Reader
from avjax.reporting import markup, page, plots
from avjax.reporting.captioned import Figure, FigureLook
from avjax.reporting.markup import NONE
from avjax.reporting.page import Page

TABLE = 'robustness.csv'
_HEAD = [
  'run', 'disturbance', 'level', 'unit', 'clips', 'accuracy',
  'from, by speaker', 'to', 'change',
]  # fmt: skip
_READER = Reader(
  ConfigError,
  'give the folder that bin/robustness has written',
  'run bin/robustness again',
)
_LEFT, _TOP, _HEIGHT, _AXIS, _LINE = 0.6, 0.1, 1.75, 0.45, 0.17


@dataclasses.dataclass(frozen=True)
class DisturbedAccuracy:
  """A row of the table.

  Attributes:
    run: title of the run.
    disturbance: its title.
    level: of the disturbance; None for one without.
    unit: of the level.
    accuracy: in %.
    bounds: in %, 95 % by speaker; None if unknown.
  """

  run: str
  disturbance: str
  level: float | None
  unit: str
  accuracy: float
  bounds: tuple[float, float] | None


def read(folder: str | pathlib.Path) -> tuple[markup.Table, list[Figure]]:
  """Returns the table of a study and a figure for every disturbance.

  Args:
    folder: the output of bin/robustness.

  Raises:
    ConfigError: it has no such table, or a damaged one.
  """
  path = pathlib.Path(folder).expanduser() / TABLE
  head, lines = _READER.table(path)
  if head != _HEAD or not lines:
    raise _READER.fault(path, 'it is not the table of bin/robustness')
  try:
    rows = [_row(line) for line in lines]
  except ValueError as error:
    raise _READER.fault(path, error) from None
  return table(rows), curves(rows, FigureLook())


def _row(line: Sequence[str]) -> DisturbedAccuracy:
  run, disturbance, level, unit, _, accuracy, low, high, _ = line
  return DisturbedAccuracy(
    run,
    disturbance,
    None if level == NONE else _number(level),
    unit,
    _number(accuracy),
    None if low == NONE else (_number(low), _number(high)),
  )


def _number(text: str) -> float:
  value = float(text)
  if not math.isfinite(value):
    raise ValueError(f'{text!r} is no number')
  return value


def table(rows: Sequence[DisturbedAccuracy]) -> markup.Table:
  """Returns a row for every condition, and a column for every run."""
  runs = list(dict.fromkeys(row.run for row in rows))
  found: dict[str, dict[str, str]] = {}
  for row in rows:
    level = '' if row.level is None else f', {row.level:g} ({row.unit})'
    change = f'{row.accuracy - _undisturbed(rows)[row.run]:+.1f}'
    ends = row.bounds and f' [{row.bounds[0]:.1f}, {row.bounds[1]:.1f}]'
    cells = found.setdefault(f'{row.disturbance}{level}', {})
    cells[row.run] = f'{row.accuracy:.1f}{ends or ""} {change}'
  return markup.Table(
    'robustness',
    'Accuracy in % on disturbed test clips',
    ('disturbance', *runs),
    tuple(
      (_signed(name), *(_signed(cells.get(run, NONE)) for run in runs))
      for name, cells in found.items()
    ),
    ('Accuracy [95 %, by speaker] and its change from the undisturbed clips.',),
  )


def _signed(text: str) -> str:
  """Returns the text with a minus sign before digits."""
  return re.sub(r'-(?=\d)', '\N{MINUS SIGN}', text)


def _undisturbed(rows: Sequence[DisturbedAccuracy]) -> dict[str, float]:
  """Returns run -> accuracy of its first row, which is undisturbed."""
  return {row.run: row.accuracy for row in reversed(rows)}


def curves(rows: Sequence[DisturbedAccuracy], look: FigureLook) -> list[Figure]:
  """Returns a figure for every disturbance with levels, one line a run."""
  clean = _undisturbed(rows)
  runs = list(dict.fromkeys(row.run for row in rows))
  kinds = dict.fromkeys(r.disturbance for r in rows if r.level is not None)
  return [
    _curve([r for r in rows if r.disturbance == kind], runs, clean, look)
    for kind in kinds
  ]


def _curve(
  rows: Sequence[DisturbedAccuracy],
  runs: Sequence[str],
  clean: dict[str, float],
  look: FigureLook,
) -> Figure:
  """Returns the figure of one disturbance."""
  kind, unit = rows[0].disturbance, rows[0].unit
  named = [run for run in runs if any(row.run == run for row in rows)]
  head = _TOP + _LINE * len(named) + 0.1
  sheet = Page(look.width)
  sheet.resize(head + _HEIGHT + _AXIS)
  ax = sheet.axes(_LEFT, head, look.width - _LEFT - 0.15, _HEIGHT)
  lowest = min((row.bounds or (row.accuracy,))[0] for row in rows)
  for place, run in enumerate(named):
    own = [row for row in rows if row.run == run]
    number = runs.index(run)
    bounds = [
      (row.bounds[0] / 100, row.bounds[1] / 100) if row.bounds else None
      for row in own
    ]
    plots.accuracy_curve(
      ax, [row.level for row in own if row.level is not None],
      [row.accuracy for row in own], bounds, clean[run], number,
    )  # fmt: skip
    colour, marker = plots.style(number)
    y = _TOP + _LINE * place
    key = sheet.axes(0.08, y, 0.22, _LINE)
    key.plot([0, 1], [0, 0], color=colour, lw=1.2)
    key.plot([0.5], [0], marker, color=colour, ms=4)
    key.set_axis_off()
    name, _ = sheet.fit(run, look.width - 0.5, fontsize=page.SMALL)
    sheet.text(0.36, y + 0.12, name, fontsize=page.SMALL)
  levels = [
    row.level for row in rows if row.run == named[0] and row.level is not None
  ]
  if levels[0] > levels[-1]:
    ax.invert_xaxis()  # worse to the right
  ax.set_ylim(max(lowest - 5, 0), 100)
  ax.set_xlabel(unit, fontsize=page.SMALL)
  ax.set_ylabel('accuracy, %', fontsize=page.SMALL)
  result = ' '.join(_worst([r for r in rows if r.run == run], clean[run])
                    for run in named)  # fmt: skip
  caption = (
    f'Accuracy under {kind}, with 95 % intervals by speaker; dotted:'
    ' undisturbed.'
  )
  return Figure(f'robustness, {kind}', sheet.figure, {}, caption, result)


def _worst(rows: Sequence[DisturbedAccuracy], clean: float) -> str:
  """Returns how far the accuracy of a run falls under a disturbance."""
  row = min(rows, key=lambda row: row.accuracy)
  if row.accuracy >= clean:
    return f'Never below its {clean:.1f} %: {row.run}.'
  return _signed(
    f'From {clean:.1f} % to {row.accuracy:.1f} %, at {row.level:g}: {row.run}.'
  )
