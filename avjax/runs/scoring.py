"""The scores of trained runs on any clips, as by bin/evaluate."""

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from avjax import files
from avjax.clips import Clip
from avjax.data import batching, splits, standardising
from avjax.errors import CheckpointError, ConfigError
from avjax.metrics import groups as metrics_groups
from avjax.runs import ensemble, joining, other_store
from avjax.runs.evaluation import SPLITS
from avjax.runs.folder import CONFIG, RunFolder
from avjax.runs.other_store import AS_IT_IS, Adaptation
from avjax.training import outcome as outcomes
from avjax.training.outcome import Outcome

_OWN = ('label', 'speaker')
"""Columns of every table, whose groups can be scored."""


def evaluate(
  workdir: str | pathlib.Path,
  store: str | None = None,
  split: str = 'test',
  output: str | pathlib.Path | None = None,
  by: Sequence[str] = (),
  adaptation: Adaptation = AS_IT_IS,
) -> dict[str, Any]:
  """Evaluates the best state of a run; returns the content of results.json.

  Of several seeds the probabilities are averaged; see `ensemble.Ensemble`.

  Args:
    workdir: the run folder.
    store: another store, or 'synthetic'; None for the run's own.
    split: one of SPLITS. In the run's own store it is a split of the run, in
      another store a split of that store. 'all' takes every clip.
    output: folder for predictions.csv and results.json; by default a folder in
      `workdir` that is named after store and split.
    by: columns of the clips' table, 'label' or 'speaker': the scores of their
      groups are in the results too.
    adaptation: what to do with the labels of another store, and with clips
      that the run was trained on.

  Raises:
    AvjaxError: run, store or split is missing, or the store does not fit.
  """
  if split not in SPLITS:
    raise ConfigError(
      f'the split is {split!r}; it must be one of {", ".join(SPLITS)}'
    )
  runs = ensemble.open_folder(workdir)
  whole = runs.whole
  name = pathlib.Path(store).name if store else 'own'
  target = RunFolder(output or whole.folder.path / f'evaluation-{name}-{split}')
  _check_target(target)
  portions = runs.portions(split, store)
  own = whole.owns(store)
  facts: dict[str, Any] = {}
  if own:
    other_store.check_unused(adaptation)
  elif store is not None:
    portion, facts = other_store.labelled(
      portions[0], whole.info.emotions, store, adaptation
    )
    portions = [portion]
    facts['audit'] = other_store.examined(
      runs, portion.clips, store, adaptation
    )
    if warnings := other_store.warnings(runs, store):
      facts['warnings'] = warnings
  check_columns([c for one in portions for c in one.clips], by)
  each = [portion.predict() for portion in portions]
  outcome = outcomes.joined([one for one, _ in each])
  results = {
    'splits': {split: outcome.summary()},
    'standardised': standardising.stamp(whole.config.data),
  } | each[0][1]
  if (members := len(portions[0].members)) > 1:
    results['members'] = members
  if len(portions) > 1:
    accuracies = [one.scores()['accuracy'] for one, _ in each]
    results['folds'] = {split: joining.spread(accuracies)}
  if by:
    results['groups'] = {column: groups(outcome, column) for column in by}
  results |= facts
  if own:
    results['audit'] = whole.info.audit or []
    if split == 'all':
      results['seen'] = runs.first.seen(outcome.clips)
  target.write_predictions({split: outcome})
  results = target.write_results(results)
  print(f'output: {target}', file=sys.stderr)
  return results


def check_columns(clips: Sequence[Clip], by: Sequence[str]) -> None:
  """Raises ConfigError unless the clips have all these columns."""
  present = dict.fromkeys(name for clip in clips for name in clip.attributes)
  known = [*_OWN, *present]
  if unknown := [name for name in by if name not in known]:
    kept = '' if present else '; its store keeps no further columns of a table'
    raise ConfigError(
      f'no clip has the column {unknown[0]!r}; --by takes some of'
      f' {", ".join(known)}{kept}'
    )


def groups(outcome: Outcome, column: str) -> dict[str, dict[str, Any]]:
  """Returns word of a column -> scores of its labelled clips, in order.

  Clips without a word in the column are the group ''.
  """
  known = [k for k, c in enumerate(outcome.clips) if c.label is not None]
  clips = [outcome.clips[k] for k in known]
  words = [
    (getattr(c, column) if column in _OWN else c.attributes.get(column)) or ''
    for c in clips
  ]
  return metrics_groups.scores(
    words,
    sorted({*words}, key=splits.natural),
    outcome.probabilities[known],
    batching.labels(clips, outcome.emotions),
    [clip.speaker for clip in clips],
  )


def _check_target(target: RunFolder) -> None:
  """Raises CheckpointError unless the folder can take an evaluation."""
  if (target.path / CONFIG).exists():
    raise CheckpointError(
      f'{target} is the folder of a run, whose results would be lost; give'
      ' another --output'
    )
  files.check_output(target.path)
