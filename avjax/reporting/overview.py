"""All rows of a report at a glance: one figure and one sentence."""

import textwrap
from collections.abc import Sequence

import numpy as np

from avjax.metrics import classification
from avjax.reporting import page, plots
from avjax.reporting.captioned import Figure, FigureLook
from avjax.reporting.comparisons import fraction_correct, speaker_bounds
from avjax.reporting.page import Page
from avjax.runs.finished import Group

_ROW, _TOP, _AXIS, _SIDE, _LINE = 0.28, 0.08, 0.42, 0.14, 0.13
_LETTERS = 15  # of an inch of small type


def overview(groups: Sequence[Group], look: FigureLook) -> Figure | None:
  """Returns the accuracies of all groups; None without a labelled test clip."""
  shown = [group for group in groups if fraction_correct(group)]
  if not shown:
    return None
  sheet = Page(look.width)
  width = look.width - 2 * _SIDE
  names = [_wrapped(group.title, width - 0.45) for group in shown]
  row = _ROW + _LINE * max(map(len, names))
  sheet.resize(_TOP + row * len(shown) + _AXIS)
  ax = sheet.axes(_SIDE, _TOP, width, row * len(shown))
  each = [fraction_correct(group) for group in shown]
  shares = [float(np.mean([*one.values()])) for one in each]
  bounds = [_bounds(*pair) for pair in zip(shown, each, strict=True)]
  largest = {_largest(group) for group in shown}
  reference = largest.pop() if len(largest) == 1 else None
  plots.ranges(ax, shares, bounds, reference)
  ax.set_yticks([])
  font = {'va': 'bottom', 'fontsize': page.SMALL, 'linespacing': 1.1}
  for k, (lines, share) in enumerate(zip(names, shares, strict=True)):
    top = k - 0.1 / row  # above the row's point
    ax.text(0, top, '\n'.join(lines), **font)
    ax.text(100, top, f'{100 * share:.1f}', ha='right', **font)
  ax.set_ylim(len(shown) - 0.7, -1 + 0.18)
  caption = (
    'Test accuracy in % of every row, the mean over its seeds, with a 95 %'
    ' bootstrap over speakers (Wilson interval where speakers are unknown).'
  )
  if reference is not None:
    caption += f' Dotted: the largest class, {100 * reference:.1f} %.'
  numbers = dict(zip([g.title for g in shown], shares, strict=True))
  spoken = '; '.join(f'{k}: {100 * v:.1f} %' for k, v in numbers.items())
  return Figure(
    'overview', sheet.figure, numbers, caption,
    _result(shown, each, shares, bounds, reference), (), f'{spoken}.',
  )  # fmt: skip


def _wrapped(title: str, width: float) -> list[str]:
  """Returns the lines of a title that fit into a width in inches."""
  return textwrap.wrap(page.printable(title), int(_LETTERS * width))


def _bounds(
  group: Group, right: dict[str, float]
) -> tuple[float, float] | None:
  """Returns the interval of a group's accuracy; None for unclear seeds."""
  bounds = speaker_bounds(group, right)
  if bounds is None and len(group.runs) == 1:
    correct = round(sum(right.values()))
    bounds = classification.wilson_interval(correct, len(right))
  return bounds


def _largest(group: Group) -> float:
  """Returns the share of the largest class of a group's test clips."""
  counts = group.first.predictions['test'].counts.sum(1)
  return float(counts.max() / counts.sum())


def _result(
  shown: Sequence[Group],
  each: Sequence[dict[str, float]],
  shares: Sequence[float],
  bounds: Sequence[tuple[float, float] | None],
  largest: float | None,
) -> str:
  """Returns which row is the most accurate, and whether it has learnt much."""
  best = int(np.argmax(shares))
  clips = len(each[best])
  ends = bounds[best]
  text = (
    f'Most accurate: {shown[best].title}, {100 * shares[best]:.1f} % of {clips}'
    ' test clips'
  )
  if ends:
    text += f' [{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]'
  if largest is not None and (ends or (shares[best],))[0] <= largest:
    text += ', not clearly more than the largest class'
  if len({frozenset(one) for one in each}) > 1:
    text += '; not all rows have the same clips'
  return f'{text}.'
