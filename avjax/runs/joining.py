"""The joint results of several runs: over folds, over seeds."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.data import standardising
from avjax.metrics import classification
from avjax.runs import predictions
from avjax.runs.folder import RESULTS, RunFolder
from avjax.runs.results import Results
from avjax.training.outcome import Outcome, joined


def join_folds(folder: RunFolder, folds: Sequence[RunFolder]) -> dict[str, Any]:
  """Writes and returns the results over all folds.

  Every clip is tested once, so the confusion counts of the folds are added.
  'folds' has the mean and the standard deviation of the folds' accuracies.

  Args:
    folder: of all folds, with its config.json.
    folds: folders of the finished runs.
  """
  config, info = folder.read_config()
  each = [fold.read_results() for fold in folds]
  folder.join_predictions(dict(zip(folds, each, strict=True)), 'test')
  tests = [one['splits']['test'] for one in each]
  counts = np.sum([test['confusion'] for test in tests], axis=0)
  content: dict[str, Any] = {
    'splits': {
      'test': classification.summary(counts, tests[0]['emotions'])
      | {'unlabelled': sum(test.get('unlabelled', 0) for test in tests)}
    },
    'protocol': config.data.protocol,
    'audit': info.audit,
    'standardised': standardising.stamp(config.data),
    'folds': {
      split: spread([one['splits'][split]['accuracy'] for one in each])
      for split in each[0]['splits']
    },
    'seconds': math.fsum(one['seconds'] for one in each),
    'clips_per_second': statistics.fmean(
      one['clips_per_second'] for one in each
    ),
    'parameters': each[0]['parameters'],
    **_computed_by(each[0]),
  }
  names = [fold.path.name for fold in folds]
  content |= joined_warnings(dict(zip(names, each, strict=True)))
  return folder.write_results(content, _results_of(folds))


def join_seeds(folder: RunFolder, seeds: Sequence[RunFolder]) -> dict[str, Any]:
  """Writes and returns the results over all seeds.

  'seeds' has the mean and the standard deviation of the seeds' accuracies,
  'runs' the scores of every seed, 'ensemble' those of the mean of their
  probabilities, which predictions.csv has.

  Args:
    folder: of all seeds, with its config.json.
    seeds: folders of the finished runs.
  """
  config, info = folder.read_config()
  each = [seed.read_results() for seed in seeds]
  content: dict[str, Any] = {
    'protocol': config.data.protocol,
    'audit': info.audit,
    'standardised': standardising.stamp(config.data),
    'seeds': {
      split: spread([one['splits'][split]['accuracy'] for one in each])
      for split, scores in each[0]['splits'].items()
      if scores['n']
    },
    'runs': {
      seed.path.name: one['splits']
      for seed, one in zip(seeds, each, strict=True)
    },
    'ensemble': _average(folder, seeds, each),
    'seconds': math.fsum(one['seconds'] for one in each),
    'parameters': each[0]['parameters'],
    **_computed_by(each[0]),
  }
  names = [seed.path.name for seed in seeds]
  content |= joined_warnings(dict(zip(names, each, strict=True)))
  return folder.write_results(content, _results_of(seeds))


def _computed_by(results: Results) -> dict[str, Any]:
  found: Mapping[str, Any] = results
  return {name: found[name] for name in ('device', 'lstm') if name in found}


def _average(
  folder: RunFolder, seeds: Sequence[RunFolder], each: Sequence[Results]
) -> dict[str, Any]:
  """Writes the seeds' mean predictions; returns their `EnsembleScores`.

  Args:
    folder: of all seeds.
    seeds: their folders.
    each: their results.
  """
  emotions = folder.read_config()[1].emotions
  if 'folds' not in each[0]:
    splits = _averages(seeds, each, emotions)
    content = {}
  else:
    count = len(each[0]['folds']['test']['each'])
    outcomes = []
    for fold in (f'fold-{k}' for k in range(count)):
      own = [seed / fold for seed in seeds]
      results = [one.read_results() for one in own]
      outcomes.append(_averages(own, results, emotions))
    splits = {'test': joined([one['test'] for one in outcomes])}
    content = {
      'folds': {
        split: spread([one[split].scores()['accuracy'] for one in outcomes])
        for split in each[0]['folds']
      }
    }
  folder.write_predictions(splits)
  scores = {split: outcome.scores() for split, outcome in splits.items()}
  return {'members': len(seeds), 'splits': scores} | content


def _averages(
  runs: Sequence[RunFolder],
  each: Sequence[Results],
  emotions: Sequence[str],
) -> dict[str, Outcome]:
  """Returns split -> the mean of the predictions of several runs."""
  lines = [
    run.read_predictions(one) for run, one in zip(runs, each, strict=True)
  ]
  return {
    split: predictions.averaged(
      [[line for line in own if line.split == split] for own in lines], emotions
    )
    for split in each[0]['splits']
  }


def joined_warnings(
  results: Mapping[str, Mapping[str, Any]],
) -> dict[str, list[str]]:
  """Returns the entry 'warnings' of several results; none without warnings.

  Args:
    results: name, which goes before each warning -> results or facts.
  """
  texts = [
    f'{name}: {text}'
    for name, one in results.items()
    for text in one.get('warnings', ())
  ]
  return {'warnings': texts} if texts else {}


def _results_of(parts: Sequence[RunFolder]) -> list[str]:
  """Returns the names of the parts' results.json, within the joint folder."""
  return [f'{part.path.name}/{RESULTS}' for part in parts]


def spread(values: Sequence[float]) -> dict[str, Any]:
  """Returns mean, standard deviation (n - 1) and the values, as JSON."""
  return {
    'mean': statistics.fmean(values),
    'deviation': statistics.stdev(values),
    'each': list(values),
  }
