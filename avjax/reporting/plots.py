"""Figures 2 to 5 of the paper: each function draws on axes and returns them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.metrics.classification import (
  Reliability,
  row_percentages,
  wilson_interval,
)
from avjax.reporting.page import NORMAL, SMALL, printable
from avjax.reporting.panels import ALARM, INK, STRONG
from avjax.shapes import Array, Float, Int

CELL = 7  # font size of the numbers in a confusion matrix, in points
# Okabe and Ito's colours, which colour-blind readers can distinguish.
_COLOURS = (
  '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#404040',
)  # fmt: skip
_MARKERS = 'osD^vP*'


def alignment_map(ax, weights: Float[Array, 'T W'], high: float | None = None):
  """Draws Figure 2: one row per window position.

  Args:
    ax: matplotlib axes.
    weights: l_t (Eq. 4) of one clip.
    high: the weight of the brightest colour; None scales each row to a maximum
      of 1.
  """
  positions = weights.shape[1]
  _map(ax, np.asarray(weights).T, high)
  ax.invert_yaxis()  # later audio is further up
  offsets = [f'{k - positions // 2:+d}' for k in range(positions)]
  offsets[positions // 2] = '0'
  offsets = [text.replace('-', '\N{MINUS SIGN}') for text in offsets]
  step = -(-positions // 8)
  ax.set_yticks(range(0, positions, step), offsets[::step])
  ax.set_ylabel('position', fontsize=SMALL)
  return ax


def attention_map(
  ax,
  maps: Float[Array, 'N T'],
  names: Sequence[str],
  high: float | None = None,
):
  """Draws Figure 3: one row per emotion, attention over uniform attention.

  Args:
    ax: matplotlib axes.
    maps: f^n (Eq. 10) of the emotions over one clip.
    names: of the emotions.
    high: the value of the brightest colour; None scales each row to a maximum
      of 1.
  """
  _map(ax, over_uniform(maps), high)
  ax.set_yticks(range(len(names)), [printable(name) for name in names])
  return ax


def over_uniform(maps: Float[Array, 'N T']) -> Float[Array, 'N T']:
  """Returns attention over uniform attention, 1 / T at each frame."""
  return np.asarray(maps) * maps.shape[1]


def _map(ax, values: Float[Array, 'R T'], high: float | None) -> None:
  """Draws rows over the frames; see `attention_map`."""
  rows, frames = values.shape
  if high is None:
    values = values / np.maximum(values.max(1, keepdims=True), 1e-30)
    high = 1.0
  extent = (0, frames, rows - 0.5, -0.5)
  ax.imshow(
    values, cmap='viridis', vmin=0, vmax=high, extent=extent, aspect='auto',
    interpolation='nearest',
  )  # fmt: skip
  for k in range(1, rows):
    ax.axhline(k - 0.5, color='white', lw=0.6)
  ax.set_xlabel('video frame', fontsize=SMALL)
  ax.tick_params(labelsize=SMALL, length=2.5)


def colour_bar(image, ax, label: str, orientation: str = 'horizontal'):
  """Draws the colour scale of an image, with a label beside it."""
  from matplotlib.ticker import MaxNLocator

  bar = image.figure.colorbar(image, cax=ax, orientation=orientation)
  bar.ax.tick_params(labelsize=SMALL, length=2.5)
  bar.outline.set_linewidth(0.5)
  count = 3 if orientation == 'vertical' else 5
  bar.locator = MaxNLocator(count, steps=[1, 2, 5, 10])
  bar.set_label(label, fontsize=SMALL, labelpad=1)
  return ax


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


def confusion_matrix(
  ax, counts: Int[Array, 'N N'], names: Sequence[str], decimals: int = 1
):
  """Draws Figure 5: the confusion in percent of each true emotion (row).

  Each cell has the percentage, and below it the number of clips.

  Args:
    ax: matplotlib axes.
    counts: confusion counts; rows are true classes.
    names: of the emotions.
    decimals: of the percentages.
  """
  percent = row_percentages(counts)
  image = ax.imshow(percent, cmap='Blues', vmin=0, vmax=100, aspect='auto')
  for row, column in np.ndindex(percent.shape):
    value, n = percent[row, column], int(counts[row, column])
    share = f'{value:.{decimals}f}' if value < 99.95 else '100'
    text = f'{share}\n{n}' if n else '0'
    font = {'ha': 'center', 'va': 'center', 'fontsize': CELL}
    colour = _legible(image.cmap(image.norm(value)))
    ax.text(column, row, text, color=colour, linespacing=1.0, **font)
  ticks, names = range(len(names)), [printable(name) for name in names]
  slanted = {'rotation': 45, 'ha': 'right', 'rotation_mode': 'anchor'}
  ax.set_xticks(ticks, names, **slanted)
  ax.set_yticks(ticks, names)
  ax.tick_params(labelsize=SMALL, length=0)
  ax.set_xlabel('predicted', fontsize=SMALL)
  ax.set_ylabel('true', fontsize=SMALL)
  return ax


def _legible(colour: Sequence[float]) -> str:
  """Returns black or white, whichever has more contrast with a colour."""
  linear = [
    c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
    for c in colour[:3]
  ]
  luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
  return 'black' if (luminance + 0.05) ** 2 > 1.05 * 0.05 else 'white'


def reliability_diagram(above, below, bins: Reliability):
  """Draws accuracy against confidence, and the clips in each bin.

  Args:
    above: matplotlib axes of the accuracies.
    below: matplotlib axes of the numbers of clips.
    bins: of the clips.
  """
  low, high = 100 * bins.edges[:-1], 100 * bins.edges[1:]
  above.plot([0, 100], [0, 100], color=INK, lw=0.8, ls='--')
  for k in np.flatnonzero(bins.counts):
    n = int(bins.counts[k])
    ends = wilson_interval(round(float(bins.accuracy[k]) * n), n)
    x = 100 * bins.confidence[k]
    above.plot([x, x], [100 * end for end in ends], color=STRONG, lw=0.8)
    above.plot([x], [100 * bins.accuracy[k]], 'o', color=STRONG, ms=4)
    middle = (low[k] + high[k]) / 2
    font = {'ha': 'center', 'va': 'bottom', 'fontsize': CELL, 'rotation': 90}
    below.text(middle, n + 0.05 * bins.counts.max(), str(n), **font)
  below.bar(low, bins.counts, high - low, align='edge', color=STRONG,
            edgecolor='white', lw=0.5)  # fmt: skip
  for ax, label in (above, 'accuracy, %'), (below, 'clips'):
    ax.set_xlim(0, 100)
    ax.set_ylabel(label, fontsize=SMALL)
    ax.tick_params(labelsize=SMALL, length=2.5)
    ax.spines[['top', 'right']].set_visible(False)
  above.set_ylim(0, 100)
  above.tick_params('x', labelbottom=False)
  below.set_ylim(0, 1.75 * bins.counts.max())
  below.set_xlabel('confidence, %', fontsize=SMALL)
  return above


def ranges(
  ax,
  shares: Sequence[float],
  bounds: Sequence[Sequence[float] | None],
  reference: float | None = None,
):
  """Draws accuracies with their intervals, one a row, the first on top.

  Args:
    ax: matplotlib axes.
    shares: accuracies, as fractions.
    bounds: low and high of each; None draws none.
    reference: an accuracy to compare with, a dotted line; None for no line.
  """
  if reference is not None:
    ax.axvline(100 * reference, color=INK, lw=0.8, ls=':')
  for k, (share, ends) in enumerate(zip(shares, bounds, strict=True)):
    if ends:
      ax.plot([100 * end for end in ends], [k, k], color=STRONG, lw=1.2)
    ax.plot([100 * share], [k], 'o', color=STRONG, ms=4)
  ax.set_ylim(len(shares) - 0.5, -0.5)
  ax.set_xlim(0, 100)
  ax.set_xlabel('accuracy, %', fontsize=SMALL)
  ax.tick_params(labelsize=SMALL, length=2.5)
  ax.tick_params('y', length=0)
  ax.grid(axis='x', color='#dddddd', lw=0.5)
  ax.set_axisbelow(True)
  ax.spines[['top', 'right', 'left']].set_visible(False)
  return ax


def curve(
  ax, epochs: Sequence[Mapping[str, Any]], metric: str, several: bool = False
):
  """Draws a metric of training and validation over the epochs.

  Args:
    ax: matplotlib axes.
    epochs: lines of metrics.jsonl.
    metric: 'loss' or 'accuracy'.
    several: whether these are the curves of one training among several, which
      are thinner, and without a mark at the best epoch.
  """
  numbers = [line['epoch'] + 1 for line in epochs]
  scale = 100 if metric == 'accuracy' else 1
  for split, colour, style in (
    ('training', ALARM, '--'),
    ('validation', STRONG, '-'),
  ):
    values = [scale * line[f'{split}_{metric}'] for line in epochs]
    ax.plot(numbers, values, style, color=colour, label=split,
            lw=0.6 if several else 1.2)  # fmt: skip
  best = [line['epoch'] + 1 for line in epochs if line['best']]
  if best and not several:
    ax.axvline(best[-1], color=INK, lw=0.8, ls=':', label='best epoch')
  ax.set_xlabel('epoch', fontsize=SMALL)
  ax.locator_params('x', integer=True)
  ax.set_ylabel(f'{metric}, %' if scale == 100 else metric, fontsize=SMALL)
  ax.tick_params(labelsize=SMALL, length=2.5)
  ax.spines[['top', 'right']].set_visible(False)
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
