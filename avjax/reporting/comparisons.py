"""Comparison of finished runs on the same clips."""

import math
from collections.abc import Sequence

import numpy as np

from avjax.metrics import significance
from avjax.reporting.markup import Table
from avjax.runs.finished import Group

NONE = '-'  # the cell of an unknown value


def comparisons(
  groups: Sequence[Group], split: str = 'test', base: Group | None = None
) -> list[Table]:
  """Returns tables that each compare one group with every other.

  Args:
    groups: of runs.
    split: whose clips are compared.
    base: the group to compare with; None for the reference (the paper's
      network, or the first group without it), and then every ensemble.
  """
  if base:
    return [_comparison(base, groups, split)]
  references = [g for g in groups if _is_reference(g)]
  bases = [(references or list(groups))[0]]
  bases += [g for g in groups if g.first.members > 1 and g not in bases]
  return [_comparison(one, groups, split, k) for k, one in enumerate(bases)]


def _comparison(
  base: Group, groups: Sequence[Group], split: str, number: int = 0
) -> Table:
  """Returns the table that compares a group with every other."""
  rows = [
    (group.title, *_compared(base, group, split))
    for group in groups
    if group != base
  ]
  return Table(
    f'comparisons-{number}' if number else 'comparisons',
    f'Comparisons on the {split} clips: {base.title} less the others',
    ('less', 'points', 'by speaker, 95 %', 'McNemar', 'paired t-test'),
    tuple(rows),
    (
      'Points: mean over the seeds of each, with a bootstrap over speakers.'
      ' McNemar: exact, of the lowest seed that both have, with the clips that'
      ' only one of them has right. t-test: over common seeds or over folds.',
    ),
  )


def _is_reference(group: Group) -> bool:
  """Returns whether a group is the paper's network with default settings."""
  run = group.first
  changed = run.streams or run.changed or run.recipe or run.members > 1
  return run.model.reference and not changed


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


def difference(base: Group, other: Group, split: str) -> tuple[str, str]:
  """Returns the cells: difference in points, its interval over speakers."""
  first, second = (fraction_correct(g, split) for g in (base, other))
  if not first or not second:
    return f'no {split} labels', NONE
  if first.keys() != second.keys():
    return 'other clips', NONE
  gaps = {clip: first[clip] - second[clip] for clip in first}
  points = f'{100 * np.mean([*gaps.values()]):+.1f}'
  interval = speaker_interval(base, gaps, '+')
  return points.replace('-', '\N{MINUS SIGN}'), interval


def _compared(
  base: Group, other: Group, split: str
) -> tuple[str, str, str, str]:
  """Returns the cells: difference, interval, McNemar test and t-test."""
  first, second = (fraction_correct(g, split) for g in (base, other))
  cells = difference(base, other, split)
  if not first or first.keys() != second.keys():
    return (*cells, NONE, NONE)
  return (*cells, _mcnemar(base, other, split), _t_test(base, other, split))


def _mcnemar(base: Group, other: Group, split: str) -> str:
  """Returns the cell of the McNemar test of the lowest common seed."""
  common = sorted({*base.seeds} & {*other.seeds})
  if not common:
    return NONE
  pair = [
    next(run for run in group.runs if run.config.seed == common[0])
    for group in (base, other)
  ]
  right = [
    dict(zip(p.clips, p.right, strict=True))
    for p in (run.predictions[split] for run in pair)
  ]
  test = significance.mcnemar(
    np.array([*right[0].values()]),
    np.array([right[1][clip] for clip in right[0]]),
  )
  seed = f', seed {common[0]}' if len(common) > 1 else ''
  return f'{test.first_only} : {test.second_only}, {_p(test.p)}{seed}'


def _t_test(base: Group, other: Group, split: str) -> str:
  """Returns the cell of the paired t-test over common seeds, or over folds."""
  common = sorted({*base.seeds} & {*other.seeds})
  folds = [
    spreads[split]['each'] if split in spreads else []
    for spreads in (g.first.results.get('folds') or {} for g in (base, other))
  ]
  if len(common) > 1:
    pairs = f'{len(common)} seeds'
    values = [
      [float(r.predictions[split].right.mean()) for r in group.runs
       if r.config.seed in common]
      for group in (base, other)
    ]  # fmt: skip
  elif len(folds[0]) > 1 and len(folds[0]) == len(folds[1]):
    pairs, values = f'{len(folds[0])} folds', folds
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
