"""The panels of the time line of a clip.

Every drawing function takes matplotlib axes of their final size. The unit of
the time axis is seconds from the beginning of the clip.
"""

from collections.abc import Sequence

import numpy as np

from avjax.clips import FRAME_RATE, SAMPLE_RATE, centre
from avjax.reporting.page import DPI, NORMAL, SMALL
from avjax.shapes import Array, Bool, Float

# Colour-blind readers can distinguish blue and orange, and viridis.
STRONG, ALARM, INK = '#0072b2', '#d55e00', '#404040'
_PALE, _FAINT, _MAP = '#b8b8b8', '#f9dcc8', 'viridis'
STRIP = 0.12  # height of the strip that marks frames without a face, inches
_THUMBNAILS = 10  # largest number of frames shown
_TALLEST = 1.5  # largest height of a thumbnail, inches


def thumbnails(length: int) -> list[int]:
  """Returns the frames to show: the middles of equal bins of the clip."""
  count = min(length, _THUMBNAILS)
  return [centre(k, count, length) for k in range(count)]


def thumbnail_size(frames: np.ndarray, width: float) -> tuple[float, float]:
  """Returns width and height of a thumbnail in inches.

  Args:
    frames: (K, height, width, 3) to show.
    width: of the row of thumbnails, in inches.
  """
  count, tall, wide, _ = frames.shape
  cell = 0.95 * width / count
  height = min(cell * tall / wide, _TALLEST)
  return height * wide / tall, height


def envelope(
  waveform: Float[Array, ' n'], columns: int
) -> tuple[Float[Array, ' M'], Float[Array, ' M'], Float[Array, ' M']]:
  """Returns the centres in seconds, minima and maxima of bins of a waveform.

  Args:
    waveform: mono at 16 kHz.
    columns: the largest number of bins M.
  """
  starts, sizes = _bins(len(waveform), columns)
  return (
    (starts + sizes / 2) / SAMPLE_RATE,
    np.minimum.reduceat(waveform, starts),
    np.maximum.reduceat(waveform, starts),
  )


def pooled(maps: Float[Array, 'R T'], columns: int) -> Float[Array, 'R M']:
  """Returns the means over bins of the frames.

  matplotlib would omit frames between pixels, or smooth across rows too.

  Args:
    maps: R rows over T frames.
    columns: the largest number of bins M.
  """
  starts, sizes = _bins(maps.shape[1], columns)
  return np.add.reduceat(maps, starts, axis=1) / sizes[None]


def _bins(length: int, count: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns starts and sizes of at most `count` bins, equal up to one."""
  count = min(length, count)
  edges = np.arange(count + 1) * length // count
  return edges[:-1], np.diff(edges)


def title(axes, text: str) -> None:
  """Writes the title of a panel."""
  axes.set_title(text, loc='left', fontsize=NORMAL, pad=5)


def picture(
  axes,
  frames: np.ndarray | None,
  length: int,
  found: Bool[Array, ' T'] | None,
  seconds: float,
) -> None:
  """Draws thumbnails, and a hatched strip where no face was found.

  Args:
    axes: with space for the strip, if there are frames without a face.
    frames: (K, height, width, 3), those of `thumbnails(length)`, or None for
      the strip only.
    length: number of video frames T.
    found: whether a face was found in each frame; None if not searched for.
    seconds: duration that the width of the axes represents.
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
    chosen = thumbnails(length)
    spacing = length / FRAME_RATE / len(chosen)
    for k, (t, frame) in enumerate(zip(chosen, frames, strict=True)):
      # The middle of the bin is within half a frame of the frame's time.
      middle = (k + 0.5) * spacing
      box = middle - half, middle + half, low, low + tall
      dim = found is not None and not found[t]
      alpha = 0.5 if dim else 1
      axes.imshow(frame, extent=box, aspect='auto', alpha=alpha)
  axes.set_ylim(0, height)  # in inches; after imshow, which sets it too


def _faceless(axes, found: Bool[Array, ' T']) -> None:
  """Draws the hatched strip and its legend."""
  times = np.arange(len(found) + 1) / FRAME_RATE
  high = np.where(np.append(found, True), 0.02, STRIP - 0.02)
  font = {'fc': _FAINT, 'ec': ALARM, 'hatch': '//////', 'lw': 0}
  axes.fill_between(times, 0.02, high, step='post', **font)
  text = f'hatched: no face in {(~found).sum()} of {len(found)} frames'
  axes.set_title(text, loc='right', fontsize=SMALL, color=ALARM, pad=5)


def sound(axes, waveform: Float[Array, ' n']) -> None:
  """Draws minimum and maximum of the waveform, one bin per pixel."""
  title(axes, 'Sound')
  times, low, high = envelope(waveform, int(axes.bbox.width))
  axes.fill_between(times, low, high, color=INK, lw=0.6)
  axes.spines[['top', 'right']].set_visible(False)
  peak = max(high.max(), -low.min()) or 1
  axes.set_ylim(-1.05 * peak, 1.05 * peak)
  ends = f'\N{MINUS SIGN}{peak:.2g}', '0', f'{peak:.2g}'
  axes.set_yticks([-peak, 0, peak], ends)


def attention(
  axes, maps: Float[Array, 'N T'], names: Sequence[str], predicted: int
):
  """Draws attention over uniform attention, and returns the image.

  Args:
    axes: of the panel.
    maps: f^n (Eq. 10); 1 / T at every frame is shown as 1.
    names: of the emotions.
    predicted: index of the most probable emotion.
  """
  title(axes, 'Perception attention over uniform')
  over = pooled(maps * maps.shape[1], int(axes.bbox.width))
  image = _map(axes, over, maps.shape[1], max(2.0, float(over.max())))
  _name_rows(axes, names, predicted)
  return image


def alignment(axes, weights: Float[Array, 'T W']):
  """Draws the alignment weights, later audio further up; returns the image.

  Args:
    axes: of the panel.
    weights: l_t (Eq. 4).
  """
  title(axes, "Alignment weights around each frame's centre")
  frames, positions = weights.shape
  shares = pooled(weights.T, int(axes.bbox.width))
  image = _map(axes, shares, frames, max(2 / positions, float(shares.max())))
  axes.invert_yaxis()
  step = -(-positions // 8)  # at most eight labels, one of them at p_t
  shown = [k for k in range(positions) if (k - positions // 2) % step == 0]
  offsets = [
    f'{k - positions // 2:+d}' if k != positions // 2 else '0' for k in shown
  ]
  axes.set_yticks(shown, [x.replace('-', '\N{MINUS SIGN}') for x in offsets])
  axes.set_ylabel('audio frame', fontsize=SMALL, labelpad=1)
  return image


def _map(axes, values: Float[Array, 'R M'], frames: int, high: float):
  """Draws the values, the first row at the top; returns the image."""
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


def _name_rows(axes, names: Sequence[str], predicted: int) -> None:
  """Labels the rows with the emotions, the most probable one in bold."""
  axes.set_yticks(range(len(names)), names)
  axes.tick_params('y', labelsize=NORMAL, length=0)
  axes.get_yticklabels()[predicted].set_fontweight('bold')


def colour_bar(image, axes) -> None:
  """Draws the colour scale of an image, with the values of its ends."""
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
  """Draws the probabilities as bars.

  Args:
    axes: of the panel.
    probabilities: of the emotions.
    names: of the emotions; None beside the attention, which has the names.
  """
  title(axes, 'Probability')
  predicted = int(np.argmax(probabilities))
  rows = np.arange(len(probabilities))
  colours = [STRONG if k == predicted else _PALE for k in rows]
  axes.barh(rows, probabilities, 0.7, color=colours)
  for k, share in enumerate(probabilities):
    weight = 'bold' if k == predicted else 'normal'
    font = {'fontsize': NORMAL, 'fontweight': weight, 'va': 'center'}
    axes.text(share + 0.03, k, f'{100 * share:.0f} %', **font)
  axes.spines[['right', 'top', 'bottom']].set_visible(False)
  axes.set_xlim(0, 1.3)
  axes.set_ylim(len(rows) - 0.5, -0.5)
  axes.set_xticks([])
  axes.set_yticks([])
  if names:
    _name_rows(axes, names, predicted)
