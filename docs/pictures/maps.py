"""Draws attention and alignment beside the truth of the synthetic corpus.

  python docs/pictures/maps.py runs/proposed runs/hidden

The runs are of configs/proposed.py, the second with
`model.alignment.reads=hidden`. Writes attention.png and alignment.png beside
this file, of the first test clip that both recognise.
"""

import pathlib
import sys

import matplotlib.figure
import numpy as np

from avjax.clips import centre
from avjax.reporting import plots
from avjax.reporting.panels import ALARM
from avjax.runs import evaluation

HERE = pathlib.Path(__file__).parent
FIRST = 40  # clips to look through


def sheet(rows, height):
  """Returns a figure and its axes, one above the other."""
  figure = matplotlib.figure.Figure(
    (6.4, height), dpi=150, facecolor='white', layout='constrained'
  )
  return figure, figure.subplots(rows, 1, squeeze=False, sharex=True)[:, 0]


def attention_of(outcome, k, clip):
  """Returns a figure of every emotion's attention in a clip."""
  figure, (ax,) = sheet(1, 2.2)
  plots.attention_map(ax, outcome.attention[k], outcome.emotions)
  for edge in clip.truth['salient']:
    ax.axvline(edge, color=ALARM, lw=1.4, ls='--')
  ax.set_title(f'{clip.name}: {clip.label}', fontsize=9, loc='left')
  return figure


def alignment_of(outcomes, names, k, clip):
  """Returns a figure of the weights of two runs, the true positions ringed."""
  figure, axes = sheet(len(outcomes), 3.4)
  for ax, outcome, name in zip(axes, outcomes, names, strict=True):
    weights = outcome.alignment[k]
    plots.alignment_map(ax, weights)
    frames, positions = weights.shape
    t, j = np.asarray(clip.truth['events']).T
    at = j - centre(t, frames, clip.audio_length) + positions // 2
    ax.plot(t + 0.5, at, 'o', ms=6, mfc='none', mec=ALARM, mew=1.4)
    ax.set_title(name, fontsize=9, loc='left')
  for ax in axes[:-1]:
    ax.set_xlabel('')
  return figure


def main():
  """Writes both pictures."""
  runs = [evaluation.open_run(pathlib.Path(name)) for name in sys.argv[1:]]
  clips = runs[0].clips('test')[:FIRST]
  outcomes = [run.predict(clips)[0] for run in runs]
  right = [
    all(o.emotions[o.predicted[k]] == clip.label for o in outcomes)
    for k, clip in enumerate(clips)
  ]
  k = int(np.argmax(right))
  names = [
    f'alignment.reads={run.config.model.alignment.reads}' for run in runs
  ]
  attention_of(outcomes[0], k, clips[k]).savefig(HERE / 'attention.png')
  alignment_of(outcomes, names, k, clips[k]).savefig(HERE / 'alignment.png')


if __name__ == '__main__':
  main()
