"""The scores of trained runs on any clips, as by bin/evaluate."""

import pathlib
import sys
from typing import Any

from avjax import files
from avjax.data import standardising
from avjax.errors import CheckpointError, ConfigError
from avjax.runs import ensemble, joining
from avjax.runs.evaluation import SPLITS
from avjax.runs.folder import CONFIG, RunFolder
from avjax.training import outcome as outcomes


def evaluate(
  workdir: str | pathlib.Path,
  store: str | None = None,
  split: str = 'test',
  output: str | pathlib.Path | None = None,
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
  each = [portion.predict() for portion in portions]
  outcome = outcomes.joined([one for one, _ in each])
  results = {
    'splits': {split: outcome.summary()},
    'standardised': standardising.stamp(whole.config.data),
  } | each[0][1]
  if len(portions[0].runs) > 1:
    results['members'] = len(portions[0].runs)
  if len(portions) > 1:
    accuracies = [one.scores()['accuracy'] for one, _ in each]
    results['folds'] = {split: joining.spread(accuracies)}
  if whole.owns(store):
    results['audit'] = whole.info.audit or []
    if split == 'all':
      results['seen'] = runs.first.seen(outcome.clips)
  target.write_predictions({split: outcome})
  results = target.write_results(results)
  print(f'output: {target}', file=sys.stderr)
  return results


def _check_target(target: RunFolder) -> None:
  """Raises CheckpointError unless the folder can take an evaluation."""
  if (target.path / CONFIG).exists():
    raise CheckpointError(
      f'{target} is the folder of a run, whose results would be lost; give'
      ' another --output'
    )
  files.check_output(target.path)
