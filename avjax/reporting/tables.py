"""Tables 1 and 2: finished runs beside the paper's results."""

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


def make_tables(
  groups: Sequence[Group], split: str = 'test', base: Group | None = None
) -> list[Table]:
  """Returns Table 1, Table 2 and the comparisons, unless they are empty.

  To choose settings by the validation clips, nothing is shown of the test
  clips: a table of validation stands in for Tables 1 and 2.

  For the arguments see `comparisons`.
  """
  compared = comparisons(groups, split, base)
  if split == 'validation':
    made = [_validation(groups), *compared]
  else:
    made = [table_1(groups), table_2(groups), *compared]
  return [table for table in made if table.rows]


def write(made: Sequence[Table], folder: pathlib.Path) -> None:
  """Writes each table as .md, .tex and .csv files."""
  for table in made:
    for suffix, written in FORMATS.items():
      files.write_text(folder / f'{table.name}{suffix}', written(table))


def table_1(groups: Sequence[Group]) -> Table:
  """Returns Table 1: the four networks and the baselines."""
  rows = []
  ours = defaultdict(list)
  for group in groups:
    if _in_table_1(group):
      ours[group.first.variant].append(group)
  for variant in dict.fromkeys([*published.TABLE_1, *registry.MODELS]):
    paper = _paper(variant)
    if variant in published.TABLE_1 and not ours[variant]:
      rows.append((variant, *paper, *[NONE] * 7))
    rows += [(group.title, *paper, *_row(group)) for group in ours[variant]]
  for number, share in enumerate(_largest_class(groups)):
    paper = (NONE, NONE, NONE if number else published.LARGEST)
    rows.append(('largest class', *paper, NONE, NONE, share, *[NONE] * 4))
  return Table(
    'table-1',
    'Table 1: accuracy in % of the networks, the paper on AFEW and these runs',
    (
      'network', 'paper, training', 'paper, validation', 'paper, test',
      'training', 'validation', 'test', 'test, by speaker', 'UAR', 'F1', 'ECE',
    ),
    tuple(rows),
    _notes(groups),
  )  # fmt: skip


def table_2(groups: Sequence[Group]) -> Table:
  """Returns Table 2: decision fusion, and networks with changed settings."""
  others = [g for g in groups if not _in_table_1(g)]
  return Table(
    'table-2',
    'Table 2: accuracy in % of other networks and combinations',
    (
      'network', 'paper', 'training', 'validation', 'test', 'test, by speaker',
      'UAR', 'F1', 'ECE',
    ),
    tuple((g.title, _statement(g), *_row(g)) for g in others),
    ("The paper's own figures for these rows are not given here.",),
  )  # fmt: skip


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
  return [
    f'{group.title} adds to the training: {", ".join(group.first.recipe)}'
    for group in groups
    if len(group.first.recipe) > 2
  ]


def _paper(variant: str) -> tuple[str, str, str]:
  """Returns the paper's three cells of a row; dashes where it has none."""
  if variant not in published.TABLE_1:
    return (NONE,) * 3
  cells = []
  for share, n in zip(
    published.TABLE_1[variant], published.CLIPS.values(), strict=True
  ):
    correct = round(share * n / 100)
    cells.append(_interval(f'{share:.2f}', correct, n))
  return cells[0], cells[1], cells[2]


def _in_table_1(group: Group) -> bool:
  """Returns whether the group is a row of Table 1, with any streams."""
  run = group.first
  return run.model.table == 1 and not run.changed and not run.recipe


def _statement(group: Group) -> str:
  """Returns the statement of the paper about a network of Table 2."""
  if group.first.config.model.shared_encoder:
    return published.SHARED_ENCODER
  return published.IN_WORDS.get(group.first.variant, NONE)


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


def _largest_class(groups: Sequence[Group]) -> list[str]:
  """Returns percent and count of the largest class, per set of test clips."""
  found = {}
  for group in groups:
    test = group.first.predictions.get('test')
    if test is not None:
      largest = int(test.counts.sum(1).max())
      share = f'{100 * largest / len(test.clips):.1f} ({largest})'
      found[group.first.info.data_fingerprint] = share
  return list(dict.fromkeys(found.values()))


def _notes(groups: Sequence[Group]) -> tuple[str, ...]:
  """Returns the notes below Table 1, warnings and audits first."""
  training, validation, test = published.CLIPS.values()
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
  notes += [
    f'{g.title}: {g.first.config.data.store}, protocol'
    f' {g.first.config.data.protocol}, {g.first.stamp}, seed'
    f'{"s" if len(seeds) > 1 else ""} {", ".join(map(str, seeds))}'
    for g in groups
    if (seeds := [seed for run in g.runs for seed in run.seeds])
  ]
  notes += [
    'One run: accuracy [95 % Wilson interval] right/all; several: mean ±'
    ' deviation over the seeds. By speaker: 95 % bootstrap (speakers). ECE:'
    ' calibration error, 15 bins. UAR, F1 and ECE in %, on test.',
    f"The paper's counts are decoded from its percentages of {training},"
    f' {validation} and {test} clips of AFEW; where these runs are on other'
    ' clips, its columns and ours cannot be compared.',
  ]
  if any(group.first.members > 1 for group in groups):
    notes += ensembles
  return tuple(notes)
