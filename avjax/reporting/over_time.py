"""The emotions of a recording over time: one picture of any length.

picture        some frames of the recording, with the numbers of several faces
probability    of every emotion, stacked, at the centre of each window
most probable  the emotion of each window, as a strip
face, sound    share of frames with a face; the level of the sound

Of several faces each has a probability, a strip and its share of frames; those
who are seen longest are drawn.
"""

import dataclasses
import itertools

import numpy as np

from avjax.clips import FRAME_RATE
from avjax.reporting import page as pages
from avjax.reporting import panels
from avjax.reporting.page import Page
from avjax.shapes import Array, Bool, Float

# Inches.
_WIDTH, _MARGIN, _NAMES = 12.0, 0.25, 1.95
_HEAD, _LINE, _TITLE, _FOOT = 0.62, 0.16, 0.30, 0.42
_AREAS, _STRIP, _FACE, _SOUND = 2.4, 0.2, 0.28, 0.5
_SEVERAL = 1.5  # height of the probabilities of each of several faces
_FRAMES = 10  # of the picture
_MOST = 4  # faces that are drawn
_COLOURS = {
  'angry': '#d55e00', 'disgust': '#009e73', 'fear': '#cc79a7',
  'happy': '#f0c142', 'neutral': '#c8c8c8', 'sad': '#0072b2',
  'surprise': '#56b4e9', 'calm': '#8fbfa8', 'fearful': '#cc79a7',
  'surprised': '#56b4e9',
}  # fmt: skip
"""Okabe and Ito's colours, which colour-blind readers can distinguish."""
_OTHERS = ('#7f4f24', '#6a4c93', '#606060', '#9bc53d', '#a0522d', '#3d5a80')
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


@dataclasses.dataclass(frozen=True)
class FaceOverTime:
  """What is recognised in one face over time.

  Attributes:
    name: of the face, such as 'face 1 of 2 (left)'; '' for the only one.
    time: centre of each window, in seconds; those without the face lack.
    probabilities: of the emotions in each window.
    found: whether the face was found in each frame; empty if none was looked
      for.
    boxes: left, top, right and bottom of the face in each of the pictures, as
      shares of its width and height; NaN without the face.
  """

  name: str
  time: Float[Array, ' W']
  probabilities: Float[Array, 'W N']
  found: Bool[Array, ' _']
  boxes: Float[Array, 'K 4']


@dataclasses.dataclass(frozen=True)
class OverTime:
  """The data of the picture; arrays without an entry omit a panel.

  Attributes:
    name: of the recording.
    seconds: its duration.
    emotions: their names.
    window: seconds of a window.
    hop: seconds from one window to the next.
    faces: those with a time line; one at least, which may be nobody's.
    numbers: of the frames in `pictures`, at 25 per second.
    pictures: (K, height, width, 3) uint8 RGB.
    level: largest size of a sample in each frame, 0 to 1.
    audible: share of each frame in which the file has sound.
    caveats: what makes the answer doubtful.
    notes: further remarks.
  """

  name: str
  seconds: float
  emotions: tuple[str, ...]
  window: float
  hop: float
  faces: tuple[FaceOverTime, ...]
  numbers: list[int]
  pictures: np.ndarray
  level: Float[Array, ' T']
  audible: Float[Array, ' T']
  caveats: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()


def draw(data: OverTime):
  """Returns the picture as a matplotlib Figure.

  Raises:
    ConfigError: matplotlib is not installed.
  """
  page = Page(_WIDTH)
  left = _MARGIN + 0.7
  width = _WIDTH - _MARGIN - _NAMES - left
  notes = pages.wrapped(data.notes, _WIDTH - _MARGIN - left)
  doubts = pages.wrapped(
    [f'but {", ".join(data.caveats)}'] if data.caveats else [], width
  )
  chosen, faces = _chosen(data), _longest(data.faces)
  panels_of = _panels(data, chosen, faces, width)
  body = sum(height + _TITLE for _, height, _ in panels_of)
  top = _HEAD + len(doubts) * _LINE
  page.resize(top + body + _FOOT + len(notes) * _LINE + _MARGIN / 2)
  _head(page, data, len(faces), left, doubts)
  axes, y = None, top
  for name, height, face in panels_of:
    y += _TITLE
    axes = page.axes(left, y, width, height, sharex=axes)
    axes.tick_params(labelsize=pages.SMALL, length=2.5)
    if name == 'picture':
      _pictures(axes, data, chosen, faces, width, height)
    elif face is None:
      _sound(axes, data)
    else:
      _PANELS[name](axes, data, face)
      if name == 'areas':
        names = page.axes(left + width + 0.1, y, _NAMES, height)
        _legend(names, data, face, height)
    y += height
    axes.tick_params('x', bottom=False, labelbottom=False)
  assert axes is not None
  axes.tick_params('x', bottom=True, labelbottom=True)
  axes.set_xlim(0, data.seconds)
  ticks = _ticks(data.seconds)
  axes.set_xticks(ticks, [_clock(t, data.seconds) for t in ticks])
  unit = 'h:min:s' if data.seconds >= 3600 else 'min:s'
  axes.set_xlabel(f'time, {unit}', fontsize=pages.SMALL, labelpad=2)
  for k, line in enumerate(notes):
    page.text(left, y + _FOOT + (k + 0.7) * _LINE, line, fontsize=pages.SMALL)
  return page.figure


def _longest(faces: tuple[FaceOverTime, ...]) -> list[FaceOverTime]:
  """Returns the faces that are seen longest, in their order."""
  seen = [np.count_nonzero(face.found) for face in faces]
  longest = np.argsort(np.negative(seen), kind='stable')[:_MOST]
  return [faces[k] for k in sorted(longest.tolist())]


def _panels(
  data: OverTime, chosen: list[int], faces: list[FaceOverTime], width: float
) -> list[tuple[str, float, FaceOverTime | None]]:
  """Returns name, height and face of each panel, from the top."""
  made: list[tuple[str, float, FaceOverTime | None]] = []
  if chosen:
    tall = panels.thumbnail_size(data.pictures[chosen], width)[1]
    made.append(('picture', tall, None))
  for face in faces:
    made.append(('areas', _AREAS if len(faces) == 1 else _SEVERAL, face))
    made.append(('strip', _STRIP, face))
    if len(face.found):
      made.append(('face', _FACE, face))
  if np.any(data.audible):
    made.append(('sound', _SOUND, None))
  return made


def _head(
  page: Page, data: OverTime, shown: int, left: float, doubts: list[str]
) -> None:
  """Writes the name of the recording, the windows and the caveats."""
  bold = {'fontsize': pages.LARGE, 'fontweight': 'bold'}
  name, _ = page.fit(data.name, 6.0, **bold)
  page.text(left, 0.38, name, **bold)
  text = f'windows of {data.window:g} s every {data.hop:g} s'
  if len(data.faces) == 1:
    text = f'{len(data.faces[0].time)} {text}'
  else:
    left_out = '' if shown == len(data.faces) else f', longest {shown} drawn'
    text = f'{len(data.faces)} faces{left_out}, {text}'
  text = f'{_clock(data.seconds, data.seconds)}, {text}'
  edge, small = _WIDTH - _MARGIN, {'fontsize': pages.NORMAL}
  page.text(edge, 0.38, text, ha='right', color=panels.INK, **small)
  font = {'fontsize': pages.SMALL, 'color': panels.ALARM}
  for k, line in enumerate(doubts):
    page.text(left, 0.48 + (k + 0.7) * _LINE, line, **font)


def _chosen(data: OverTime) -> list[int]:
  """Returns which small pictures are nearest to the middles of equal bins."""
  count = min(len(data.numbers), _FRAMES)
  if not count:
    return []
  length = data.seconds * FRAME_RATE
  middles = (np.arange(count) + 0.5) * length / count
  apart = np.abs(np.subtract.outer(middles, np.array(data.numbers)))
  return apart.argmin(axis=1).tolist()


def _pictures(axes, data: OverTime, chosen, faces, width, height) -> None:
  panels.title(axes, 'Picture')
  axes.set_yticks([])
  axes.spines[:].set_visible(False)
  wide, _ = panels.thumbnail_size(data.pictures[chosen], width)
  half = wide / 2 * data.seconds / width
  for k, number in enumerate(chosen):
    middle = (k + 0.5) * data.seconds / len(chosen)
    box = middle - half, middle + half, 0, height
    axes.imshow(data.pictures[number], extent=box, aspect='auto')
    for face in faces if len(data.faces) > 1 else ():
      x, top, right, bottom = face.boxes[number]
      if np.isfinite(x):
        span = middle - half + 2 * half * np.array([x, right])
        low, high = height * (1 - bottom), height * (1 - top)
        corners = span[[0, 1, 1, 0, 0]], [low, low, high, high, low]
        axes.plot(*corners, color='white', lw=0.8)
        _number(axes, (span.mean(), high), face.name.split()[1])
  axes.set_xlim(0, data.seconds)
  axes.set_ylim(0, height)


def _number(axes, place, text: str) -> None:
  """Writes the number of a face above it."""
  box = {'fc': 'white', 'ec': 'none', 'pad': 0.8, 'alpha': 0.85}
  font = {'fontsize': pages.SMALL - 2, 'ha': 'center', 'va': 'bottom'}
  axes.text(*place, text, bbox=box, **font)


def _colour(data: OverTime, k: int) -> str:
  name = data.emotions[k]
  return _COLOURS.get(name, _OTHERS[k % len(_OTHERS)])


def _runs(data: OverTime, face: FaceOverTime) -> list[slice]:
  """Returns which windows follow each other without a gap."""
  breaks = np.flatnonzero(np.diff(face.time) > 1.5 * data.hop) + 1
  edges = [0, *breaks.tolist(), len(face.time)]
  return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _steps(data: OverTime, time: np.ndarray) -> np.ndarray:
  """Returns the edges of what a window stands for: half a hop to each side.

  The only window of a recording stands for all of it.
  """
  half = data.hop / 2
  edges = np.append(time - half, time[-1] + half)
  if data.window + data.hop > data.seconds:
    edges = np.array([0, data.seconds])
  return np.clip(edges, 0, data.seconds)


def _of(face: FaceOverTime, text: str) -> str:
  """Returns the title of a panel, with the face it is of."""
  return f'{face.name.capitalize()}: {text}' if face.name else text.capitalize()


def _areas(axes, data: OverTime, face: FaceOverTime) -> None:
  panels.title(axes, _of(face, 'probability of each emotion'))
  # A step a window, at most one a pixel.
  bins = max(len(face.time) // int(axes.bbox.width), 1)
  for run in _runs(data, face):
    shares = np.asarray(face.probabilities)[run]
    edges = _steps(data, np.asarray(face.time)[run])
    starts = np.arange(0, len(shares), bins)
    sums = np.add.reduceat(shares, starts)
    means = sums / np.diff(np.append(starts, len(shares)))[:, None]
    at = np.append(edges[starts], edges[-1])
    tops = np.cumsum(means, axis=1)
    tops = np.vstack([tops, tops[-1:]])
    low = np.zeros(len(at))
    for k in range(len(data.emotions)):
      font = {'color': _colour(data, k), 'lw': 0, 'step': 'post'}
      axes.fill_between(at, low, tops[:, k], **font)
      low = tops[:, k]
  axes.set_ylim(0, 1)
  axes.set_yticks([0, 0.5, 1], ['0 %', '50 %', '100 %'])
  axes.spines[['top', 'right']].set_visible(False)


def _legend(axes, data: OverTime, face: FaceOverTime, height: float) -> None:
  """Draws the names of the emotions from the top, with their means."""
  axes.set_axis_off()
  axes.set_xlim(0, _NAMES)
  count = len(data.emotions)
  axes.set_ylim(-0.5, count)
  means = np.asarray(face.probabilities).mean(axis=0)
  best = int(means.argmax())
  box = {'width': 0.16, 'height': 0.6, 'lw': 0}
  size = min(pages.NORMAL, 54 * height / count)  # points
  for k, name in enumerate(data.emotions):
    axes.barh(k, box['width'], box['height'], 0.04, color=_colour(data, k))
    weight = 'bold' if k == best else 'normal'
    font = {'fontsize': size, 'va': 'center', 'fontweight': weight}
    text = f'{pages.printable(name)[:16]}  {100 * means[k]:.0f} %'
    axes.text(0.28, k, text, **font)
  axes.text(0.04, count - 0.2, 'mean', fontsize=pages.SMALL, va='center')


def _most(axes, data: OverTime, face: FaceOverTime) -> None:
  panels.title(axes, _of(face, 'most probable'))
  for run in _runs(data, face):
    most = np.asarray(face.probabilities)[run].argmax(axis=1)
    edges = _steps(data, np.asarray(face.time)[run])
    cuts = np.flatnonzero(np.diff(most)) + 1
    starts, ends = np.append(0, cuts), np.append(cuts, len(most))
    for a, b in zip(starts, ends, strict=True):
      colour = _colour(data, int(most[a]))
      axes.axvspan(edges[a], edges[b], color=colour, lw=0)
  axes.set_yticks([])
  axes.set_ylim(0, 1)
  axes.spines[:].set_visible(False)


def _pooled(values: Array, axes) -> tuple[np.ndarray, np.ndarray]:
  """Returns edges in seconds and means of the bins of frames, one a pixel."""
  columns = int(axes.bbox.width)
  rows = np.asarray(values, float)[None]
  means = np.asarray(panels.pooled(rows, columns))[0]
  return np.linspace(0, len(values) / FRAME_RATE, len(means) + 1), means


def _faces(axes, data: OverTime, face: FaceOverTime) -> None:
  share = float(np.mean(face.found))
  what = 'found' if face.name else 'face found'
  panels.title(axes, _of(face, f'{what}, {100 * share:.0f} % of the frames'))
  edges, means = _pooled(face.found, axes)
  means = np.append(means, means[-1])
  axes.fill_between(edges, 0, means, color=panels.STRONG, lw=0, step='post')
  axes.set_ylim(0, 1)
  axes.set_yticks([0, 1], ['0', '1'])
  axes.spines[['top', 'right']].set_visible(False)


def _sound(axes, data: OverTime) -> None:
  share = float(np.mean(data.audible))
  title = f'Level of the sound, of which there is {100 * share:.0f} %'
  panels.title(axes, title)
  edges, means = _pooled(data.level, axes)
  means = np.append(means, means[-1])
  axes.fill_between(edges, 0, means, color=panels.INK, lw=0, step='post')
  silent = _pooled(data.audible, axes)[1] < 0.5
  high = float(means.max()) or 1.0
  where = np.append(silent, silent[-1])
  axes.fill_between(
    edges, 0, 1.05 * high, where=where, step='post', fc='#f9dcc8', lw=0
  )
  axes.set_ylim(0, 1.05 * high)
  axes.set_yticks([0, high], ['0', f'{high:.2g}'])
  axes.spines[['top', 'right']].set_visible(False)


_PANELS = {'areas': _areas, 'strip': _most, 'face': _faces}
"""Panel of a face -> what draws it."""


def _ticks(seconds: float) -> list[float]:
  """Returns round times, at most a dozen."""
  step = next((s for s in _STEPS if seconds / s <= 12), _STEPS[-1])
  return [float(t) for t in np.arange(0, seconds + 1e-6, step)]


def _clock(time: float, whole: float) -> str:
  """Returns a time as min:s, or h:min:s in a recording of an hour or more."""
  minutes, seconds = divmod(round(time), 60)
  if whole < 3600:
    return f'{minutes}:{seconds:02}'
  return f'{minutes // 60}:{minutes % 60:02}:{seconds:02}'
