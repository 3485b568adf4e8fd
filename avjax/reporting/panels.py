"""The panels of a clip's picture: what each shows, and how it is drawn.

Every function that draws takes matplotlib axes that have their place already.
Those on the time axis draw in seconds from the clip's beginning.
"""

from collections.abc import Sequence

import numpy as np

from avjax.clips import FRAME_RATE, SAMPLE_RATE, centre
from avjax.reporting.page import DPI, NORMAL, SMALL
from avjax.shapes import Array, Bool, Float

# Blue and orange differ for every eye, as do the ends of viridis.
STRONG, ALARM, INK = '#0072b2', '#d55e00', '#404040'
_PALE, _FAINT, _MAP = '#b8b8b8', '#f9dcc8', 'viridis'
STRIP = 0.12  # inches: what marks the frames without a face
_THUMBNAILS = 10  # at most
_TALLEST = 1.5  # inches


def thumbnails(length: int) -> list[int]:
  """Returns the frames to show: the middles of equal parts of the clip."""
  count = min(length, _THUMBNAILS)
  return [centre(k, count, length) for k in range(count)]


def thumbnail_size(frames: np.ndarray, width: float) -> tuple[float, float]:
  """Returns width and height of each thumbnail, on a row of this width."""
  length, tall, wide, _ = frames.shape
  cell = 0.95 * width / len(thumbnails(length))
  height = min(cell * tall / wide, _TALLEST)
  return height * wide / tall, height


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


def _parts(length: int, count: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns starts and sizes of at most `count` parts, equal up to one."""
  count = min(length, count)
  edges = np.arange(count + 1) * length // count
  return edges[:-1], np.diff(edges)


def title(axes, text: str) -> None:
  """Writes a panel's title."""
  axes.set_title(text, loc='left', fontsize=NORMAL, pad=5)


def picture(
  axes,
  frames: np.ndarray | None,
  found: Bool[Array, ' T'] | None,
  seconds: float,
) -> None:
  """Draws thumbnails, and a hatched strip where no face was found.

  Args:
    axes: where to; the height has room for the strip if it is needed.
    frames: (T, height, width, 3), or None for the strip alone.
    found: where a face was found, if faces were looked for.
    seconds: what the width of the axes stands for.
  """
  title(axes, 'Picture')
  axes.set_yticks([])
  axes.spines[:].set_visible(False)
  width, height = axes.bbox.width / DPI, axes.bbox.height / DPI
  low = 0.0
  if found is not None and not found.all():
    low = STRIP
    _faceless(axes, found)
  if frames is not None:
    wide, tall = thumbnail_size(frames, width)
    half = wide / 2 * seconds / width
    chosen = thumbnails(len(frames))
    part = len(frames) / FRAME_RATE / len(chosen)
    for k, t in enumerate(chosen):
      # In the middle of its part, which is within half a frame of its time.
      middle = (k + 0.5) * part
      box = middle - half, middle + half, low, low + tall
      dim = found is not None and not found[t]
      alpha = 0.5 if dim else 1
      axes.imshow(frames[t], extent=box, aspect='auto', alpha=alpha)
  axes.set_ylim(0, height)  # in inches, after the images, which set it too


def _faceless(axes, found: Bool[Array, ' T']) -> None:
  """Draws the hatched strip, and says what it is."""
  times = np.arange(len(found) + 1) / FRAME_RATE
  high = np.where(np.append(found, True), 0.02, STRIP - 0.02)
  font = {'fc': _FAINT, 'ec': ALARM, 'hatch': '//////', 'lw': 0}
  axes.fill_between(times, 0.02, high, step='post', **font)
  text = f'hatched: no face in {(~found).sum()} of {len(found)} frames'
  axes.set_title(text, loc='right', fontsize=SMALL, color=ALARM, pad=5)


def sound(axes, waveform: Float[Array, ' n']) -> None:
  """Draws the waveform's extremes, a part a pixel."""
  title(axes, 'Sound')
  times, low, high = envelope(waveform, int(axes.bbox.width))
  axes.fill_between(times, low, high, color=INK, lw=0.6)
  axes.spines[['top', 'right']].set_visible(False)
  peak = max(high.max(), -low.min()) or 1
  axes.set_ylim(-1.05 * peak, 1.05 * peak)
  ends = f'\N{MINUS SIGN}{peak:.2g}', '0', f'{peak:.2g}'
  axes.set_yticks([-peak, 0, peak], ends)


def attention(
  axes, maps: Float[Array, 'N T'], names: Sequence[str], winner: int
):
  """Returns the image of the attention; 1 is that of a uniform map."""
  title(axes, 'Perception attention over uniform')
  over = pooled(maps * maps.shape[1], int(axes.bbox.width))
  image = _map(axes, over, maps.shape[1], max(2.0, float(over.max())))
  _name_rows(axes, names, winner)
  return image


def alignment(axes, weights: Float[Array, 'T W']):
  """Returns the image of the alignment; later audio is further up."""
  title(axes, "Alignment weights around each frame's centre")
  frames, places = weights.shape
  shares = pooled(weights.T, int(axes.bbox.width))
  image = _map(axes, shares, frames, max(2 / places, float(shares.max())))
  axes.invert_yaxis()
  step = -(-places // 8)  # at most eight have a label, p_t always
  shown = [k for k in range(places) if (k - places // 2) % step == 0]
  offsets = [
    f'{k - places // 2:+d}' if k != places // 2 else '0' for k in shown
  ]
  axes.set_yticks(shown, [x.replace('-', '\N{MINUS SIGN}') for x in offsets])
  axes.set_ylabel('audio frame', fontsize=SMALL, labelpad=1)
  return image


def _map(axes, values: Float[Array, 'R M'], frames: int, high: float):
  """Returns an image of the values, the first row at the top."""
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
    axes.axhline(k - 0.5, color='white', lw=min(0.8, 8 / rows))
  return image


def _name_rows(axes, names: Sequence[str], winner: int) -> None:
  """Writes the emotions at the left, the most probable one in bold."""
  axes.set_yticks(range(len(names)), names, parse_math=False)
  axes.tick_params('y', labelsize=NORMAL, length=0)
  axes.get_yticklabels()[winner].set_fontweight('bold')


def colour_bar(image, axes) -> None:
  """Draws the colours of an image, and beside them what their ends mean."""
  bar = image.figure.colorbar(image, cax=axes, orientation='horizontal')
  bar.set_ticks([])
  bar.outline.set_visible(False)
  font = {'fontsize': SMALL, 'va': 'center', 'transform': axes.transAxes}
  axes.text(-0.03, 0.4, '0', ha='right', **font)
  high = image.norm.vmax
  text = f'{high:.0f}' if high >= 10 else f'{high:.2g}'
  axes.text(1.03, 0.4, text, ha='left', **font)


def bars(
  axes, probabilities: Float[Array, ' N'], names: Sequence[str] | None
) -> None:
  """Draws the probabilities; without names, in the rows of the attention."""
  title(axes, 'Probability')
  winner = int(np.argmax(probabilities))
  rows = np.arange(len(probabilities))
  colours = [STRONG if k == winner else _PALE for k in rows]
  axes.barh(rows, probabilities, 0.7, color=colours)
  for k, share in enumerate(probabilities):
    weight = 'bold' if k == winner else 'normal'
    font = {'fontsize': NORMAL, 'fontweight': weight, 'va': 'center'}
    axes.text(share + 0.03, k, f'{100 * share:.0f} %', **font)
  axes.spines[['right', 'top', 'bottom']].set_visible(False)
  axes.set_xlim(0, 1.3)
  axes.set_ylim(len(rows) - 0.5, -0.5)
  axes.set_xticks([])
  axes.set_yticks([])
  if names:
    _name_rows(axes, names, winner)
