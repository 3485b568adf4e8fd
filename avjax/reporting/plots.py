"""Figures 2 to 5 of the paper: each function draws on axes and returns them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.metrics.classification import row_percentages
from avjax.reporting.page import NORMAL, SMALL, printable
from avjax.reporting.panels import ALARM, INK, STRONG
from avjax.shapes import Array, Float, Int

CELL = 7  # font size of the numbers in a confusion matrix, in points
# Okabe and Ito's colours, which colour-blind readers can distinguish.
_COLOURS = (
  '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#404040',
)  # fmt: skip
_MARKERS = 'osD^vP*'


def alignment_map(ax, weights: Float[Array, 'T W']):
  """Draws Figure 2: one row per window position, scaled to a maximum of 1.

  Args:
    ax: matplotlib axes.
    weights: l_t (Eq. 4) of one clip.
  """
  frames, positions = weights.shape
  largest = np.maximum(np.max(weights, axis=0, keepdims=True), 1e-30)
  _map(ax, np.asarray(weights / largest).T, frames)
  ax.invert_yaxis()  # later audio is further up
  offsets = [f'{k - positions // 2:+d}' for k in range(positions)]
  offsets[positions // 2] = '0'
  offsets = [text.replace('-', '\N{MINUS SIGN}') for text in offsets]
  step = -(-positions // 8)
  ax.set_yticks(range(0, positions, step), offsets[::step])
  ax.set_ylabel('position', fontsize=SMALL)
  return ax


def attention_map(ax, maps: Float[Array, 'N T'], names: Sequence[str]):
  """Draws Figure 3: one row per emotion, scaled to a maximum of 1.

  Args:
    ax: matplotlib axes.
    maps: f^n (Eq. 10) of the emotions over one clip.
    names: of the emotions.
  """
  largest = np.max(maps, axis=1, keepdims=True)
  _map(ax, np.asarray(maps / largest), maps.shape[1])
  ax.set_yticks(range(len(names)), [printable(name) for name in names])
  return ax


def _map(ax, values: np.ndarray, frames: int) -> None:
  rows = len(values)
  extent = (0, frames, rows - 0.5, -0.5)
  ax.imshow(
    values, cmap='viridis', vmin=0, vmax=1, extent=extent, aspect='auto',
    interpolation='nearest',
  )  # fmt: skip
  for k in range(1, rows):
    ax.axhline(k - 0.5, color='white', lw=0.6)
  ax.set_xlabel('video frame', fontsize=SMALL)
  ax.tick_params(labelsize=SMALL, length=2.5)


def embedding_plane(
  ax,
  before: Float[Array, 'N 2'],
  after: Float[Array, 'N 2'],
  names: Sequence[str],
):
  """Draws Figure 4: each embedding before and after training.

  Args:
    ax: matplotlib axes.
    before: points before training, see `metrics.maps.plane`.
    after: points after training.
    names: of the emotions.
  """
  points = []
  for k in range(len(names)):
    colour = _COLOURS[k % len(_COLOURS)]
    marker = _MARKERS[(k + k // len(_COLOURS)) % len(_MARKERS)]
    font = {'marker': marker, 'color': colour, 'linestyle': '', 'ms': 5}
    ax.plot(*before[k], markerfacecolor='none', **font)
    points += ax.plot(*after[k], **font)
    line = {'arrowstyle': '-', 'color': colour, 'lw': 0.8}
    ax.annotate('', after[k], before[k], arrowprops=line)
  # matplotlib leaves out names that begin with an underscore.
  legend = ax.legend(
    points, map(str, range(len(names))), loc='upper left',
    bbox_to_anchor=(1.0, 1.04), fontsize=SMALL, frameon=False,
    handletextpad=0.2, borderaxespad=0.3,
  )  # fmt: skip
  for text, name in zip(legend.get_texts(), names, strict=True):
    text.set_text(printable(name))
  ax.set_xlabel('first component', fontsize=SMALL)
  ax.set_ylabel('second component', fontsize=SMALL, labelpad=1)
  ax.tick_params(labelsize=SMALL, length=2.5)
  ax.margins(0.12)
  return ax


def confusion_matrix(ax, counts: Int[Array, 'N N'], names: Sequence[str]):
  """Draws Figure 5: the confusion in percent of each true emotion (row).

  Args:
    ax: matplotlib axes.
    counts: confusion counts; rows are true classes.
    names: of the emotions.
  """
  percent = row_percentages(counts)
  ax.imshow(percent, cmap='Blues', vmin=0, vmax=100, aspect='auto')
  for row, column in np.ndindex(percent.shape):
    value = percent[row, column]
    colour = 'white' if value > 55 else INK
    font = {'ha': 'center', 'va': 'center', 'fontsize': CELL, 'color': colour}
    text = f'{value:.1f}' if value < 99.95 else '100'
    ax.text(column, row, text, **font)
  ticks, names = range(len(names)), [printable(name) for name in names]
  slanted = {'rotation': 45, 'ha': 'right', 'rotation_mode': 'anchor'}
  ax.set_xticks(ticks, names, **slanted)
  ax.set_yticks(ticks, names)
  ax.tick_params(labelsize=SMALL, length=0)
  ax.set_xlabel('predicted', fontsize=SMALL)
  ax.set_ylabel('true', fontsize=SMALL)
  return ax


def curve(ax, epochs: Sequence[Mapping[str, Any]], metric: str):
  """Draws a metric of training and validation over the epochs.

  Args:
    ax: matplotlib axes.
    epochs: lines of metrics.jsonl.
    metric: 'loss' or 'accuracy'.
  """
  numbers = [line['epoch'] + 1 for line in epochs]
  scale = 100 if metric == 'accuracy' else 1
  for split, colour, style in (
    ('training', ALARM, '--'),
    ('validation', STRONG, '-'),
  ):
    values = [scale * line[f'{split}_{metric}'] for line in epochs]
    ax.plot(numbers, values, style, color=colour, lw=1.2, label=split)
  best = [line['epoch'] + 1 for line in epochs if line['best']]
  if best:
    ax.axvline(best[-1], color=INK, lw=0.8, ls=':', label='best epoch')
  ax.set_xlabel('epoch', fontsize=SMALL)
  ax.set_ylabel(f'{metric}, %' if scale == 100 else metric, fontsize=SMALL)
  ax.tick_params(labelsize=SMALL, length=2.5)
  ax.spines[['top', 'right']].set_visible(False)
  ax.legend(fontsize=SMALL, frameon=False)
  return ax


def style(number: int) -> tuple[str, str]:
  """Returns colour and marker of a run among several."""
  return _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]


def accuracy_curve(
  ax,
  levels: Sequence[float],
  accuracies: Sequence[float],
  intervals: Sequence[tuple[float, float] | None],
  reference: float | None,
  number: int,
  joined: bool = True,
):
  """Draws accuracies in % of a run over levels, of noise for instance.

  Args:
    ax: matplotlib axes.
    levels: where they are on the x axis.
    accuracies: one a level.
    intervals: one a level, as fractions; None draws none.
    reference: accuracy in % to compare with, a dotted line; None for no line.
    number: of the run; see `style`.
    joined: whether the levels are numbers to join by a line.
  """
  colour, marker = style(number)
  line = '-' if joined else ''
  shift = 0 if joined else 0.08 * number
  x = [level + shift for level in levels]
  ax.plot(x, accuracies, marker + line, color=colour, lw=1.2, ms=3.5)
  known = [(at, pair) for at, pair in zip(x, intervals, strict=True) if pair]
  for at, (low, high) in known:
    ax.plot([at, at], [100 * low, 100 * high], color=colour, lw=0.8, alpha=0.6)
  if reference is not None:
    ax.axhline(reference, color=colour, lw=0.8, ls=':')
  ax.tick_params(labelsize=SMALL, length=2.5)
  ax.spines[['top', 'right']].set_visible(False)
  return ax


def heading(ax, text: str):
  """Writes the title of a panel; returns the axes."""
  ax.set_title(text, loc='left', fontsize=NORMAL, pad=4)
  return ax
