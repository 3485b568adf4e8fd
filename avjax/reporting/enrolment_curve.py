"""Accuracy against the number of clips that a new speaker is standardised by.

Runs with `data.standardise=enrolment`, beside those that standardise nothing or
by all clips of the speaker. All have the same clips set apart and test on the
same others.
"""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.errors import ConfigError
from avjax.reporting import page, plots
from avjax.reporting.comparisons import (
  fraction_correct,
  speaker_bounds,
)
from avjax.reporting.markup import FORMATS, NONE, Table
from avjax.runs.finished import Group
from avjax.runs.info import settings_json

NAME = 'enrolment'
_NOTHING, _ALL = 'none', 'all'
_WIDTH, _HEIGHT = 4.6, 2.7  # of the axes, in inches
_LEFT, _BELOW = 0.6, 0.55


@dataclasses.dataclass(frozen=True)
class EnrolmentPoint:
  """The test accuracy of a group of runs.

  Attributes:
    standardised: 'none' (inductive), the number of clips, or 'all' (by speaker,
      transductive).
    clips: number of test clips.
    accuracy: mean over the seeds, a fraction.
    bounds: 95 %, by speaker; None if it is unknown.
  """

  standardised: str
  clips: int
  accuracy: float
  bounds: tuple[float, float] | None

  @property
  def order(self) -> int:
    """Where it stands: nothing first, all clips of the speaker last."""
    ends = {_NOTHING: -1, _ALL: 2**31}
    return ends.get(self.standardised) or int(self.standardised)


def curves(groups: Sequence[Group]) -> dict[str, list[EnrolmentPoint]]:
  """Returns model -> its points, for models with two enrolments or more."""
  found: dict[str, dict[str, EnrolmentPoint]] = {}
  names: dict[str, str] = {}
  for group in groups:
    point = _point(group)
    if point is None:
      continue
    key = _without_enrolment(group)
    names.setdefault(key, _name(group))
    found.setdefault(key, {})[point.standardised] = point
  return {
    names[key]: sorted(points.values(), key=lambda point: point.order)
    for key, points in found.items()
    if len({*points} - {_NOTHING, _ALL}) > 1
  }


def _point(group: Group) -> EnrolmentPoint | None:
  """Returns the point of a group; None if it has no place in a curve."""
  data = group.first.config.data
  right = fraction_correct(group)
  if not data.enrolment_clips or not right:
    return None
  standardised = {
    'none': _NOTHING,
    'speaker': _ALL,
    'enrolment': str(data.enrolment),
  }.get(data.standardise)
  if standardised is None:
    return None
  accuracy = float(np.mean([*right.values()]))
  bounds = speaker_bounds(group, right)
  return EnrolmentPoint(standardised, len(right), accuracy, bounds)


def _without_enrolment(group: Group) -> str:
  """Returns a text that is equal for groups that differ in standardising."""
  settings = settings_json(group.first.config)
  del settings['seed']
  for name in ('standardise', 'enrolment'):
    settings['data'].pop(name, None)
  clips = sorted(fraction_correct(group))
  return json.dumps([settings, group.first.members, clips], sort_keys=True)


def _name(group: Group) -> str:
  """Returns the group's title without how it standardises."""
  run = group.first
  return run.title.removesuffix(f', {run.stamp}')


def table(drawn: dict[str, list[EnrolmentPoint]]) -> Table:
  """Returns a row for every point of the curves."""
  rows = []
  for name, points in drawn.items():
    for point in points:
      bounds = [f'{100 * b:.1f}' for b in point.bounds or ()] or [NONE, NONE]
      share = f'{100 * point.accuracy:.1f}'
      row = (name, point.standardised, str(point.clips), share, *bounds)
      rows.append(row)
  return Table(
    NAME,
    'Test accuracy in % by the number of enrolled clips of a speaker',
    ('network', 'enrolled', 'clips', 'test', 'from, by speaker', 'to'),
    tuple(rows),
    _notes(),
  )


def _notes() -> tuple[str, ...]:
  return (
    'Enrolled: clips of a new speaker, without labels and never tested, whose'
    ' mean and standard deviation the others are standardised by; 0: those of'
    ' the average training speaker; none: nothing is standardised (inductive);'
    ' all: by all clips of the speaker, those tested too (transductive).'
    ' Intervals: 95 % bootstrap over the speakers.',
  )


def picture(drawn: dict[str, list[EnrolmentPoint]]) -> Any:
  """Returns the figure of the curves.

  Raises:
    ConfigError: matplotlib is not installed.
  """
  points = {p.order: p.standardised for each in drawn.values() for p in each}
  places = {points[order]: k for k, order in enumerate(sorted(points))}
  width = _LEFT + _WIDTH + 0.15
  sheet = page.Page(width)
  below = page.wrapped(_notes(), width - 0.4)
  head = 0.2 + 0.17 * len(drawn)
  sheet.resize(head + _HEIGHT + _BELOW + 0.16 * len(below) + 0.2)
  ax = sheet.axes(_LEFT, head, _WIDTH, _HEIGHT)
  for number, (name, each) in enumerate(drawn.items()):
    for enrolled in (True, False):
      some = [p for p in each if (p.order in range(2**31)) == enrolled]
      shift = 0.08 * number if enrolled else 0  # as for those not joined
      plots.accuracy_curve(
        ax,
        [places[p.standardised] + shift for p in some],
        [100 * p.accuracy for p in some],
        [p.bounds for p in some],
        None,
        number,
        joined=enrolled,
      )
    colour, marker = plots.style(number)
    label = sheet.fit(name, width - 1, fontsize=page.SMALL)[0]
    sheet.text(0.35, 0.2 + 0.17 * number, label, fontsize=page.SMALL)
    key = sheet.axes(0.1, 0.07 + 0.17 * number, 0.2, 0.17)
    key.plot([0, 1], [0, 0], color=colour)
    key.plot([0.5], [0], marker, color=colour, ms=4)
    key.set_axis_off()
  ax.set_xticks([*places.values()], [*places])
  ax.set_xlabel('enrolled clips of the speaker', fontsize=page.SMALL)
  ax.set_ylabel('test accuracy, %', fontsize=page.SMALL)
  for number, text in enumerate(below):
    y = head + _HEIGHT + _BELOW + 0.16 * number
    sheet.text(0.2, y, text, fontsize=page.SMALL)
  return sheet.figure


def write(drawn: dict[str, list[EnrolmentPoint]], folder: pathlib.Path) -> None:
  """Writes the table, and the picture if matplotlib is installed."""
  made = table(drawn)
  for suffix, written in FORMATS.items():
    files.write_text(folder / f'{NAME}{suffix}', written(made))
  try:
    figure = picture(drawn)
  except ConfigError:
    return
  for suffix in ('.png', '.pdf'):
    page.save(figure, folder / f'{NAME}{suffix}')
