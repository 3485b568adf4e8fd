"""Comparison of finished runs on the clips that they share."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from avjax.data.corpus import SYNTHETIC
from avjax.metrics import significance
from avjax.reporting.markup import Table
from avjax.runs.finished import FinishedRun, Group

NONE = '-'  # the cell of an unknown value
RULE = (
  'It is logistic regression, if that shares clips with the others; or else the'
  ' row that shares most clips, among equals the network of the paper, then the'
  ' row that was given first. --base=RUN takes another.'
)
_GIVEN = 'It was chosen with --base.'
_AVERAGED = 'An ensemble is compared with every other row.'
Clips = dict[tuple[str, str], str]
"""(corpus, clip) -> label, where the corpus is '' but for made clips."""


def comparisons(
  groups: Sequence[Group], split: str = 'test', base: Group | None = None
) -> list[Table]:
  """Returns tables that each compare every other group with one, the base.

  Groups are compared on the clips that they share with the base; a table names
  those that share none.

  Args:
    groups: of runs.
    split: whose clips are compared.
    base: the group to compare with; None for that of `choose_base`, and then
      every ensemble.
  """
  if base:
    return [_comparison(base, groups, split, _GIVEN)]
  first = choose_base(groups, split)
  made = [_comparison(first, groups, split, RULE)]
  others = [g for g in groups if g.first.members > 1 and g != first]
  return made + [
    _comparison(one, groups, split, _AVERAGED, number)
    for number, one in enumerate(others, 1)
  ]


def choose_base(groups: Sequence[Group], split: str = 'test') -> Group:
  """Returns the group that the others are compared with; see `RULE`."""
  clips = [labels(group, split) for group in groups]
  order = []
  for k, group in enumerate(groups):
    others = clips[:k] + clips[k + 1 :]
    shared = [len(common(clips[k], other)) for other in others]
    rows, usual = sum(map(bool, shared)), not group.first.model.baseline
    order.append((-rows, usual, -sum(shared), -_likeness(group), k))
  return groups[min(order)[-1]]


def _likeness(group: Group) -> int:
  """Returns 2 for the paper's network, 1 for it with other streams, else 0."""
  run = group.first
  changed = run.changed or run.recipe or run.members > 1
  return 0 if changed or not run.model.reference else 1 + (not run.streams)


def labels(group: Group, split: str) -> Clips:
  """Returns the labels of a group's clips; {} if it has none in the split."""
  run = group.first
  found = run.predictions.get(split)
  if found is None:
    return {}
  corpus = _corpus(run)
  return {
    (corpus, clip): run.emotions[n]
    for clip, n in zip(found.clips, found.label, strict=True)
  }


def _corpus(run: FinishedRun) -> str:
  """Returns what tells made clips of one name apart; '' for those of a store.

  A made clip does not depend on the number of clips.
  """
  if run.config.data.store != SYNTHETIC:
    return ''
  counts = {'training': 0, 'validation': 0, 'test': 0}
  return str(dataclasses.asdict(run.config.synthetic) | counts)


def common(one: Clips, other: Clips) -> list[str]:
  """Returns the names of the clips that both have, with the same label."""
  return [key[1] for key, label in one.items() if other.get(key) == label]


def _comparison(
  base: Group, groups: Sequence[Group], split: str, why: str, number: int = 0
) -> Table:
  """Returns the table that compares every other group with the base."""
  own, rows, apart = labels(base, split), [], []
  for group in groups:
    if group == base:
      continue
    if shared := common(own, labels(group, split)):
      cells = _compared(group, base, split, shared)
      n = len(shared)
      count = str(n) if n == len(own) else f'{n} of {len(own)}'
      rows.append((group.title, count, *cells))
    else:
      apart.append(group.title)
  notes = [
    f'Compared with {base.title}. {why}',
    'Points: the mean over the seeds of a row less that of the base, on the'
    ' clips that both have; the interval is a bootstrap over speakers. McNemar:'
    ' exact, with the clips that only the row and only the base has right. It'
    ' and a t-test over folds are of one seed, the lowest that both have, which'
    ' their cells name where a row has several; so they may doubt points that'
    ' are the mean over all seeds. t-test over seeds: of all that both have.',
  ]
  if apart:
    notes.append(f'Without a labelled {split} clip of it: {"; ".join(apart)}.')
  return Table(
    f'comparisons-{number}' if number else 'comparisons',
    f'Comparisons on the {split} clips: each row less {base.title}',
    ('network', 'clips', 'points', 'by speaker, 95 %', 'McNemar',
     'paired t-test'),
    tuple(rows),
    tuple(notes),
  )  # fmt: skip


def fraction_correct(group: Group, split: str = 'test') -> dict[str, float]:
  """Returns clip -> fraction of the runs that classify it correctly."""
  each = [
    dict(zip(p.clips, p.right.tolist(), strict=True))
    for run in group.runs
    if (p := run.predictions.get(split)) is not None
  ]
  if not each:
    return {}
  return {clip: float(np.mean([one[clip] for one in each])) for clip in each[0]}


def speaker_interval(
  group: Group, values: dict[str, float], form: str = ''
) -> str:
  """Returns the cell of a 95 % bootstrap interval over speakers, in points.

  Args:
    group: names the speakers.
    values: clip -> value, in [-1, 1].
    form: format of the bounds: '+' shows their sign.
  """
  bounds = speaker_bounds(group, values)
  if not bounds:
    return NONE
  number = len({group.first.speakers[clip] for clip in values})
  low, high = (format(100 * bound, f'{form}.1f') for bound in bounds)
  return f'[{low}, {high}] ({number})'.replace('-', '\N{MINUS SIGN}')


def speaker_bounds(
  group: Group, values: dict[str, float]
) -> tuple[float, float] | None:
  """Returns a 95 % bootstrap interval over speakers; None if it is unknown."""
  speakers = group.first.speakers if values else {}
  if not values or not all(clip in speakers for clip in values):
    return None
  clusters = [speakers[clip] for clip in values]
  if len(set(clusters)) < 2:
    return None
  return significance.clustered_bootstrap(
    np.array([*values.values()]), clusters
  )


def difference(
  group: Group, base: Group, split: str, shared: Sequence[str] | None = None
) -> tuple[str, str]:
  """Returns the cells: a group less the base in points, and its interval.

  Args:
    group: the minuend.
    base: the subtrahend.
    split: whose clips are compared.
    shared: the clips that both have; None for all, which must be the same.
  """
  first, second = (fraction_correct(g, split) for g in (group, base))
  if not first or not second:
    return f'no {split} labels', NONE
  if shared is None and first.keys() != second.keys():
    return 'other clips', NONE
  gaps = {clip: first[clip] - second[clip] for clip in shared or first}
  points = f'{100 * np.mean([*gaps.values()]):+.1f}'
  interval = speaker_interval(base, gaps, '+')
  return points.replace('-', '\N{MINUS SIGN}'), interval


def _compared(
  group: Group, base: Group, split: str, shared: Sequence[str]
) -> tuple[str, str, str, str]:
  """Returns the cells: difference, interval, McNemar test and t-test."""
  return (
    *difference(group, base, split, shared),
    _mcnemar(group, base, split, shared),
    _t_test(group, base, split, shared),
  )


def _right(run: FinishedRun, split: str, shared: Sequence[str]) -> np.ndarray:
  """Returns whether a run has each shared clip right."""
  found = run.predictions[split]
  right = dict(zip(found.clips, found.right, strict=True))
  return np.array([right[clip] for clip in shared])


def _of_seed(group: Group, seed: int) -> FinishedRun:
  return next(run for run in group.runs if run.config.seed == seed)


def _mcnemar(
  group: Group, base: Group, split: str, shared: Sequence[str]
) -> str:
  """Returns the cell of the McNemar test of the lowest common seed."""
  seeds = sorted({*group.seeds} & {*base.seeds})
  if not seeds:
    return NONE
  test = significance.mcnemar(
    *(_right(_of_seed(g, seeds[0]), split, shared) for g in (group, base))
  )
  text = f'{test.first_only} : {test.second_only}, {_p(test.p)}'
  return text + _one_seed((group, base), seeds)


def _one_seed(both: Sequence[Group], seeds: Sequence[int]) -> str:
  """Returns which seed a test is of, where one of the groups has several."""
  several = any(len(group.runs) > 1 for group in both)
  return f', seed {seeds[0]}' if several and seeds else ''


def _t_test(
  group: Group, base: Group, split: str, shared: Sequence[str]
) -> str:
  """Returns the cell of the paired t-test over common seeds, or over folds."""
  both = group, base
  seeds = sorted({*group.seeds} & {*base.seeds})
  each = [_of_seed(g, seeds[0]) if seeds else g.first for g in both]
  folds = [
    spreads[split]['each'] if split in spreads else []
    for spreads in (run.results.get('folds') or {} for run in each)
  ]
  whole = all(len(labels(g, split)) == len(shared) for g in both)
  if len(seeds) > 1:
    pairs = f'{len(seeds)} seeds'
    values = [
      [float(_right(_of_seed(g, seed), split, shared).mean()) for seed in seeds]
      for g in both
    ]
  elif whole and len(folds[0]) > 1 and len(folds[0]) == len(folds[1]):
    pairs, values = f'{len(folds[0])} folds{_one_seed(both, seeds)}', folds
  else:
    return NONE
  test = significance.paired_t(*values)
  if math.isnan(test.p):
    return f'{pairs}: no deviation'
  return f'{pairs}: t = {test.t:.2f}, {_p(test.p)}'.replace(
    '-', '\N{MINUS SIGN}'
  )


def _p(value: float) -> str:
  return 'p < 0.001' if value < 0.001 else f'p = {value:.3f}'
