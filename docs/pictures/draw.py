"""Draws pictures of docs/concepts, by avjax's own functions.

  python docs/pictures/draw.py        # beside this file, in seconds

Nothing in them is drawn by hand: windows, weights, frames and folds are those
that the functions return, and the accuracies those of docs/results.md.
"""

import pathlib
import re
from fractions import Fraction

import jax.numpy as jnp
import matplotlib.figure
import numpy as np

import avjax
from avjax.data import protocols
from avjax.features.video_track import VideoTrack
from avjax.kernels.lstm import reference
from avjax.models import alignment
from avjax.reporting.panels import ALARM, INK, STRONG
from avjax.settings import DataConfig

HERE = pathlib.Path(__file__).parent
PALE, FAINT = '#b8b8b8', '#e8e8e8'
SPLIT = {'training': FAINT, 'validation': '#e69f00', 'test': STRONG}


def sheet(rows, height, width=6.4, **options):
  """Returns a figure of stacked axes without a frame above and to the right."""
  figure = matplotlib.figure.Figure(
    (width, height), dpi=150, facecolor='white', layout='constrained'
  )
  axes = figure.subplots(rows, 1, squeeze=False, **options)[:, 0]
  for ax in axes:
    ax.spines[['top', 'right']].set_visible(False)
    ax.tick_params(labelsize=8, length=2.5)
  return figure, axes


def lstm():
  """Draws Eqs. 1-3: what a cell of one unit keeps, and when it lets go."""
  frames = np.arange(40)
  write, clear = (frames == 6) * 1.0, (frames == 28) * 1.0
  w_input = np.zeros((2, 4, 1), np.float32)  # gates i, f, o, g
  w_input[0, :, 0] = 8, 0, 0, 4  # the first input opens the input gate
  w_input[1, 1, 0] = -8  # the second closes the forget gate
  bias = np.array([-4, 5, 2, 0], np.float32)[:, None]
  inputs = np.stack([write, clear], 1)[:, None].astype(np.float32)
  h, c = reference.scan(inputs, w_input, np.zeros((1, 4, 1), 'f4'), bias)
  figure, (above, below) = sheet(2, 2.9, sharex=True)
  above.step(frames, write, STRONG, where='mid', label='input 1: opens gate i')
  above.step(frames, clear, ALARM, where='mid', label='input 2: closes gate f')
  above.set_ylabel('$x_t$')
  below.plot(frames, c[:, 0, 0], INK, label='memory $c_t$')
  below.plot(frames, h[:, 0, 0], STRONG, ls='--', label='state $h_t$')
  below.set(xlabel='frame', ylabel='value')
  for ax in (above, below):
    ax.legend(fontsize=8, frameon=False)
  return figure


def window():
  """Draws Section 2.1: the audio frames that each video frame looks at."""
  frames, audio = 8, 10
  found, exists = alignment.window(4, audio, frames)
  centres = alignment.window_centre(jnp.arange(frames), audio, frames)
  figure, (ax,) = sheet(1, 2.4)
  at = (np.arange(frames) + 0.5) / frames
  heard = (np.arange(audio) + 0.5) / audio
  for t in range(frames):
    for j in np.asarray(found[t])[np.asarray(exists[t])]:
      strong = t in (0, 4)
      ax.plot(
        [at[t], heard[j]], [1, 0], color=ALARM if strong else PALE,
        lw=1.4 if strong else 0.6, zorder=1 + strong,
      )  # fmt: skip
  box = {'s': 230, 'marker': 's', 'zorder': 3}
  ax.scatter(at, np.ones(frames), c=FAINT, edgecolors=INK, **box)
  ax.scatter(heard, np.zeros(audio), c=FAINT, edgecolors=INK, **box)
  ax.scatter(heard[centres[4]], 0, c='#f9dcc8', edgecolors=ALARM, **box)
  for x, y, k in [(x, 1, k) for k, x in enumerate(at)] + [
    (x, 0, k) for k, x in enumerate(heard)
  ]:
    ax.text(x, y, k, ha='center', va='center', fontsize=8, zorder=5)
  ax.set(ylim=(-0.45, 1.3), xlim=(-0.02, 1.02), xticks=[])
  ax.set_yticks([0, 1], ['audio frame j', 'video frame t'], fontsize=8)
  ax.spines[:].set_visible(False)
  name = f'$p_4={int(centres[4])}$'
  ax.text(heard[centres[4]], -0.33, name, ha='center', fontsize=8, color=ALARM)
  return figure


def pooling():
  """Draws Eqs. 7-10: how much of the clip's score comes from each frame."""
  frames = 40
  peak = np.exp(-(((np.arange(frames) - 13) / 4) ** 2))
  late = np.exp(-(((np.arange(frames) - 29) / 3) ** 2))
  selector = np.stack([peak, late], 1).astype(np.float32)
  attention = avjax.attend(
    selector, np.eye(2, dtype=np.float32), 4 * np.eye(2, dtype=np.float32)
  )
  rows = (
    ('last state, Eq. 7', np.eye(frames)[-1], INK),
    ('mean, Eq. 8', np.full(frames, 1 / frames), INK),
    ('attention of emotion 1, Eq. 10', attention[0], STRONG),
    ('attention of emotion 2, Eq. 10', attention[1], ALARM),
  )
  figure, axes = sheet(4, 3.6, sharex=True)
  for ax, (text, weights, colour) in zip(axes, rows, strict=True):
    ax.bar(np.arange(frames), weights, 0.9, color=colour)
    ax.set_ylim(0, 1.05 if weights.max() > 0.9 else 0.3)
    ax.set_title(text, loc='left', fontsize=8, pad=2)
  axes[-1].set_xlabel('video frame')
  figure.supylabel('weight of the frame', fontsize=9)
  return figure


def classify():
  """Draws Eq. 11 as arrays: attention, states, weights and scores."""
  emotions, frames, cells = 7, 24, 12
  random = np.random.default_rng(0)
  rise = np.cumsum(random.normal(size=(frames, cells)), 0)
  states = np.tanh(rise / 4).astype(np.float32)
  middle = np.linspace(3, 20, emotions)[:, None]
  attention = np.exp(-(((np.arange(frames) - middle) / 2) ** 2))
  attention = (attention / attention.sum(1, keepdims=True)).astype(np.float32)
  weights = random.normal(size=(emotions, cells)).astype(np.float32)
  scores = avjax.classify(states, attention, weights, np.zeros(7, np.float32))
  arrays = (
    ('attention $f$\n(N, T)', attention, 'viridis'),
    ('states $h_{av}$\n(T, C)', states, 'PuOr'),
    ('attended\n(N, C)', attention @ states, 'PuOr'),
    ('weights $W$\n(N, C)', weights, 'PuOr'),
    ('scores $s$\n(N)', scores[:, None], 'PuOr'),
  )
  size, left = 0.074, 1  # inches of a cell; cells to the left
  figure = matplotlib.figure.Figure((6.4, 2.4), dpi=150, facecolor='white')
  signs = '', r'$\times$', '=', r'$\cdot$', '='
  for (text, array, colours), sign in zip(arrays, signs, strict=True):
    rows, columns = array.shape
    low = 1 - (0.5 + size * (frames + rows) / 2) / 2.4
    wide, high = size * columns / 6.4, size * rows / 2.4
    place = size * left / 6.4, low, wide, high
    ax = figure.add_axes(place, xticks=[], yticks=[])
    ends = {'vmin': -abs(array).max(), 'vmax': abs(array).max()}
    ax.imshow(array, colours, **(ends if colours == 'PuOr' else {}))
    ax.set_title(text, fontsize=8)
    middle = 1 - (0.5 + size * frames / 2) / 2.4
    sign_at = (left - 2.6) * size / 6.4
    figure.text(sign_at, middle, sign, ha='center', va='center')
    left += columns + 5.2
  return figure


class Pictures:
  """Stands for the canvas of a video: a picture is its own number."""

  def rgb(self, frame):
    """Returns the picture."""
    return frame


class Picture(np.ndarray):
  """A number that has, like a decoded picture, no duration of its own."""

  duration = time_base = None


def clocks():
  """Draws the two time lines of a clip whose camera dropped pictures."""
  stamps = [0, 33, 67, 100, 233, 267, 300, 333, 367]  # milliseconds
  track = VideoTrack(Pictures())
  for number, stamp in enumerate(stamps):
    picture = np.array([number]).view(Picture)
    track.add(picture, Fraction(stamp, 1000), lambda first, _: first)
  while track.waiting:
    track.place(lambda first, _: first)
  track.finish(Fraction(0))
  figure, (ax,) = sheet(1, 2.9)
  for k, picture in enumerate(track.frames):
    number = int(picture[0])
    held = k > 0 and int(track.frames[k - 1][0]) == number
    ax.plot(
      [stamps[number], 40 * k], [3, 2], color=ALARM if held else PALE, lw=1
    )
    ax.text(40 * k, 1.87, number, ha='center', va='top', fontsize=7)
  ax.plot(stamps, [3] * len(stamps), 's', ms=8, color=STRONG)
  ax.plot(40 * np.arange(track.count), [2] * track.count, 's', ms=5, color=INK)
  end = 40 * track.count
  for j in range(-(-16 * end // 512)):
    ax.plot([32 * j - 32, 32 * j + 32], [0.8 + 0.16 * (j % 2)] * 2, INK, lw=1)
    ax.plot(32 * j, 0.8 + 0.16 * (j % 2), 'o', ms=4, color=ALARM)
  for stamp, number in zip(stamps, range(len(stamps)), strict=True):
    ax.text(stamp, 3.2, number, ha='center', fontsize=7)
  names = 'audio frames\n(64 ms, every 32)', 'video frames\n(every 40 ms)'
  ax.set_yticks([0.88, 2, 3], [*names, 'pictures\nas recorded'], fontsize=8)
  ax.set(xlabel='milliseconds', ylim=(0.5, 3.5), xlim=(-20, end + 5))
  ax.spines[:].set_visible(False)
  return figure


def splits():
  """Draws who is where under a split by speaker, and under a random one."""
  speakers, takes = 8, 24
  clips = [
    avjax.Clip(
      name=f'{speaker}-{take}', streams={}, label='ab'[take % 2],
      speaker=f'speaker {speaker}',
    )
    for speaker in range(1, speakers + 1)
    for take in range(takes)
  ]  # fmt: skip
  figure = matplotlib.figure.Figure(
    (6.4, 2.6), dpi=150, facecolor='white', layout='constrained'
  )
  for ax, protocol in zip(
    figure.subplots(1, 2, sharey=True), ('speakers/4', 'random'), strict=True
  ):
    by_split = protocols.split(clips, DataConfig(protocol=protocol), 0)
    split_of = {c.name: name for name, some in by_split.items() for c in some}
    for k, clip in enumerate(clips):
      speaker, take = divmod(k, takes)
      colour = SPLIT[split_of[clip.name]]
      ax.add_patch(
        matplotlib.patches.Rectangle((take, speaker), 0.86, 0.8, color=colour)
      )
    ax.set(xlim=(0, takes), ylim=(speakers, 0), xticks=[])
    ax.set_title(f'protocol {protocol}, first fold', fontsize=9, loc='left')
    ax.set_xlabel('clips', fontsize=8)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
  names = [f'speaker {k + 1}' for k in range(speakers)]
  figure.axes[0].set_yticks(np.arange(speakers) + 0.4, names, fontsize=8)
  figure.legend(
    handles=[
      matplotlib.patches.Patch(color=colour, label=name)
      for name, colour in SPLIT.items()
    ],
    loc='outside lower center', ncols=3, fontsize=8, frameon=False,
  )  # fmt: skip
  return figure


def enrolment():
  """Draws the table of docs/results.md on how many clips of a speaker help."""
  text = (HERE.parent / 'results.md').read_text(encoding='utf-8')
  table = text[text.index('| enrolled clips N') :].split('\n\n')[0]
  heads, _, means, bounds = (
    line.strip('|').split('|')[1:] for line in table.splitlines()
  )
  numbers = [head.strip() for head in heads]
  heights = np.array([float(one) for one in means])
  low, high = np.array([re.findall(r'[\d.]+', one) for one in bounds], float).T
  figure, (ax,) = sheet(1, 2.7)
  error = np.stack([heights - low, high - heights])
  at = np.arange(len(numbers))
  ax.errorbar(at, heights, error, fmt='o', color=STRONG, capsize=3)
  ax.set_xticks(at, [name.replace(' (', '\n(') for name in numbers], fontsize=8)
  ax.set_xlabel('clips of a new speaker, without labels, to standardise by')
  ax.set_ylabel('test accuracy, %')
  ax.grid(axis='y', color=FAINT)
  return figure


def main():
  """Writes the pictures beside this file."""
  for paint in (lstm, window, pooling, classify, clocks, splits, enrolment):
    paint().savefig(HERE / f'{paint.__name__}.png')


if __name__ == '__main__':
  main()
