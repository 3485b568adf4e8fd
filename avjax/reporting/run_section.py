"""The section of a run on a page: what was found, figures, groups, clips."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from avjax.errors import AvjaxError
from avjax.reporting import (
  calibration,
  captioned,
  clip_browser,
  figures,
  group_accuracy,
  plots,
  sentences,
)
from avjax.reporting.captioned import Figure, FigureLook
from avjax.reporting.page import SMALL, Page
from avjax.runs.finished import FinishedRun, Group
from avjax.runs.results import EpochLine

_HEIGHT = 1.25  # inches, of a panel of the curves


def section(group: Group, clips: int, number: int) -> tuple[str, str]:
  """Returns the content of the section of a group, and what is amiss.

  Figures and clips are those of its first run. What is amiss is why clips and
  maps cannot be shown, or '': a run of several folds and an ensemble have none
  of their own.

  Args:
    group: runs that differ in their seed.
    clips: the largest number of clips.
    number: of the group on the page, for ids.
  """
  run, amiss = group.first, ''
  parts = [_found(run, len(group.runs))]
  try:
    study = figures.make_study(run)
  except AvjaxError as error:
    study = None
    joint = run.config.data.several or run.members > 1
    amiss = '' if joint else str(error)
    why = html.escape(str(error))
    parts.append(f'<p>Clips and maps of this run cannot be shown: {why}.</p>\n')
  made: list[Figure] = []
  if study is not None:
    made = figures.make_figures(study)
  elif run.shown_split in run.predictions:
    made = [figures.figure_5(run), calibration.reliability(run)]
  parts.append(shown(made))
  if run.shown_split in run.predictions:
    parts.append(_groups(run))
  if run.metrics:
    parts.append('<h3>Training</h3>\n' + shown([training(run.metrics)]))
  if study is not None:
    parts.append(clip_browser.browser(study, clips, number))
  return ''.join(parts), amiss


def shown(made: Sequence[Figure]) -> str:
  """Returns figures beside one another, each with its caption."""
  texts = [
    clip_browser.figure(one.figure, one.heard, _caption(one), one.result)
    for one in made
  ]
  return f'<div class="figures">{"".join(texts)}</div>\n' if texts else ''


def _caption(one: Figure) -> str:
  """Returns what a figure shows, after its number in the paper."""
  kind, _, number = one.name.partition('-')
  name = f'Figure {number}. ' if kind == 'figure' else ''
  return f'{name}{one.caption}'


def _found(run: FinishedRun, several: int) -> str:
  """Returns the data of a run, the first of several, and what was found."""
  parts = []
  for title, texts in (
    ('Warning', run.warnings),
    ('Split audit', run.audit),
  ):
    lines = ''.join(f'<li>{html.escape(line)}</li>' for line in texts)
    if lines:
      parts.append(
        f'<div class="found"><p>{title}:</p><ul>{lines}</ul></div>\n'
      )
  data = run.config.data
  seeds = ', '.join(map(str, run.seeds))
  text = f'{data.store}, protocol {data.protocol}, {run.stamp}, seed {seeds}'
  if several > 1:
    text += f', whose figures these are, the first of {several}'
  text += '.'
  return f'<p>{html.escape(text)}</p>\n{"".join(parts)}'


def _groups(run: FinishedRun) -> str:
  """Returns the accuracies by group; '' where none are known."""
  made, parts = [], []
  if scores := group_accuracy.by_speaker(run):
    made.append(
      group_accuracy.picture(group_accuracy.SPEAKER, scores, FigureLook())
    )
  found, amiss = group_accuracy.evaluated(run)
  made += [
    group_accuracy.picture(title, scores, FigureLook())
    for title, scores in found.items()
  ]
  parts = [
    f'<p>An evaluation cannot be shown: {html.escape(why)}.</p>\n'
    for why in amiss
  ]
  if not made and not parts:
    return ''
  return f'<h3>By group</h3>\n{"".join(parts)}{shown(made)}'


def training(histories: Mapping[str, Sequence[EpochLine]]) -> Figure:
  """Returns the figure of loss and accuracy over the epochs.

  Args:
    histories: fold, seed or member, or '' -> lines of metrics.jsonl.
  """
  sheet = Page(captioned.WIDTH)
  sheet.resize(0.1 + 2 * (_HEIGHT + 0.42))
  several = len(histories) > 1
  y = 0.08
  for metric in ('loss', 'accuracy'):
    ax = sheet.axes(0.6, y, captioned.WIDTH - 0.75, _HEIGHT)
    for epochs in histories.values():
      plots.curve(ax, epochs, metric, several)
    y += _HEIGHT + 0.42
  if not several:
    ax.legend(fontsize=SMALL, frameon=False)  # below curves that rise
  which = f' of {len(histories)} trainings' if several else ''
  best = '' if several else '; dotted: the best epoch'
  caption = (
    f'Loss and accuracy{which} over the epochs: training dashed, validation'
    f' solid{best}. A widening gap indicates overfitting.'
  )
  numbers: dict[str, Any] = {}
  return Figure(
    'training', sheet.figure, numbers, caption, sentences.training(histories)
  )
