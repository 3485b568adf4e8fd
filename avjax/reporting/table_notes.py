"""The notes below the tables of finished runs: data, audits, what cells say."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from avjax.reporting import published, titles
from avjax.runs.finished import Group


def notes(groups: Sequence[Group], about: bool = True) -> tuple[str, ...]:
  """Returns the notes below Table 1, warnings and audits first.

  Args:
    groups: the rows.
    about: whether to say what all rows share (see `titles.notes` and `of_all`),
      and which stand beside the paper's.
  """
  made = [
    f'Warning, {group.title}, seed {run.config.seed}: {text}'
    for group in groups
    for run in group.runs
    for text in run.warnings
  ]
  made += _audits(groups, () if about else of_all(groups))
  if about:
    made += titles.notes(groups)
  made += _data(groups)
  made.append(
    'One run: accuracy [95 % Wilson interval] right/all; several: mean ±'
    ' deviation over the seeds. By speaker: 95 % bootstrap (speakers). ECE:'
    ' calibration error, 15 bins. UAR, F1 and ECE in %, on test.'
  )
  if about and any(map(published.comparable, groups)):
    made.append(f'{published.RULE}; its results stand beside theirs.')
  if any(group.first.members > 1 for group in groups):
    made.append(
      'Ensemble: the mean of the probabilities of the seeds. It is one run, and'
      ' is compared as its first seed where a single seed is.'
    )
  return tuple(made)


def _audits(groups: Sequence[Group], said: Collection[str]) -> list[str]:
  """Returns what the audits of the splits have found, each finding once.

  Args:
    groups: the rows.
    said: findings that stand elsewhere.
  """
  found = _together(
    (line, group.title)
    for group in groups
    for line in dict.fromkeys(x for run in group.runs for x in run.audit)
    if line not in said
  )
  return [
    f'Split audit of {_listed(rows, groups)}: {line}'
    for line, rows in found.items()
  ]


def of_all(groups: Sequence[Group]) -> list[str]:
  """Returns what the audits of all rows have found; [] of a single row."""
  if len(groups) < 2:
    return []
  each = [group.first.audit for group in groups]
  return [line for line in each[0] if all(line in one for one in each)]


def _data(groups: Sequence[Group]) -> list[str]:
  """Returns notes on the clips and seeds of the groups, equal ones together."""
  pairs = []
  for group in groups:
    data, run = group.first.config.data, group.first
    seeds = [seed for run in group.runs for seed in run.seeds]
    word = 'seeds' if len(seeds) > 1 else 'seed'
    where = f'{data.store}, protocol {data.protocol}, {run.stamp}'
    pairs.append((f'{where}, {word} {", ".join(map(str, seeds))}', group.title))
  found = _together(pairs)
  return [f'{text}: {_listed(rows, groups)}' for text, rows in found.items()]


def _together(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
  """Returns text -> titles of the rows that have it."""
  found = defaultdict(list)
  for text, title in pairs:
    found[text].append(title)
  return found


def _listed(rows: Sequence[str], groups: Sequence[Group]) -> str:
  """Returns the titles of some rows in one text."""
  if len(rows) == len(groups) > 1:
    return 'all rows'
  return '; '.join(rows)
