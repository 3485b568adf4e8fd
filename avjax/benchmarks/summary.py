"""BENCHMARKS.md and its picture, made of the lines of bin/benchmark."""

import json
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from avjax.benchmarks import figure
from avjax.errors import DataError

Line = Mapping[str, Any]
Entry = Mapping[str, Line]
"""Implementation -> its line; all of one case, of one shape, of one run."""

KEY = ('case', 'batch', 'frames', 'cells', 'ragged', 'dtype', 'tf32')
OURS = 'avjax'
CASES = {
  'train_step': 'One training step of the proposed network',
  'inference': 'Inference of the proposed network',
  'epoch': 'Ten training steps on clips of their own',
  'seeds': 'Two training steps of each of ten seeds',
  'lstm': 'One LSTM layer, forward and backward',
  'lstm_forward': 'One LSTM layer, forward',
}
IMPLEMENTATIONS = {
  'avjax': 'this package, as it comes',
  'flax': '`nn.RNN(nn.OptimizedLSTMCell)`, `optax.adadelta`',
  'flax_unroll8': 'the same, eight steps in one round of the loop',
  'torch': '`nn.LSTM` over the padding, eager, `torch.optim.Adadelta`',
  'torch_packed': 'the same with `pack_padded_sequence`',
  'torch_graph': 'as `torch`, replayed as one CUDA graph',
  'cudnn': '`jax.experimental.rnn.lstm`',
}
INTRODUCTION = """# Benchmarks

Made by `bin/benchmark --table FILES` from the lines of `bin/benchmark`: change
neither this file nor the picture by hand.

Every implementation has the same weights, and agreed with the equations in
float64 before it was timed. All are called in turns in one process.
In brackets: the time over that of `avjax`; above 1, `avjax` is faster. After ±:
the middle half of the calls, as a part of their median.

![The time of each implementation over ours](BENCHMARKS.png)
"""


def write(paths: Sequence[pathlib.Path], folder: pathlib.Path) -> None:
  """Writes BENCHMARKS.md and BENCHMARKS.png into a folder.

  Raises:
    DataError: a line is not ours, or none holds a timing or a peer's.
    ConfigError: matplotlib is not installed.
  """
  lines = [line for path in paths for line in read(path)]
  parts = sections(lines)
  if not parts:
    files = ', '.join(map(str, paths)) or 'no file'
    raise DataError(f'{files}: no timing in there; give files of bin/benchmark')
  figure.save(parts, folder / 'BENCHMARKS.png')
  (folder / 'BENCHMARKS.md').write_text(text(parts, lines), encoding='utf-8')


def read(path: pathlib.Path) -> list[Line]:
  """Returns the lines of one file.

  Raises:
    DataError: a line is no JSON object of bin/benchmark.
  """
  lines = []
  for number, line in enumerate(path.read_text('utf-8').splitlines(), 1):
    try:
      content = json.loads(line)
      _ = content['case'], content['started'], content['versions']
    except (ValueError, KeyError, TypeError):
      raise DataError(
        f'{path}, line {number}: no line of bin/benchmark; remove it'
      ) from None
    lines.append(content)
  return lines


def sections(lines: Iterable[Line]) -> dict[str, list[Entry]]:
  """Returns where and with what -> the entries; of equal ones the newest."""
  runs: dict[tuple, dict[str, Line]] = {}
  newest: dict[tuple, str] = {}
  for line in lines:
    if 'median_ms' in line:
      key = line['device'], *(line.get(field) for field in KEY)
      newest[key] = max(newest.get(key, ''), line['started'])
      run = runs.setdefault((*key, line['started']), {})
      run[line['implementation']] = line
  parts: dict[str, list[Entry]] = {}
  for run in runs.values():
    line = _of(run)
    key = line['device'], *(line.get(field) for field in KEY)
    if line['started'] == newest[key]:
      parts.setdefault(_where(line), []).append(run)
  return parts


def _where(line: Line) -> str:
  """Returns the heading of a section and its line of versions."""
  versions = ', '.join(f'{k} {v}' for k, v in sorted(line['versions'].items()))
  flags = f'; XLA_FLAGS `{line["xla_flags"]}`' if line.get('xla_flags') else ''
  return (
    f'## {line["device"]}\n\nRevision {line["git_revision"] or "unknown"};'
    f' {versions}{flags}.'
  )


def text(parts: Mapping[str, Sequence[Entry]], lines: Sequence[Line]) -> str:
  """Returns BENCHMARKS.md."""
  seen = {name for part in parts.values() for run in part for name in run}
  blocks = [INTRODUCTION]
  blocks.append(
    '\n'.join(
      f'- `{name}`: {about}'
      for name, about in IMPLEMENTATIONS.items()
      if name in seen
    )
    + ''.join(
      f'\n- `{name}`: ours, by name'
      for name in sorted(seen - IMPLEMENTATIONS.keys())
    )
  )
  for heading, entries in parts.items():
    blocks.append(heading)
    for case in dict.fromkeys(_of(run)['case'] for run in entries):
      chosen = [run for run in entries if _of(run)['case'] == case]
      blocks.append(f'### {CASES.get(case, case)} (`{case}`)')
      blocks += _tables(chosen)
  done = {
    _place(line)
    for part in parts.values()
    for run in part
    for line in run.values()
  }
  absent = [
    f'- {_absent(line)}'
    for line in lines
    if 'median_ms' not in line and _place(line) not in done
  ]
  if absent:
    blocks += ['## What was not timed', '\n'.join(dict.fromkeys(absent))]
  return '\n\n'.join(block.strip() for block in blocks) + '\n'


def _tables(entries: Sequence[Entry]) -> list[str]:
  """Returns the blocks of one case."""
  blocks = [
    'Until the result is there, ms a call:',
    _table(entries, lambda line: _time(line, 'median_ms', 'ratio', 'spread')),
    'Many calls begun before the last one is waited for, ms a call:',
    _table(
      entries,
      lambda line: _time(
        line, 'throughput_ms', 'throughput_ratio', 'throughput_spread'
      ),
    ),
    'Seconds to compile; MB that a call needs (JAX: temporaries of the program;'
    ' PyTorch: allocated above what was there, on a GPU):',
    _table(entries, _cost),
  ]
  slopes = list(_slopes(entries))
  if slopes:
    blocks.append('From the shorter to the longer, μs a step: ')
    blocks[-1] += '; '.join(slopes) + '.'
  return blocks


def _table(entries: Sequence[Entry], cell: Callable[[Line], str]) -> str:
  """Returns one table: a row an entry, a column an implementation."""
  names = dict.fromkeys(name for run in entries for name in run)
  rows = [['clips x frames', *(f'`{name}`' for name in names)]]
  rows.append(['---'] * len(rows[0]))
  for run in entries:
    cells = [cell(run[name]) if name in run else '-' for name in names]
    rows.append([figure.shape(_of(run)), *cells])
  return '\n'.join('| ' + ' | '.join(row) + ' |' for row in rows)


def _time(line: Line, time: str, ratio: str, spread: str) -> str:
  cell = f'{line[time]:.3g} ±{100 * line[spread]:.0f} %'
  if line['implementation'] != OURS and ratio in line:
    cell += f' (**{line[ratio]:.2f}**)'
  return cell


def _cost(line: Line) -> str:
  peak = line['peak_bytes']
  size = '-' if peak is None else f'{peak / 1e6:.1f}'
  return f'{line["compile_seconds"]:.1f}; {size}'


def _slopes(entries: Sequence[Entry]) -> Iterable[str]:
  """Yields the time of one step, where two entries differ in that alone."""
  for short in entries:
    for long in entries:
      a, b = _of(short), _of(long)
      alike = all(a.get(k) == b.get(k) for k in KEY if k != 'frames')
      if alike and a['frames'] < b['frames']:
        steps = b['frames'] - a['frames']
        yield f'{figure.shape(b)} from {a["frames"]} frames: ' + ', '.join(
          f'`{name}`'
          f' {1e3 * (long[name]["median_ms"] - line["median_ms"]) / steps:.3g}'
          for name, line in short.items()
          if name in long
        )


def _place(line: Line) -> tuple:
  """Returns what a line is of, whenever it was run."""
  return line['device'], line.get('implementation'), *map(line.get, KEY)


def _of(run: Entry) -> Line:
  return next(iter(run.values()))


def _absent(line: Line) -> str:
  name = f', `{line["implementation"]}`' if 'implementation' in line else ''
  reason = line.get('failed') or line.get('left_out')
  return (
    f'{line["device"]}: `{line["case"]}`, {figure.shape(line)}{name}: {reason}'
  )
