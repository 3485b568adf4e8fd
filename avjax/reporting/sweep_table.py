"""The table of a sweep: every setting on validation, the chosen on test."""

from collections.abc import Sequence

import numpy as np

from avjax.reporting.cells import accuracy_cell
from avjax.reporting.comparisons import (
  NONE,
  difference,
  fraction_correct,
  speaker_interval,
)
from avjax.reporting.markup import Table
from avjax.runs import finished
from avjax.runs.candidates import Candidate
from avjax.runs.finished import Group
from avjax.runs.sweeping import Choice

_HEAD = (
  'setting', 'validation', 'by speaker', 'less the chosen',
  'by speaker, 95 %', 'test',
)  # fmt: skip


def make_table(choices: Sequence[Choice]) -> Table:
  """Returns the table of a sweep.

  Args:
    choices: of every fold, or of the single division.
  """
  rows: list[tuple[str, ...]] = []
  tested = []
  for choice in choices:
    group = _tested(choice)
    tested.append(group)
    base = _trained(choice.chosen)
    fold = '' if choice.fold is None else f'fold {choice.fold}, '
    for one in choice.candidates:
      cells: tuple[str, ...]
      title = f'{fold}{one.number}: {one.title}'
      if one.number == choice.chosen.number:
        cells = *_validation(base), 'chosen', NONE, accuracy_cell(group, 'test')
      elif one.number in choice.accuracies:
        own = _trained(one)
        cells = *_validation(own), *difference(own, base, 'validation'), NONE
      else:
        cells = ('failed', *[NONE] * (len(_HEAD) - 2))
      rows.append((title, *cells))
  if len(choices) > 1:
    rows.append(('all folds', *[NONE] * (len(_HEAD) - 2), _pooled(tested)))
  return Table(
    'sweep',
    'Accuracy in % of the settings of a sweep',
    _HEAD,
    tuple(rows),
    (
      'Chosen by the mean validation accuracy of the seeds, whose figures are'
      ' therefore too high. Only what was chosen has predicted test clips.',
      'One run: accuracy [95 % Wilson interval] right/all; several: mean ±'
      ' standard deviation over the seeds. By speaker: 95 % bootstrap over'
      ' speakers.',
      *_failures(choices),
    ),
  )


def _trained(candidate: Candidate) -> Group:
  """Returns the runs of some settings, which know no test clip."""
  runs = tuple(finished.load(run.path) for run in candidate.runs())
  return Group(runs, candidate.title)


def _tested(choice: Choice) -> Group:
  """Returns the runs of the chosen settings, with the test clips."""
  runs = finished.load_all([choice.folder.path])
  return Group(tuple(r for r in runs if r.members == 1), choice.chosen.title)


def _validation(group: Group) -> tuple[str, str]:
  """Returns the cells of the validation clips."""
  values = fraction_correct(group, 'validation')
  return accuracy_cell(group, 'validation'), speaker_interval(group, values)


def _pooled(tested: Sequence[Group]) -> str:
  """Returns the cell of the test clips of all folds together."""
  values: dict[str, float] = {}
  for group in tested:
    values |= fraction_correct(group)
  if not values:
    return NONE
  interval = speaker_interval(tested[0], values)
  return f'{100 * np.mean([*values.values()]):.1f} by speaker {interval}'


def _failures(choices: Sequence[Choice]) -> list[str]:
  """Returns a note for every training that failed."""
  return [
    f'{one.folder} failed: {why}'
    for choice in choices
    for one in choice.candidates
    if (why := one.failure())
  ]
