"""The panels of the paper's figures: each draws on axes, and returns them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.metrics.classification import row_percentages
from avjax.reporting.page import NORMAL, SMALL
from avjax.reporting.panels import ALARM, INK, STRONG
from avjax.shapes import Array, Float, Int

CELL = 7  # points, of the numbers in a confusion matrix
# Okabe and Ito's colours, which differ for every eye, and as many markers.
_COLOURS = (
  '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#404040',
)  # fmt: skip
_MARKERS = 'osD^vP*'


def alignment_map(ax, weights: Float[Array, 'T W']):
  """Draws Figure 2: a place of the window a row, each row's largest weight 1.

  Args:
    ax: axes.
    weights: l_t of one clip.
  """
  frames, places = weights.shape
  largest = np.maximum(np.max(weights, axis=0, keepdims=True), 1e-30)
  _map(ax, np.asarray(weights / largest).T, frames)
  ax.invert_yaxis()  # later audio is further up
  offsets = [f'{k - places // 2:+d}' for k in range(places)]
  offsets[places // 2] = '0'
  offsets = [text.replace('-', '\N{MINUS SIGN}') for text in offsets]
  step = -(-places // 8)
  ax.set_yticks(range(0, places, step), offsets[::step])
  ax.set_ylabel('place', fontsize=SMALL)
  return ax


def attention_map(ax, maps: Float[Array, 'N T'], names: Sequence[str]):
  """Draws Figure 3: an emotion a row, each row's largest attention 1."""
  largest = np.max(maps, axis=1, keepdims=True)
  _map(ax, np.asarray(maps / largest), maps.shape[1])
  ax.set_yticks(range(len(names)), names, parse_math=False)
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
  """Draws Figure 4: from where each embedding began to where it ended."""
  for k, name in enumerate(names):
    colour = _COLOURS[k % len(_COLOURS)]
    marker = _MARKERS[(k + k // len(_COLOURS)) % len(_MARKERS)]
    font = {'marker': marker, 'color': colour, 'linestyle': '', 'ms': 5}
    ax.plot(*before[k], markerfacecolor='none', **font)
    ax.plot(*after[k], label=name, **font)
    line = {'arrowstyle': '-', 'color': colour, 'lw': 0.8}
    ax.annotate('', after[k], before[k], arrowprops=line)
  ax.legend(
    loc='upper left', bbox_to_anchor=(1.0, 1.04), fontsize=SMALL,
    frameon=False, handletextpad=0.2, borderaxespad=0.3,
  )  # fmt: skip
  ax.set_xlabel('first component', fontsize=SMALL)
  ax.set_ylabel('second component', fontsize=SMALL, labelpad=1)
  ax.tick_params(labelsize=SMALL, length=2.5)
  ax.margins(0.12)
  return ax


def confusion_matrix(ax, counts: Int[Array, 'N N'], names: Sequence[str]):
  """Draws Figure 5: percent of each true emotion, which are the rows."""
  percent = row_percentages(counts)
  ax.imshow(percent, cmap='Blues', vmin=0, vmax=100, aspect='auto')
  for row, column in np.ndindex(percent.shape):
    value = percent[row, column]
    colour = 'white' if value > 55 else INK
    font = {'ha': 'center', 'va': 'center', 'fontsize': CELL, 'color': colour}
    text = f'{value:.1f}' if value < 99.95 else '100'
    ax.text(column, row, text, **font)
  places = range(len(names))
  slanted = {'rotation': 45, 'ha': 'right', 'rotation_mode': 'anchor'}
  ax.set_xticks(places, names, parse_math=False, **slanted)
  ax.set_yticks(places, names, parse_math=False)
  ax.tick_params(labelsize=SMALL, length=0)
  ax.set_xlabel('predicted', fontsize=SMALL)
  ax.set_ylabel('true', fontsize=SMALL)
  return ax


def curve(ax, epochs: Sequence[Mapping[str, Any]], what: str):
  """Draws 'loss' or 'accuracy' of training and validation over the epochs."""
  at = [line['epoch'] + 1 for line in epochs]
  scale = 100 if what == 'accuracy' else 1
  for part, colour, style in (
    ('training', ALARM, '--'),
    ('validation', STRONG, '-'),
  ):
    values = [scale * line[f'{part}_{what}'] for line in epochs]
    ax.plot(at, values, style, color=colour, lw=1.2, label=part)
  best = [line['epoch'] + 1 for line in epochs if line['best']]
  if best:
    ax.axvline(best[-1], color=INK, lw=0.8, ls=':', label='best epoch')
  ax.set_xlabel('epoch', fontsize=SMALL)
  ax.set_ylabel(f'{what}, %' if scale == 100 else what, fontsize=SMALL)
  ax.tick_params(labelsize=SMALL, length=2.5)
  ax.spines[['top', 'right']].set_visible(False)
  ax.legend(fontsize=SMALL, frameon=False)
  return ax


def heading(ax, text: str):
  """Writes a panel's title."""
  ax.set_title(text, loc='left', fontsize=NORMAL, pad=4, parse_math=False)
  return ax
