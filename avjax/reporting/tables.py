"""Tables 1 and 2 of finished runs beside the paper's."""

import pathlib
from collections.abc import Sequence

from avjax.analysis import comparison, statistics
from avjax.analysis.tables import FORMATS, Table
from avjax.reporting.comparisons import NONE, by_speaker, comparisons, rightness
from avjax.reporting.runs import Group
from avjax.settings import NETWORKS
from avjax.training import records

SPLITS = ('training', 'validation', 'test')
PUBLISHED = {
  'average_pool5': (73.84, 43.14, 39.89),
  'last_time': (82.70, 36.39, 41.19),
  'average': (83.83, 43.40, 41.19),
  'proposed': (58.23, 46.90, 44.90),
}
"""Table 1 of the paper: accuracy on AFEW in %, by split."""
CLIPS = 711, 371, 539
"""Clips of the paper's splits, decoded from its percentages."""
LARGEST = '29.5 (159)'
"""Of the paper's test clips, those of the most frequent class."""
IN_WORDS = {
  'decision_fusion': 'the stronger alternative, in words (4.3)',
  'shared_encoder': 'worse, in words (2.3)',
}
"""What the paper says of the other rows without a figure of its own here."""


def of(groups: Sequence[Group]) -> list[Table]:
  """Returns the tables that have rows; Table 1 always has."""
  made = [table_1(groups), table_2(groups), comparisons(groups)]
  return [table for table in made if table.rows]


def write(made: Sequence[Table], folder: pathlib.Path) -> None:
  """Writes each table as .md, .tex and .csv."""
  for table in made:
    for suffix, written in FORMATS.items():
      records.write(folder / f'{table.name}{suffix}', written(table))


def table_1(groups: Sequence[Group]) -> Table:
  """Returns the four networks and the linear baseline beside the paper's."""
  rows = []
  for variant in (*NETWORKS, 'linear'):
    published = _published(variant)
    ours = [g for g in groups if _plain(g) and g.first.variant == variant]
    if not ours and variant != 'linear':
      rows.append((variant, *published, *[NONE] * 7))
    rows += [(group.title, *published, *_row(group)) for group in ours]
  for number, share in enumerate(_majority(groups)):
    paper = (NONE, NONE, NONE if number else LARGEST)
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


def _published(variant: str) -> tuple[str, str, str]:
  if variant not in PUBLISHED:
    return (NONE,) * 3
  shares = PUBLISHED[variant]
  counts = [round(s * n / 100) for s, n in zip(shares, CLIPS, strict=True)]
  cells = [
    _interval(f'{share:.2f}', count, n)
    for share, count, n in zip(shares, counts, CLIPS, strict=True)
  ]
  return cells[0], cells[1], cells[2]


def _plain(group: Group) -> bool:
  """Says whether the group is a row of Table 1, whatever its streams."""
  run = group.first
  parts = run.title.split(', ')[1:]
  changed = [part for part in parts if not part.startswith('streams=')]
  return run.variant in (*NETWORKS, 'linear') and not changed


def _in_words(group: Group) -> str:
  if group.first.config.model.shared_encoder:
    return IN_WORDS['shared_encoder']
  return IN_WORDS.get(group.first.variant, NONE)


def _row(group: Group) -> tuple[str, ...]:
  """Returns three accuracies, the interval by speaker, UAR, F1 and ECE."""
  accuracies = [_accuracy(group, split) for split in SPLITS]
  tests = [r.predictions['test'] for r in group.runs if 'test' in r.predictions]
  if not tests:
    return (*accuracies, *[NONE] * 4)
  scores = [
    [100 * statistics.unweighted_recall(t.counts) for t in tests],
    [100 * statistics.macro_f1(t.counts) for t in tests],
    [
      100 * statistics.calibration_error(t.probabilities, t.label)
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
  low, high = statistics.wilson_interval(correct, total)
  return f'{share} [{100 * low:.1f}, {100 * high:.1f}] {correct}/{total}'


def _spread(values: Sequence[float]) -> str:
  mean, deviation = comparison.spread(values)
  return f'{mean:.1f}' + ('' if deviation is None else f' ± {deviation:.1f}')


def _majority(groups: Sequence[Group]) -> list[str]:
  """Returns the share of the largest class of each set of test clips."""
  found = {}
  for group in groups:
    test = group.first.predictions.get('test')
    if test is not None:
      largest = int(test.counts.sum(1).max())
      share = f'{100 * largest / len(test.clips):.1f} ({largest})'
      found[group.first.about['data_fingerprint']] = share
  return list(dict.fromkeys(found.values()))


def _notes(groups: Sequence[Group]) -> tuple[str, ...]:
  """Returns what a reader must know, audits first."""
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
    f"The paper's counts are decoded from its percentages of {CLIPS[0]},"
    f' {CLIPS[1]} and {CLIPS[2]} clips of AFEW; where these runs are on other'
    ' clips, its columns and ours cannot be compared.',
  ]
  return tuple(notes)
