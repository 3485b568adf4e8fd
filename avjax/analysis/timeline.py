"""The picture of a predicted clip: what was seen and heard, and what counted.

  picture     some frames, and where no face was found
  sound       the waveform
  attention   f^n of Eq. 10, an emotion a row, over uniform attention
  alignment   l_t of Eq. 4, a place of the window a row

They share one time axis; what a clip lacks is left out. The probabilities
stand at the right, in the rows of the attention where there is any. matplotlib
is used by its objects alone: no figure or setting of the caller's changes.
"""

import dataclasses
import io
import os
import pathlib
import textwrap
from collections.abc import Sequence

import numpy as np

from avjax.clips import FRAME_RATE, SAMPLE_RATE, centre
from avjax.errors import ConfigError
from avjax.shapes import Array, Bool, Float

_DPI = 150
# Inches: of the page, whose height follows from what there is to show.
_WIDTH, _MARGIN, _BARS = 12.0, 0.25, 2.1
_HEAD, _BAND, _FOOT, _LINE = 0.45, 0.36, 0.5, 0.16
# Of the thumbnails, and of the strip that marks frames without a face.
_THUMBNAILS, _TALLEST, _FLATTEST, _STRIP = 10, 1.5, 0.3, 0.12
_SOUND = 0.9
_SMALL, _NORMAL, _LARGE = 8, 9, 13  # points
# Blue and orange differ for every eye, as do the ends of viridis.
_MAP, _INK, _PALE = 'viridis', '#404040', '#b8b8b8'
_STRONG, _ALARM = '#0072b2', '#d55e00'


@dataclasses.dataclass(frozen=True)
class Timeline:
  """What the picture shows of a clip; None leaves a row out.

  Attributes:
    name: of the clip.
    emotions: by name.
    probabilities: of the emotions.
    frames: (T, height, width, 3) uint8 RGB, 25 a second.
    waveform: mono at 16 kHz, in [-1, 1].
    found: where a face was found.
    attention: f^n_t; each row sums to one.
    alignment: l_t, from the earliest place of the window to the latest.
    label: the true emotion, if known.
    notes: what a user should know of the clip.
  """

  name: str
  emotions: tuple[str, ...]
  probabilities: Float[Array, ' N']
  frames: np.ndarray | None = None
  waveform: Float[Array, ' n'] | None = None
  found: Bool[Array, ' T'] | None = None
  attention: Float[Array, 'N T'] | None = None
  alignment: Float[Array, 'T W'] | None = None
  label: str | None = None
  notes: tuple[str, ...] = ()

  @property
  def seconds(self) -> float:
    """How long the clip is; 0 where there is nothing on the time axis."""
    maps = None if self.attention is None else self.attention.T
    visual = (self.frames, self.found, maps, self.alignment)
    lengths = [len(x) / FRAME_RATE for x in visual if x is not None]
    if self.waveform is not None:
      lengths.append(len(self.waveform) / SAMPLE_RATE)
    return max(lengths, default=0)

  @property
  def winner(self) -> int:
    """Index of the most probable emotion."""
    return int(np.argmax(self.probabilities))


def thumbnails(length: int) -> list[int]:
  """Returns the frames to show: the middles of equal parts of the clip."""
  count = min(length, _THUMBNAILS)
  return [centre(k, count, length) for k in range(count)]


def envelope(
  waveform: Float[Array, ' n'], columns: int
) -> tuple[Float[Array, ' M'], Float[Array, ' M'], Float[Array, ' M']]:
  """Returns times in seconds, minima and maxima of at most `columns` parts."""
  starts, sizes = _parts(len(waveform), columns)
  return (
    (starts + sizes / 2) / SAMPLE_RATE,
    np.minimum.reduceat(waveform, starts),
    np.maximum.reduceat(waveform, starts),
  )


def pooled(maps: Float[Array, 'R T'], columns: int) -> Float[Array, 'R M']:
  """Returns the means over at most `columns` parts of the frames.

  matplotlib would drop what has no pixel, or smooth across the rows as well.
  """
  starts, sizes = _parts(maps.shape[1], columns)
  return np.add.reduceat(maps, starts, axis=1) / sizes[None]


def runs(mask: Bool[Array, ' T']) -> list[tuple[int, int]]:
  """Returns start and length of every run of True."""
  edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
  starts, stops = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
  return list(zip(starts.tolist(), (stops - starts).tolist(), strict=True))


def _parts(length: int, count: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns starts and sizes of at most `count` parts, equal up to one."""
  count = min(length, count)
  edges = np.arange(count + 1) * length // count
  return edges[:-1], np.diff(edges)


def draw(timeline: Timeline):
  """Returns the clip's time line as a matplotlib Figure.

  Raises:
    ConfigError: matplotlib is not installed.
  """
  try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
  except ImportError as error:
    raise ConfigError(
      "drawing needs the package matplotlib; pip install 'avjax[figures]'"
    ) from error
  figure = Figure((_WIDTH, 1), _DPI, facecolor='white')
  FigureCanvasAgg(figure)
  page = _Page(figure)
  bold = {'fontsize': _NORMAL, 'fontweight': 'bold'}
  fitted = [page.fit(name, 1.9, **bold) for name in timeline.emotions]
  names, widest = [name for name, _ in fitted], max(w for _, w in fitted) + 0.1
  left, right = _MARGIN + max(widest, 0.7), _WIDTH - _MARGIN - _BARS
  apart = timeline.attention is None  # then the bars need names of their own
  width = right - 0.15 - left - apart * widest
  heights = _heights(timeline, width)
  body = sum(_BAND + height for height in heights.values())
  chart = _rows_height(len(names))
  notes = [
    line
    for note in timeline.notes
    for line in textwrap.wrap(_printable(note), 150, subsequent_indent='    ')
  ]
  below = _HEAD + max(body, _BAND + chart) + _FOOT
  page.resize(below + len(notes) * _LINE + _MARGIN / 2)

  _head(page, timeline, left)
  tops = _stack(page, timeline, names, heights, left, width)
  top = tops.get('attention', _HEAD + _BAND)
  _bars(page.axes(right, top, _BARS, chart), timeline, names if apart else [])
  for k, line in enumerate(notes):
    page.text(left, below + (k + 0.7) * _LINE, line, fontsize=_SMALL)
  return figure


def save(figure, path: str | os.PathLike) -> None:
  """Writes a figure as a PNG, whole or not at all.

  The bytes follow from the picture: no date, no name of a program.

  Raises:
    OSError: the folder is missing, full or closed to us.
  """
  packed = io.BytesIO()
  # Not Figure.savefig, which obeys the caller's settings, such as cropping.
  figure.canvas.print_png(packed, metadata={'Software': None})
  path = pathlib.Path(path)
  # The clip's name and a suffix could be too long for a file.
  part = path.with_name(f'.{os.getpid()}.part')
  try:
    part.write_bytes(packed.getvalue())
    part.replace(path)
  except OSError:
    part.unlink(missing_ok=True)
    raise


class _Page:
  """A figure that is laid out in inches from its upper left corner."""

  def __init__(self, figure):
    self._figure = figure

  def resize(self, height: float) -> None:
    """Sets the height; comes before anything that is to stay."""
    self._figure.set_figheight(height)

  def axes(self, x: float, y: float, width: float, height: float, **options):
    """Returns new axes whose upper left corner is at (x, y)."""
    high = self._figure.get_figheight()
    box = x / _WIDTH, 1 - (y + height) / high, width / _WIDTH, height / high
    return self._figure.add_axes(box, **options)

  def text(self, x: float, y: float, text: str, **font):
    """Returns a new text whose baseline begins at (x, y)."""
    y = 1 - y / self._figure.get_figheight()
    return self._figure.text(x / _WIDTH, y, text, parse_math=False, **font)

  def fit(self, text: str, limit: float, **font) -> tuple[str, float]:
    """Returns the text, its middle left out where it is too wide; its width."""
    text = shown = _printable(text)
    artist, kept = self.text(0, 0, text, **font), len(text)
    while artist.get_window_extent().width > limit * _DPI and kept > 2:
      kept -= max(1, kept // 10)
      shown = text[: kept - kept // 2] + '…' + text[len(text) - kept // 2 :]
      artist.set_text(shown)
    width = artist.get_window_extent().width / _DPI
    artist.remove()
    return shown, width


def _printable(text: str) -> str:
  """Returns the text on one line, with '?' for what the font does not have."""
  from matplotlib import font_manager

  path = font_manager.findfont(font_manager.FontProperties())
  known = font_manager.get_font(path).get_charmap()
  line = ' '.join(text.split())
  return ''.join(c if ord(c) in known else '?' for c in line)


def _head(page: _Page, timeline: Timeline, left: float) -> None:
  """Writes the clip's name, the prediction and, if known, the truth."""
  bold = {'fontsize': _LARGE, 'fontweight': 'bold'}
  edge = _WIDTH - _MARGIN
  predicted = timeline.emotions[timeline.winner]
  share = 100 * timeline.probabilities[timeline.winner]
  name, width = page.fit(predicted, 4, **bold)
  says = f'{name} {share:.0f} %'
  page.text(edge, 0.4, says, ha='right', color=_STRONG, **bold)
  name, _ = page.fit(timeline.name, edge - width - 1 - left, **bold)
  page.text(left, 0.4, name, **bold)
  if timeline.label is not None:
    name, _ = page.fit(timeline.label, 4, fontsize=_NORMAL)
    colour = _INK if timeline.label == predicted else _ALARM
    font = {'ha': 'right', 'fontsize': _NORMAL, 'color': colour}
    page.text(edge, 0.6, f'truth: {name}', **font)


def _rows_height(rows: int) -> float:
  """Returns how high a map or a chart of so many rows is."""
  return max(0.7, 0.22 * rows)


def _heights(timeline: Timeline, width: float) -> dict[str, float]:
  """Returns the rows that there are, from the top, and how high they are."""
  heights = {}
  if timeline.frames is not None:
    _, tall, wide, _ = timeline.frames.shape
    cell = 0.95 * width / len(thumbnails(len(timeline.frames)))
    heights['picture'] = float(np.clip(cell * tall / wide, _FLATTEST, _TALLEST))
  if timeline.found is not None and not timeline.found.all():
    heights['picture'] = heights.get('picture', 0) + _STRIP
  if timeline.waveform is not None:
    heights['sound'] = _SOUND
  if timeline.attention is not None:
    heights['attention'] = _rows_height(len(timeline.attention))
  if timeline.alignment is not None:
    heights['alignment'] = _rows_height(timeline.alignment.shape[1])
  return heights


def _stack(
  page: _Page,
  timeline: Timeline,
  names: Sequence[str],
  heights: dict[str, float],
  left: float,
  width: float,
) -> dict[str, float]:
  """Draws the rows; returns where each begins."""
  tops, panel, y = {}, None, _HEAD
  for row, height in heights.items():
    tops[row] = y = y + _BAND
    panel = page.axes(left, y, width, height, sharex=panel)
    panel.tick_params(labelsize=_SMALL, length=2.5)
    image = _DRAW[row](panel, timeline, names)
    if image is not None:
      _colour_bar(image, page.axes(left + width - 1.5, y - 0.15, 1.5, 0.08))
    panel.set_xlim(0, timeline.seconds)
    last = row == list(heights)[-1]
    panel.tick_params('x', bottom=last, labelbottom=last)
    y += height
  if panel is not None:
    panel.set_xlabel('time, s', fontsize=_SMALL, labelpad=2)
  return tops


def _title(axes, text: str) -> None:
  axes.set_title(text, loc='left', fontsize=_NORMAL, pad=5)


def _picture(axes, timeline: Timeline, names: Sequence[str]) -> None:
  """Draws the thumbnails, and a hatched strip where no face was found."""
  _title(axes, 'Picture')
  axes.set_yticks([])
  axes.spines[['left', 'right', 'top', 'bottom']].set_visible(False)
  inches = axes.bbox.height / _DPI
  found, low = timeline.found, 0.0
  if found is not None and not found.all():
    low = _STRIP
    bands = [(a / FRAME_RATE, n / FRAME_RATE) for a, n in runs(~found)]
    axes.broken_barh(
      bands,
      (0.02, _STRIP - 0.04),
      fc='white',
      ec=_ALARM,
      hatch='//////',
      lw=0.5,
    )
    text = f'hatched: no face in {(~found).sum()} of {len(found)} frames'
    axes.set_title(text, loc='right', fontsize=_SMALL, color=_ALARM, pad=5)
  if timeline.frames is not None:
    second = axes.bbox.width / _DPI / timeline.seconds  # in inches
    chosen = thumbnails(len(timeline.frames))
    _, tall, wide, _ = timeline.frames.shape
    cell = 0.95 * axes.bbox.width / _DPI / len(chosen)
    height = min(inches - low, cell * tall / wide)
    half = height * wide / tall / 2 / second
    for t in chosen:
      middle = (t + 0.5) / FRAME_RATE
      box = middle - half, middle + half, low, low + height
      image = axes.imshow(timeline.frames[t], extent=box, aspect='auto')
      if found is not None and not found[t]:
        image.set_alpha(0.6)
  axes.set_ylim(0, inches)


def _sound(axes, timeline: Timeline, names: Sequence[str]) -> None:
  """Draws the waveform's extremes, a part a pixel."""
  _title(axes, 'Sound')
  times, low, high = envelope(timeline.waveform, int(axes.bbox.width))
  axes.fill_between(times, low, high, color=_INK, lw=0.6)
  peak = max(high.max(), -low.min()) or 1
  axes.set_ylim(-1.05 * peak, 1.05 * peak)
  axes.set_yticks(
    [-peak, 0, peak], [f'\N{MINUS SIGN}{peak:.2g}', '0', f'{peak:.2g}']
  )


def _attention(axes, timeline: Timeline, names: Sequence[str]):
  """Returns the image of the attention; 1 is that of a uniform map."""
  _title(axes, 'Perception attention, times uniform attention')
  frames = timeline.attention.shape[1]
  over = pooled(timeline.attention * frames, int(axes.bbox.width))
  image = _map(axes, over, frames, max(2, over.max()))
  axes.set_yticks(range(len(names)), names, parse_math=False)
  axes.tick_params('y', labelsize=_NORMAL, length=0)
  axes.get_yticklabels()[timeline.winner].set_fontweight('bold')
  return image


def _alignment(axes, timeline: Timeline, names: Sequence[str]):
  """Returns the image of the alignment; later audio is further up."""
  _title(axes, "Alignment: weight of the audio around each frame's centre")
  frames, places = timeline.alignment.shape
  weights = pooled(timeline.alignment.T, int(axes.bbox.width))
  image = _map(axes, weights, frames, max(2 / places, weights.max()))
  axes.invert_yaxis()
  step = -(-places // 8)
  shown = [k for k in range(places) if (k - places // 2) % step == 0]
  axes.set_yticks(shown, [_signed(k - places // 2) for k in shown])
  axes.set_ylabel('audio frame', fontsize=_SMALL, labelpad=1)
  return image


def _signed(number: int) -> str:
  return f'{number:+d}'.replace('-', '\N{MINUS SIGN}') if number else '0'


def _map(axes, values: Float[Array, 'R M'], frames: int, high: float):
  """Returns an image with a row a row of the values, from the top."""
  rows = len(values)
  image = axes.imshow(
    values,
    cmap=_MAP,
    vmin=0,
    vmax=high,
    extent=(0, frames / FRAME_RATE, rows - 0.5, -0.5),
    aspect='auto',
    interpolation='nearest',
  )
  for k in range(1, rows):
    axes.axhline(k - 0.5, color='white', lw=0.8)
  return image


def _colour_bar(image, axes) -> None:
  """Draws the colours of an image, and beside them what their ends mean."""
  bar = image.figure.colorbar(image, cax=axes, orientation='horizontal')
  bar.set_ticks([])
  bar.outline.set_visible(False)
  font = {'fontsize': _SMALL, 'va': 'center', 'transform': axes.transAxes}
  axes.text(-0.03, 0.4, '0', ha='right', **font)
  axes.text(1.03, 0.4, f'{image.norm.vmax:.3g}', ha='left', **font)


def _bars(axes, timeline: Timeline, names: Sequence[str]) -> None:
  """Draws the probabilities, with `names` at their left."""
  _title(axes, 'Probability')
  rows = np.arange(len(timeline.emotions))
  colours = [_STRONG if k == timeline.winner else _PALE for k in rows]
  axes.barh(rows, timeline.probabilities, 0.7, color=colours)
  for k, share in enumerate(timeline.probabilities):
    weight = 'bold' if k == timeline.winner else 'normal'
    text = f'{100 * share:.0f} %'
    font = {'fontsize': _NORMAL, 'fontweight': weight, 'va': 'center'}
    axes.text(share + 0.03, k, text, parse_math=False, **font)
  axes.set_yticks(rows, names or [''] * len(rows), parse_math=False)
  axes.tick_params('both', labelsize=_NORMAL, length=0, labelbottom=False)
  axes.get_yticklabels()[timeline.winner].set_fontweight('bold')
  axes.spines[['right', 'top', 'bottom']].set_visible(False)
  axes.set_xlim(0, 1.3)
  axes.set_ylim(len(rows) - 0.5, -0.5)


_DRAW = {
  'picture': _picture,
  'sound': _sound,
  'attention': _attention,
  'alignment': _alignment,
}
