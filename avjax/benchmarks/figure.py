"""A figure of all timings, relative to ours."""

import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from avjax.errors import ConfigError, DataError

OURS = 'avjax'
_WIDTH, _ROW, _AROUND, _LEGEND = 8.0, 0.24, 0.9, 0.5  # inches
_DPI, _FONT = 150, 9
# Colours for all kinds of colour vision, each with its own marker.
_MARKS = (
  ('#0072b2', 'o'),
  ('#d55e00', 's'),
  ('#009e73', '^'),
  ('#cc79a7', 'D'),
  ('#e69f00', 'v'),
  ('#56b4e9', 'P'),
  ('#000000', 'X'),
  ('#999999', '<'),
  ('#7a5195', '>'),
)
_SHORT = {
  'train_step': 'training step',
  'inference': 'inference',
  'epoch': 'ten steps',
  'seeds': 'ten seeds',
  'lstm': 'LSTM',
  'lstm_forward': 'LSTM, forward',
}


def shape(line: Mapping[str, Any]) -> str:
  """Returns a short description of the shape of a line."""
  words = [f'{line["batch"]} x {line["frames"]}']
  if 'cells' in line:
    words.append(f'hidden size {line["cells"]}')
  words.append('ragged' if line['ragged'] else 'full')
  if line['tf32'] or line['dtype'] != 'float32':
    words.append('TF32' if line['tf32'] else line['dtype'])
  return ', '.join(words)


def save(
  sections: Mapping[str, Sequence[Mapping[str, Any]]], path: pathlib.Path
) -> None:
  """Writes the figure: one panel per section, one row per entry.

  Args:
    sections: heading -> entries, each implementation -> line.
    path: of the PNG file.

  Raises:
    ConfigError: matplotlib is not installed.
    DataError: there is nothing to compare.
  """
  try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
  except ImportError as error:
    raise ConfigError(
      "drawing needs the package matplotlib; pip install 'avjax[figures]'"
    ) from error
  panels = [
    (heading.splitlines()[0].removeprefix('## '), _compared(entries))
    for heading, entries in sections.items()
  ]
  panels = [(title, entries) for title, entries in panels if entries]
  if not panels:
    raise DataError(
      'no timing has a peer to compare with; run bin/benchmark with --peers'
    )
  names = sorted(
    {n for _, entries in panels for run in entries for n in run} - {OURS}
  )
  marks = dict(zip(names, itertools.cycle(_MARKS), strict=False))
  heights = [len(entries) * _ROW + _AROUND for _, entries in panels]
  figure = Figure((_WIDTH, sum(heights) + _LEGEND), _DPI, facecolor='white')
  FigureCanvasAgg(figure)
  axes = figure.subplots(
    len(panels),
    squeeze=False,
    sharex=True,
    gridspec_kw={'height_ratios': heights},
  )
  for (title, entries), panel in zip(panels, axes[:, 0], strict=True):
    _draw(panel, title, entries, marks)
  _scale(axes[-1, 0])
  handles: dict[str, Any] = {}
  for panel in axes[:, 0]:
    artists, labels = panel.get_legend_handles_labels()
    handles |= dict(zip(labels, artists, strict=True))
  figure.legend(
    [handles[name] for name in names],
    names,
    loc='outside upper center',
    ncols=6,
    fontsize=_FONT,
    frameon=False,
  )
  figure.set_layout_engine('constrained')
  figure.savefig(path)


def _compared(entries):
  """Returns the entries that have a ratio, sorted by case."""
  compared = [run for run in entries if OURS in run and len(run) > 1]
  cases = list(dict.fromkeys(run[OURS]['case'] for run in compared))
  return sorted(compared, key=lambda run: cases.index(run[OURS]['case']))


def _draw(axes, title, entries, marks) -> None:
  """Draws one panel."""
  for name, (colour, marker) in marks.items():
    points = [
      (run[name]['ratio'], row)
      for row, run in enumerate(entries)
      if name in run
    ]
    if points:
      style = {'color': colour, 'marker': marker, 'ls': '', 'ms': 6}
      axes.plot(*zip(*points, strict=True), label=name, alpha=0.85, **style)
  axes.axvline(1, color='#404040', lw=1)
  firsts = [next(iter(run.values())) for run in entries]
  labels = [
    f'{_SHORT.get(line["case"], line["case"])}, {shape(line)}'
    for line in firsts
  ]
  axes.set_yticks(range(len(entries)), labels, fontsize=_FONT)
  axes.set_ylim(len(entries) - 0.4, -0.6)
  axes.grid(color='#e0e0e0', lw=0.7)
  axes.set_axisbelow(True)
  axes.spines[['top', 'right']].set_visible(False)
  axes.set_title(title, loc='left', fontsize=_FONT + 1)


def _scale(axes) -> None:
  """Draws the axis of ratios, which all panels share."""
  axes.set_xscale('log')
  low, high = axes.get_xlim()
  low, high = min(low, 0.8), max(high, 1.25)
  axes.set_xlim(low, high)
  ticks = [m * 10.0**e for e in range(-3, 5) for m in (1, 2, 5)]
  ticks = [tick for tick in ticks if low <= tick <= high]
  axes.set_xticks(ticks, [f'{tick:g}' for tick in ticks], fontsize=_FONT)
  axes.minorticks_off()
  axes.set_xlabel(
    'time relative to avjax (above 1: avjax is faster)', fontsize=_FONT
  )
