"""Tables 1 and 2 of finished runs, and the paper's own."""

import dataclasses
import pathlib
from collections import defaultdict
from collections.abc import Sequence

from avjax import files
from avjax.metrics import classification, significance
from avjax.reporting import published
from avjax.reporting.comparisons import (
  NONE,
  comparisons,
  fraction_correct,
  speaker_interval,
)
from avjax.reporting.markup import FORMATS, Table
from avjax.runs import registry
from avjax.runs.finished import Group

SPLITS = tuple(published.CLIPS)
_SCORES = (
  'training', 'validation', 'test', 'test, by speaker', 'UAR', 'F1', 'ECE',
)  # fmt: skip
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
      cells = _paper(variant if published.comparable(group) else '')
      rows.append((group.title, *_row(group), *(cells if beside else ())))
  for clips, share, comparable in _largest_class(groups):
    paper = NONE, NONE, published.LARGEST if comparable else NONE
    cells = (NONE, NONE, share, *[NONE] * 4, *(paper if beside else ()))
    rows.append((f'largest class of {clips} test clips', *cells))
  return Table(
    'table-1',
    'Table 1: accuracy in % of the networks and baselines',
    ('network', *_SCORES, *(_PAPER if beside else ())),
    tuple(rows),
    _notes(groups),
  )


def table_2(groups: Sequence[Group]) -> Table:
  """Returns Table 2: decision fusion, and networks with changed settings."""
  others = [g for g in groups if not _in_table_1(g)]
  return Table(
    'table-2',
    'Table 2: accuracy in % of other networks and combinations',
    ('network', *_SCORES),
    tuple((g.title, *_row(g)) for g in others),
    ('Columns as in Table 1.',),
  )


def paper_table(groups: Sequence[Group]) -> Table:
  """Returns the paper's Table 1, and which groups it can be compared with."""
  rows = [(variant, *_paper(variant)) for variant in published.TABLE_1]
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
      *_additions(groups),
    ),
  )


def _additions(groups: Sequence[Group]) -> list[str]:
  """Returns notes on the runs whose title only counts their additions."""
  titles = defaultdict(list)
  for group in groups:
    if len(group.first.recipe) > 2:
      titles[', '.join(group.first.recipe)].append(group.title)
  return [
    f'Additions to the training of {"; ".join(named)}: {recipe}'
    for recipe, named in titles.items()
  ]


def _paper(variant: str) -> tuple[str, ...]:
  """Returns the paper's three cells of a row; dashes where it has none."""
  shares = published.TABLE_1.get(variant)
  if shares is None:
    return (NONE,) * 3
  return tuple(
    _interval(f'{share:.2f}', round(share * n / 100), n)
    for share, n in zip(shares, published.CLIPS.values(), strict=True)
  )


def _in_table_1(group: Group) -> bool:
  """Returns whether the group is a row of Table 1, with any streams."""
  run = group.first
  return run.model.table == 1 and not run.changed and not run.recipe


def _row(group: Group) -> tuple[str, ...]:
  """Returns three accuracies, the interval by speaker, UAR, F1 and ECE."""
  accuracies = [accuracy_cell(group, split) for split in SPLITS]
  tests = [r.predictions['test'] for r in group.runs if 'test' in r.predictions]
  if not tests:
    return (*accuracies, *[NONE] * 4)
  scores = [
    [100 * classification.unweighted_recall(t.counts) for t in tests],
    [100 * classification.macro_f1(t.counts) for t in tests],
    [
      100 * classification.calibration_error(t.probabilities, t.label)
      for t in tests
    ],
  ]
  interval = speaker_interval(group, fraction_correct(group))
  return (*accuracies, interval, *map(_mean_and_std, scores))


def accuracy_cell(group: Group, split: str) -> str:
  """Returns the accuracy cell of one split."""
  found = [r.predictions[split] for r in group.runs if split in r.predictions]
  if not found:
    folds = group.first.results.get('folds', {}).get(split)
    if folds is None:
      return NONE
    return _mean_and_std([100 * x for x in folds['each']]) + ' (folds)'
  if len(found) > 1:
    text = _mean_and_std([100 * float(one.right.mean()) for one in found])
    return f'{text} ({len(found)} seeds)'
  correct, total = int(found[0].right.sum()), len(found[0].right)
  return _interval(f'{100 * correct / total:.1f}', correct, total)


def _interval(share: str, correct: int, total: int) -> str:
  low, high = classification.wilson_interval(correct, total)
  return f'{share} [{100 * low:.1f}, {100 * high:.1f}] {correct}/{total}'


def _mean_and_std(values: Sequence[float]) -> str:
  mean, std = significance.mean_and_std(values)
  return f'{mean:.1f}' + ('' if std is None else f' ± {std:.1f}')


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


def _data(groups: Sequence[Group]) -> list[str]:
  """Returns notes on the clips and seeds of the groups, equal ones together."""
  titles = defaultdict(list)
  for group in groups:
    data, run = group.first.config.data, group.first
    seeds = [seed for run in group.runs for seed in run.seeds]
    word = 'seeds' if len(seeds) > 1 else 'seed'
    listed = ', '.join(map(str, seeds))
    where = f'{data.store}, protocol {data.protocol}, {run.stamp}'
    titles[f'{where}, {word} {listed}'].append(group.title)
  return [f'{text}: {"; ".join(named)}' for text, named in titles.items()]


def _notes(groups: Sequence[Group]) -> tuple[str, ...]:
  """Returns the notes below Table 1, warnings and audits first."""
  ensembles = [
    'Ensemble: the mean of the probabilities of the seeds. It is one run, and'
    ' is compared as its first seed where a single seed is.'
  ]
  notes = [
    f'Warning, {group.title}, seed {run.config.seed}: {text}'
    for group in groups
    for run in group.runs
    for text in run.warnings
  ]
  notes += [
    f'Split audit of {group.title}: {line}'
    for group in groups
    for line in dict.fromkeys(x for run in group.runs for x in run.audit)
  ]
  notes += _additions(groups)
  notes += _data(groups)
  notes.append(
    'One run: accuracy [95 % Wilson interval] right/all; several: mean ±'
    ' deviation over the seeds. By speaker: 95 % bootstrap (speakers). ECE:'
    ' calibration error, 15 bins. UAR, F1 and ECE in %, on test.'
  )
  if any(map(published.comparable, groups)):
    notes.append(f'{published.RULE}; its results stand beside theirs.')
  if any(group.first.members > 1 for group in groups):
    notes += ensembles
  return tuple(notes)
