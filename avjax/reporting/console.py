"""The results of a run as plain text for a terminal."""

from collections.abc import Mapping
from typing import Any


def table(results: Mapping[str, Any]) -> str:
  """Returns the results as lines of text, and warnings below them.

  Args:
    results: the content of results.json.
  """
  lines = _seeds(results) if 'seeds' in results else _splits(results)
  lines += _remarks(results)
  lines += [f'warning: {text}' for text in results.get('warnings', ())]
  return '\n'.join(lines)


def _seeds(results: Mapping[str, Any]) -> list[str]:
  """Returns the mean accuracies over several seeds, and their ensemble."""
  lines = _spreads(results['seeds'], 'seeds')
  if 'ensemble' in results:
    one = dict(results['ensemble'])
    lines += [f'ensemble of {one.pop("members")} seeds:', *_splits(one)]
  return lines


def _groups(column: str, groups: Mapping[str, Any]) -> list[str]:
  """Returns a line per group of clips: scores, intervals by speaker."""
  title, width = f'by {column}', max(map(len, [*groups, f'by {column}']))
  lines = [
    f'{title:<{width}} {"clips":>6}{"accuracy %":>12}{"by speaker, 95 %":>21}'
    f'{"UAR":>7}{"ECE":>6}{"to the rest":>13}{"by speaker, 95 %":>21}'
  ]
  for name, one in groups.items():
    ranges = []
    for key in ('by_speaker_95', 'difference_by_speaker_95'):
      sign = '+' * key.startswith('difference')
      bounds = [format(100 * x, f'{sign}.1f') for x in one.get(key, ())]
      ranges.append(f'[{", ".join(bounds)}]' if bounds else '-')
    ranges[0] += f' ({one["speakers"]})'
    gap = f'{100 * one["difference"]:+.1f}' if 'difference' in one else '-'
    lines.append(
      f'{name or "(none)":<{width}} {one["n"]:>6}{100 * one["accuracy"]:>12.1f}'
      f'{ranges[0]:>21}{100 * one["uar"]:>7.1f}'
      f'{100 * one["calibration_error"]:>6.1f}{gap:>13}{ranges[1]:>21}'
    )
  return lines


def _spreads(spreads: Mapping[str, Any], of: str) -> list[str]:
  """Returns the mean accuracy of every split over several folds or seeds."""
  return [
    f'{split} over {len(one["each"])} {of}:'
    f' {100 * one["mean"]:.1f} +- {100 * one["deviation"]:.1f} %'
    for split, one in spreads.items()
  ]


def _splits(results: Mapping[str, Any]) -> list[str]:
  """Returns one line per split: clips, accuracy, interval, UAR, macro-F1.

  Lines on attention, alignment, folds and groups follow where known.
  """
  lines = [f'{"split":<12}{"clips":>6}{"accuracy %":>20}{"UAR":>7}{"F1":>7}']
  for split, one in results['splits'].items():
    if not one['n']:
      lines.append(f'{split:<12}{one["unlabelled"]:>6}  without labels')
      continue
    low, high = (f'{100 * bound:.1f}' for bound in one['accuracy_interval_95'])
    accuracy = f'{100 * one["accuracy"]:.1f} [{low}, {high}]'
    lines.append(
      f'{split:<12}{one["n"]:>6}{accuracy:>20}'
      f'{100 * one["uar"]:>7.1f}{100 * one["macro_f1"]:>7.1f}'
    )
    if 'attention' in one:
      mass = one['attention']['mass_over_uniform']
      lines.append(
        f'  attention mass of the salient segment: {mass:.2f} x uniform'
      )
    if 'alignment' in one:
      a = one['alignment']
      lines.append(
        f'  alignment: weight at the true position {a["weight"]:.2f} (uniform'
        f' {a["weight_uniform"]:.2f}), error {a["error"]:.2f} frames (uniform'
        f' {a["error_uniform"]:.2f})'
      )
  lines += _spreads(results.get('folds', {}), 'folds')
  if 'members' in results:
    lines.append(f'mean probabilities of {results["members"]} runs a clip')
  for column, groups in results.get('groups', {}).items():
    lines += _groups(column, groups)
  return lines


def _remarks(results: Mapping[str, Any]) -> list[str]:
  """Returns which clips were scored, and what an audit has found in them."""
  lines = []
  for label, n in results.get('dropped', {}).items():
    lines.append(f'left out: {n} clips of {label}')
  if absent := results.get('absent'):
    lines.append(f'no clip is of {", ".join(absent)}, which the run knows')
  if seen := {k: n for k, n in results.get('seen', {}).items() if n}:
    counts = ' and '.join(f'{n} {split}' for split, n in seen.items())
    lines.append(
      f'{counts} clips of the run are among them; the accuracy is not that of'
      ' new clips'
    )
  found = [
    one if isinstance(one, str) else f'{one["status"]}: {one["text"]}'
    for one in results.get('audit', ())
  ]
  if 'standardised' in results:
    lines.append(f'standardising: {results["standardised"]}')
  return lines + list(dict.fromkeys(found))  # folds may have the same
