"""The cells of two tests of a difference: McNemar's, and Student's in pairs."""

import math
from collections.abc import Sequence

import numpy as np

from avjax.metrics import significance
from avjax.reporting.markup import NONE
from avjax.runs.finished import FinishedRun, Group


def _right(run: FinishedRun, split: str, shared: Sequence[str]) -> np.ndarray:
  """Returns whether a run has each shared clip right."""
  found = run.predictions[split]
  right = dict(zip(found.clips, found.right, strict=True))
  return np.array([right[clip] for clip in shared])


def _of_seed(group: Group, seed: int) -> FinishedRun:
  return next(run for run in group.runs if run.config.seed == seed)


def mcnemar(
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


def t_test(group: Group, base: Group, split: str, shared: Sequence[str]) -> str:
  """Returns the cell of the paired t-test over common seeds, or over folds."""
  both = group, base
  seeds = sorted({*group.seeds} & {*base.seeds})
  each = [_of_seed(g, seeds[0]) if seeds else g.first for g in both]
  folds = [
    spreads[split]['each'] if split in spreads else []
    for spreads in (run.results.get('folds') or {} for run in each)
  ]
  whole = all(
    split in run.predictions
    and len(run.predictions[split].clips) == len(shared)
    for run in each
  )
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
