"""Tables 1 and 2 of finished runs beside the paper's."""

import pathlib
from collections import defaultdict
from collections.abc import Sequence

from avjax import files
from avjax.metrics import classification, significance
from avjax.reporting import published
from avjax.reporting.comparisons import NONE, by_speaker, comparisons, rightness
from avjax.reporting.markup import FORMATS, Table
from avjax.runs import registry
from avjax.runs.finished import Group

SPLITS = tuple(published.CLIPS)


def of(groups: Sequence[Group]) -> list[Table]:
  """Returns the tables that have rows; Table 1 always has."""
  made = [table_1(groups), table_2(groups), comparisons(groups)]
  return [table for table in made if table.rows]


def write(made: Sequence[Table], folder: pathlib.Path) -> None:
  """Writes each table as .md, .tex and .csv."""
  for table in made:
    for suffix, written in FORMATS.items():
      files.write(folder / f'{table.name}{suffix}', written(table))


def table_1(groups: Sequence[Group]) -> Table:
  """Returns the four networks and the linear baseline beside the paper's."""
  rows = []
  ours = defaultdict(list)
  for group in groups:
    if _plain(group):
      ours[group.first.variant].append(group)
  for variant in dict.fromkeys([*published.TABLE_1, *registry.MODELS]):
    paper = _paper(variant)
    if variant in published.TABLE_1 and not ours[variant]:
      rows.append((variant, *paper, *[NONE] * 7))
    rows += [(group.title, *paper, *_row(group)) for group in ours[variant]]
  for number, share in enumerate(_majority(groups)):
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
  """Returns the other rows: fusion at decision level, and what was changed."""
  others = [g for g in groups if not _plain(g)]
  return Table(
    'table-2',
    'Table 2: accuracy in % of other networks and combinations',
    (
      'network', 'paper', 'training', 'validation', 'test', 'test, by speaker',
      'UAR', 'F1', 'ECE',
    ),
    tuple((g.title, _in_words(g), *_row(g)) for g in others),
    ("The paper's own figures for these rows are not given here.",),
  )  # fmt: skip


def _paper(variant: str) -> tuple[str, str, str]:
  """Returns the paper's cells of a row; dashes where it has none."""
  if variant not in published.TABLE_1:
    return (NONE,) * 3
  cells = []
  for share, n in zip(
    published.TABLE_1[variant], published.CLIPS.values(), strict=True
  ):
    correct = round(share * n / 100)
    cells.append(_interval(f'{share:.2f}', correct, n))
  return cells[0], cells[1], cells[2]


def _plain(group: Group) -> bool:
  """Says whether the group is a row of Table 1, whatever its streams."""
  return group.first.model.table == 1 and not group.first.changed


def _in_words(group: Group) -> str:
  if group.first.config.model.shared_encoder:
    return published.SHARED_ENCODER
  return published.IN_WORDS.get(group.first.variant, NONE)


def _row(group: Group) -> tuple[str, ...]:
  """Returns three accuracies, the interval by speaker, UAR, F1 and ECE."""
  accuracies = [_accuracy(group, split) for split in SPLITS]
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
  right = rightness(group)
  return (*accuracies, by_speaker(group, right), *map(_spread, scores))


def _accuracy(group: Group, split: str) -> str:
  """Returns what a cell says of one split."""
  parts = [r.predictions[split] for r in group.runs if split in r.predictions]
  if not parts:
    folds = group.first.results.get('folds', {}).get(split)
    if folds is None:
      return NONE
    return _spread([100 * x for x in folds['each']]) + ' (folds)'
  if len(parts) > 1:
    text = _spread([100 * float(p.right.mean()) for p in parts])
    return f'{text} ({len(parts)} seeds)'
  correct, total = int(parts[0].right.sum()), len(parts[0].right)
  return _interval(f'{100 * correct / total:.1f}', correct, total)


def _interval(share: str, correct: int, total: int) -> str:
  low, high = classification.wilson_interval(correct, total)
  return f'{share} [{100 * low:.1f}, {100 * high:.1f}] {correct}/{total}'


def _spread(values: Sequence[float]) -> str:
  mean, deviation = significance.spread(values)
  return f'{mean:.1f}' + ('' if deviation is None else f' ± {deviation:.1f}')


def _majority(groups: Sequence[Group]) -> list[str]:
  """Returns the share of the largest class of each set of test clips."""
  found = {}
  for group in groups:
    test = group.first.predictions.get('test')
    if test is not None:
      largest = int(test.counts.sum(1).max())
      share = f'{100 * largest / len(test.clips):.1f} ({largest})'
      found[group.first.info.data_fingerprint] = share
  return list(dict.fromkeys(found.values()))


def _notes(groups: Sequence[Group]) -> tuple[str, ...]:
  """Returns what a reader must know, audits first."""
  training, validation, test = published.CLIPS.values()
  notes = [
    f'Split audit of {group.title}: {line}'
    for group in groups
    for line in dict.fromkeys(x for run in group.runs for x in run.audit)
  ]
  notes += [
    f'{g.title}: {g.first.config.data.store}, protocol'
    f' {g.first.config.data.protocol}, seed'
    f'{"s" if len(g.seeds) > 1 else ""} {", ".join(map(str, g.seeds))}'
    for g in groups
  ]
  notes += [
    'One run: accuracy [95 % Wilson interval] right/all; several: mean ±'
    ' deviation over the seeds. By speaker: 95 % bootstrap (speakers). ECE:'
    ' calibration error, 15 bins. UAR, F1 and ECE in %, on test.',
    f"The paper's counts are decoded from its percentages of {training},"
    f' {validation} and {test} clips of AFEW; where these runs are on other'
    ' clips, its columns and ours cannot be compared.',
  ]
  return tuple(notes)
