"""Tables 1 and 2 of finished runs, that of a report, and the paper's own."""

import dataclasses
import pathlib
from collections import defaultdict
from collections.abc import Sequence

from avjax import files
from avjax.reporting import cells, published, titles
from avjax.reporting.cells import SCORES, SPLITS, accuracy_cell, scores
from avjax.reporting.comparisons import (
  NONE,
  comparisons,
  fraction_correct,
  speaker_interval,
)
from avjax.reporting.markup import FORMATS, Table
from avjax.reporting.table_notes import notes
from avjax.runs import registry
from avjax.runs.finished import Group

_COLUMNS = 'network', *SPLITS, *SCORES
_PAPER = tuple(f'paper, {split}' for split in SPLITS)


def make_tables(
  groups: Sequence[Group], split: str = 'test', base: Group | None = None
) -> list[Table]:
  """Returns Table 1, Table 2, the comparisons and the paper's, unless empty.

  To choose settings by the validation clips, nothing is shown of the test
  clips: a table of validation stands in for Tables 1 and 2.

  For the arguments see `comparisons`.
  """
  compared = comparisons(groups, split, base)
  if split == 'validation':
    made = [_validation(groups), *compared]
  else:
    made = [*own_tables(groups), *compared, paper_table(groups)]
  return [table for table in made if table.rows]


def own_tables(groups: Sequence[Group]) -> list[Table]:
  """Returns Tables 1 and 2 of the runs, unless they are empty.

  The notes on all runs are below the first.
  """
  first, second = table_1(groups), table_2(groups)
  if not any(map(_in_table_1, groups)):
    return [dataclasses.replace(second, notes=first.notes)]
  return [first, *([second] if second.rows else [])]


def write(made: Sequence[Table], folder: pathlib.Path) -> None:
  """Writes each table as .md, .tex and .csv files."""
  for table in made:
    for suffix, written in FORMATS.items():
      files.write_text(folder / f'{table.name}{suffix}', written(table))


def table_1(groups: Sequence[Group]) -> Table:
  """Returns Table 1: the four networks and the baselines.

  The paper's results stand beside those of runs on its clips.
  """
  rows = []
  ours = defaultdict(list)
  for group in groups:
    if _in_table_1(group):
      ours[group.first.variant].append(group)
  beside = any(map(published.comparable, groups))
  for variant in registry.MODELS:
    for group in ours[variant]:
      theirs = cells.paper(variant if published.comparable(group) else '')
      rows.append((group.title, *_row(group), *(theirs if beside else ())))
  for clips, share, comparable in _largest_class(groups):
    paper = NONE, NONE, published.LARGEST if comparable else NONE
    row = (NONE, NONE, share, *[NONE] * 4, *(paper if beside else ()))
    rows.append((f'largest class of {clips} test clips', *row))
  return Table(
    'table-1',
    'Table 1: accuracy in % of the networks and baselines',
    (*_COLUMNS, *(_PAPER if beside else ())),
    tuple(rows),
    notes(groups),
  )


def table_2(groups: Sequence[Group]) -> Table:
  """Returns Table 2: decision fusion, and networks with changed settings."""
  others = [g for g in groups if not _in_table_1(g)]
  return Table(
    'table-2',
    'Table 2: accuracy in % of other networks and combinations',
    _COLUMNS,
    tuple((g.title, *_row(g)) for g in others),
    ('Columns as in Table 1.',),
  )


def report_table(groups: Sequence[Group]) -> Table:
  """Returns one table of all rows, the most accurate first.

  Columns without a value are left out.
  """
  rows = [
    (g.title, accuracy_cell(g, 'test'), *scores(g),
     accuracy_cell(g, 'validation'), accuracy_cell(g, 'training'))
    for g in ranked(groups)
  ]  # fmt: skip
  rows += [
    (f'largest class of {clips} test clips', share, *[NONE] * 6)
    for clips, share, _ in _largest_class(groups)
  ]
  head = 'network', 'test', *SCORES, 'validation', 'training'
  used = [k for k, column in enumerate(zip(*rows, strict=True))
          if not k or {*column} != {NONE}]  # fmt: skip
  return Table(
    'accuracy',
    'Accuracy in %, the best row first',
    tuple(head[k] for k in used),
    tuple(tuple(row[k] for k in used) for row in rows),
    notes(groups, about=False),
  )


def ranked(groups: Sequence[Group]) -> list[Group]:
  """Returns the groups by accuracy on test, or validation where none is."""

  def share(group: Group, split: str) -> float:
    right = fraction_correct(group, split).values()
    return sum(right) / len(right) if right else 0.0

  order = [
    [-share(group, split) for split in SPLITS[:0:-1]] for group in groups
  ]
  return [groups[k] for k in sorted(range(len(groups)), key=order.__getitem__)]


def paper_table(groups: Sequence[Group]) -> Table:
  """Returns the paper's Table 1, and which groups it can be compared with."""
  rows = [(variant, *cells.paper(variant)) for variant in published.TABLE_1]
  rows.append(('largest class', NONE, NONE, published.LARGEST))
  beside = [g.title for g in groups if published.comparable(g)]
  which = '; '.join(beside) if beside else 'none of those here'
  training, validation, test = published.CLIPS.values()
  return Table(
    'paper',
    'As the paper gives it: its Table 1, accuracy in % on AFEW',
    ('network', *SPLITS),
    tuple(rows),
    (
      f'{published.RULE}: {which}.',
      'Accuracy [95 % Wilson interval] right/all. The counts are decoded from'
      f" the paper's percentages of {training}, {validation} and {test} clips.",
      published.IN_WORDS,
    ),
  )


def _validation(groups: Sequence[Group]) -> Table:
  """Returns the table of validation, without anything of the test clips."""
  rows = [
    (
      group.title,
      accuracy_cell(group, 'validation'),
      speaker_interval(group, fraction_correct(group, 'validation')),
    )
    for group in groups
  ]
  return Table(
    'validation',
    'Accuracy in % on the validation clips',
    ('network', 'validation', 'by speaker'),
    tuple(rows),
    (
      'The epoch was chosen on these clips, so that the figures are too high;'
      ' they are for choosing settings.',
      *titles.notes(groups),
    ),
  )


def _in_table_1(group: Group) -> bool:
  """Returns whether the group is a row of Table 1, with any streams."""
  run = group.first
  return run.model.table == 1 and not run.changed and not run.recipe


def _row(group: Group) -> tuple[str, ...]:
  """Returns three accuracies, the interval by speaker, UAR, F1 and ECE."""
  return (*[accuracy_cell(group, split) for split in SPLITS], *scores(group))


def _largest_class(groups: Sequence[Group]) -> list[tuple[int, str, bool]]:
  """Returns what guessing the largest class is worth, per set of test clips.

  That is the number of clips, percent (and count), and whether the clips are
  those of the paper.
  """
  found = []
  for group in groups:
    test = group.first.predictions.get('test')
    if test is not None:
      total, largest = len(test.clips), int(test.counts.sum(1).max())
      share = f'{100 * largest / total:.1f} ({largest})'
      found.append((total, share, published.comparable(group)))
  return list(dict.fromkeys(found))
