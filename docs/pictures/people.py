"""Draws the accuracy of runs on each person who was tested.

  python docs/pictures/people.py runs/linear-none runs/linear-speaker

Writes people.png beside this file: a line a person, a dot a run.
"""

import pathlib
import sys
from collections import defaultdict

import matplotlib.figure
import numpy as np

from avjax.reporting.panels import ALARM, INK, STRONG
from avjax.runs import finished

HERE = pathlib.Path(__file__).parent


def accuracies(run):
  """Returns person -> percent right of the tested clips."""
  right = defaultdict(list)
  tested = run.predictions['test']
  for clip, one in zip(tested.clips, tested.right, strict=True):
    right[run.speakers[clip]].append(one)
  return {name: 100 * np.mean(each) for name, each in right.items()}


def main():
  """Writes the picture."""
  runs = finished.load_all(sys.argv[1:])
  values = [accuracies(run) for run in runs]
  names = sorted(values[-1], key=values[-1].get)
  height = 0.7 + 0.2 * len(names)
  figure = matplotlib.figure.Figure(
    (6.4, height), dpi=150, facecolor='white', layout='constrained'
  )
  ax = figure.subplots()
  each = np.array([[value[name] for name in names] for value in values])
  ax.hlines(range(len(names)), each.min(0), each.max(0), color='#b8b8b8')
  colours = (ALARM, STRONG, INK)
  for run, value, colour in zip(runs, each, colours, strict=False):
    label = pathlib.Path(run.folder).name
    ax.plot(value, range(len(names)), 'o', color=colour, label=label)
  ax.set_yticks(range(len(names)), names, fontsize=8)
  ax.set_xlabel('right, % of the clips of a person', fontsize=9)
  ax.spines[['top', 'right']].set_visible(False)
  figure.legend(loc='outside upper left', ncols=3, fontsize=8, frameon=False)
  figure.savefig(HERE / 'people.png')


if __name__ == '__main__':
  main()
