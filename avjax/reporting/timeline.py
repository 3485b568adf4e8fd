"""The time line of a predicted clip: its picture, sound, attention, alignment.

  picture     some frames, and a mark where no face was found
  sound       the waveform
  attention   f^n of Eq. 10 over uniform attention, one row per emotion
  alignment   l_t of Eq. 4, one row per window position

They share one time axis. A panel is omitted if the clip lacks its data. The
probabilities are at the right, in line with the rows of the attention.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from avjax.clips import FRAME_RATE, SAMPLE_RATE
from avjax.reporting import page as pages
from avjax.reporting import panels
from avjax.reporting.page import Page, save
from avjax.shapes import Array, Bool, Float

__all__ = ['Timeline', 'draw', 'save']

# Inches. The height of the page depends on the panels.
_WIDTH, _MARGIN, _BARS, _NAMES = 12.0, 0.25, 2.1, 1.9
_HEAD, _TITLE, _SOUND, _ROW, _FOOT, _LINE = 0.45, 0.36, 0.9, 0.22, 0.45, 0.16


@dataclasses.dataclass(frozen=True)
class Timeline:
  """The data of the panels; None omits a panel.

  Attributes:
    name: of the clip.
    emotions: their names.
    probabilities: of the emotions.
    frames: (K, height, width, 3) uint8 RGB, of all frames those that
      `panels.thumbnails` names.
    length: number of video frames T, 25 per second.
    waveform: mono at 16 kHz, in [-1, 1].
    found: whether a face was found in each frame.
    attention: f^n_t (Eq. 10); each row sums to one.
    alignment: l_t (Eq. 4), from the earliest window position to the latest.
    label: the true emotion; None if it is not known.
    caveats: what makes the prediction doubtful.
    notes: further remarks on the clip.
  """

  name: str
  emotions: tuple[str, ...]
  probabilities: Float[Array, ' N']
  frames: np.ndarray | None = None
  length: int = 0
  waveform: Float[Array, ' n'] | None = None
  found: Bool[Array, ' T'] | None = None
  attention: Float[Array, 'N T'] | None = None
  alignment: Float[Array, 'T W'] | None = None
  label: str | None = None
  caveats: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()

  @property
  def seconds(self) -> float:
    """Duration of the clip in seconds; 0 without panels on the time axis."""
    maps = None if self.attention is None else self.attention.T
    visual = (self.found, maps, self.alignment)
    lengths = [len(x) / FRAME_RATE for x in visual if x is not None]
    if self.frames is not None:
      lengths.append(self.length / FRAME_RATE)
    if self.waveform is not None:
      lengths.append(len(self.waveform) / SAMPLE_RATE)
    return max(lengths, default=0.0)

  @property
  def predicted(self) -> int:
    """Index of the most probable emotion."""
    return int(np.argmax(self.probabilities))


class _Row(NamedTuple):
  """A panel: its name, its height in inches, the function that draws it."""

  name: str
  height: float
  paint: Callable[[Any], Any]


def draw(timeline: Timeline):
  """Returns the time line of a clip as a matplotlib Figure.

  Raises:
    ConfigError: matplotlib is not installed.
  """
  page = Page(_WIDTH)
  bold = {'fontsize': pages.NORMAL, 'fontweight': 'bold'}
  fitted = [page.fit(name, _NAMES, **bold) for name in timeline.emotions]
  names = [name for name, _ in fitted]
  beside = max(width for _, width in fitted) + 0.1

  # The names are left of the attention, or without it left of the bars.
  apart = timeline.attention is None
  left = _MARGIN + max(0.7, 0 if apart else beside)
  right = _WIDTH - _MARGIN - _BARS
  width = right - 0.15 - left - (beside if apart else 0)
  rows = _rows(timeline, names, width)
  chart = _map_height(len(names))
  body = max(sum(_TITLE + row.height for row in rows), _TITLE + chart)
  notes = pages.wrapped(timeline.notes, _WIDTH - _MARGIN - left)
  # Half the width: the truth is at the right.
  doubts = pages.wrapped(_doubts(timeline), _WIDTH / 2)
  head = _HEAD + len(doubts) * _LINE
  below = head + body + _FOOT
  page.resize(below + len(notes) * _LINE + _MARGIN / 2)

  _head(page, timeline, left)
  font = {'fontsize': pages.SMALL, 'color': panels.ALARM}
  for k, line in enumerate(doubts):
    page.text(left, _HEAD + (k + 0.7) * _LINE, line, **font)
  tops = _stack(page, rows, (left, head, width), timeline.seconds)
  top = tops.get('attention', head + _TITLE)
  bars = page.axes(right, top, _BARS, chart)
  panels.bars(bars, timeline.probabilities, names if apart else None)
  for k, line in enumerate(notes):
    y = below + (k + 0.7) * _LINE
    page.text(left, y, line, fontsize=pages.SMALL)
  return page.figure


def _head(page: Page, timeline: Timeline, left: float) -> None:
  """Writes the name of the clip, the prediction and, if known, the label."""
  bold = {'fontsize': pages.LARGE, 'fontweight': 'bold'}
  edge = _WIDTH - _MARGIN
  predicted = timeline.emotions[timeline.predicted]
  share = 100 * timeline.probabilities[timeline.predicted]
  name, width = page.fit(predicted, 4.0, **bold)
  text = f'{name} {share:.0f} %'
  colour = panels.ALARM if timeline.caveats else panels.STRONG
  page.text(edge, 0.4, text, ha='right', color=colour, **bold)
  name, _ = page.fit(timeline.name, edge - width - 1 - left, **bold)
  page.text(left, 0.4, name, **bold)
  if timeline.label is not None:
    colour = panels.INK if timeline.label == predicted else panels.ALARM
    font = {'ha': 'right', 'fontsize': pages.NORMAL, 'color': colour}
    name, _ = page.fit(timeline.label, _BARS - 0.5, fontsize=pages.NORMAL)
    page.text(edge, 0.6, f'truth: {name}', **font)


def _doubts(timeline: Timeline) -> list[str]:
  """Returns the line below the name of the clip, if there are caveats."""
  return [f'but {", ".join(timeline.caveats)}'] if timeline.caveats else []


def _map_height(rows: int) -> float:
  """Returns the height in inches of a map or chart with this many rows."""
  return max(0.7, _ROW * rows)


def _rows(timeline: Timeline, names: list[str], width: float) -> list[_Row]:
  """Returns the panels of a clip, from the top."""
  frames, found = timeline.frames, timeline.found
  rows, bind = [], functools.partial
  height = 0.0 if frames is None else panels.thumbnail_size(frames, width)[1]
  if found is not None and not found.all():
    height += panels.STRIP
  if height:
    paint = bind(
      panels.picture,
      frames=frames,
      length=timeline.length,
      found=found,
      seconds=timeline.seconds,
    )
    rows.append(_Row('picture', height, paint))
  if timeline.waveform is not None:
    paint = bind(panels.sound, waveform=timeline.waveform)
    rows.append(_Row('sound', _SOUND, paint))
  if timeline.attention is not None:
    paint = bind(
      panels.attention,
      maps=timeline.attention,
      names=names,
      predicted=timeline.predicted,
    )
    rows.append(_Row('attention', _map_height(len(names)), paint))
  if timeline.alignment is not None:
    height = min(_map_height(timeline.alignment.shape[1]), 2.5)
    paint = bind(panels.alignment, weights=timeline.alignment)
    rows.append(_Row('alignment', height, paint))
  return rows


def _stack(
  page: Page,
  rows: list[_Row],
  place: tuple[float, float, float],
  seconds: float,
) -> dict[str, float]:
  """Draws the panels; returns name -> distance from the top in inches.

  Args:
    page: to draw on.
    rows: the panels.
    place: left edge, distance from the top and width of all.
    seconds: duration of the clip.
  """
  left, y, width = place
  tops, axes = {}, None
  for row in rows:
    tops[row.name] = y = y + _TITLE
    axes = page.axes(left, y, width, row.height, sharex=axes)
    axes.tick_params(labelsize=pages.SMALL, length=2.5)
    image = row.paint(axes)
    if image is not None:
      scale = page.axes(left + width - 1.8, y - 0.15, 1.5, 0.08)
      panels.colour_bar(image, scale)
    last = row is rows[-1]
    axes.tick_params('x', bottom=last, labelbottom=last)
    y += row.height
  if axes is not None:
    axes.set_xlim(0, seconds)
    axes.set_xlabel('time, s', fontsize=pages.SMALL, labelpad=2)
  return tops
