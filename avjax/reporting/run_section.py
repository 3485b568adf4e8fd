"""The section of a run on a page: what was found, figures, groups, clips."""

import html
import pathlib
from collections.abc import Collection, Sequence
from typing import Any

from avjax.errors import AvjaxError, CheckpointError
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
from avjax.runs import finished
from avjax.runs.finished import FinishedRun, Group

_HEIGHT = 1.25  # inches, of a panel of the curves
_CHANGE_CLIPS = (
  'time_mask', 'modality_dropout', 'noise', 'offset', 'mixup',
  'speaker_exchange',
)  # fmt: skip


def section(
  group: Group, clips: int, number: int, said: Collection[str] = ()
) -> tuple[str, str]:
  """Returns the content of the section of a group, and what is amiss.

  Figures and clips are those of its first run; of a run of several folds, maps
  and clips are those of its first fold. What is amiss is why they cannot be
  shown, or '': an ensemble has none of its own.

  Args:
    group: runs that differ in their seed.
    clips: the largest number of clips.
    number: of the group on the page, for ids.
    said: findings of audits that stand elsewhere on the page.
  """
  run, amiss = group.first, ''
  parts = [_found(run, len(group.runs), said)]
  study = None
  if run.members > 1:
    parts.append(
      '<p>An average of several seeds has no maps of its own: see those of a'
      ' single seed.</p>\n'
    )
  else:
    try:
      study = _study(run)
    except AvjaxError as error:
      amiss = str(error)
      why = html.escape(amiss)
      parts.append(
        f'<p>Clips and maps of this run cannot be shown: {why}.</p>\n'
      )
  made: list[Figure] = []
  if study is not None:
    if study.run is not run:
      parts.append(f'<p>{_of_a_fold(study, run)}</p>\n')
    made += figures.maps_of(study)
  if run.shown_split in run.predictions:
    made += [figures.figure_5(run), calibration.reliability(run)]
  parts.append(shown(made))
  if run.shown_split in run.predictions:
    parts.append(_groups(run))
  if run.metrics:
    parts.append('<h3>Training</h3>\n' + shown([training(run)]))
  if study is not None:
    parts.append(clip_browser.browser(study, clips, number))
  return ''.join(parts), amiss


def _study(run: FinishedRun) -> figures.Study:
  """Returns the study of a run; of several folds, that of the first there is.

  Raises:
    AvjaxError: no fold can be opened; the first one's error.
  """
  if not run.config.data.several:
    return figures.make_study(run)
  failed = None
  for folder in sorted(run.folder.glob('fold-*'), key=_number):
    try:
      return figures.make_study(finished.load(folder))
    except AvjaxError as error:
      failed = failed or error
  raise failed or CheckpointError(f'{run.folder} has no folder of a fold')


def _number(folder: pathlib.Path) -> int:
  return int(folder.name.partition('-')[2])


def _of_a_fold(study: figures.Study, run: FinishedRun) -> str:
  """Returns whose the maps and clips are."""
  total = len(run.predictions[run.shown_split].clips)
  text = (
    f'Maps and clips below are of {study.run.folder.name}, which has tested'
    f' {len(study.clips)} of the {total} clips; all other figures are of all'
    ' folds together.'
  )
  return html.escape(text)


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
  name = f'As Figure {number} of the paper. ' if kind == 'figure' else ''
  return f'{name}{one.caption}'


def _found(run: FinishedRun, several: int, said: Collection[str]) -> str:
  """Returns the data of a run, the first of several, and what was found."""
  own = [text for text in run.audit if text not in said]
  found = box('Warning', run.warnings) + box('Split audit', own)
  data = run.config.data
  word = 'seeds' if run.members > 1 else 'seed'
  seeds = f'{word} {", ".join(map(str, run.seeds))}'
  text = f'{data.store}, protocol {data.protocol}, {run.stamp}, {seeds}.'
  if several > 1:
    share = ''
    if run.shown_split in run.predictions:
      right = run.predictions[run.shown_split].right
      share = f' ({100 * right.mean():.1f} %)'
    text += f' Pictures below are of {seeds}{share}, the first of {several}.'
  return f'<p>{html.escape(text)}</p>\n{found}'


def box(title: str, texts: Sequence[str]) -> str:
  """Returns what a reader must know, in a box; '' for nothing."""
  lines = ''.join(f'<li>{html.escape(text)}</li>' for text in texts)
  if not lines:
    return ''
  return f'<div class="found"><p>{title}:</p><ul>{lines}</ul></div>\n'


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


def training(run: FinishedRun) -> Figure:
  """Returns the figure of loss and accuracy over the epochs of a run."""
  histories = run.metrics
  sheet = Page(captioned.WIDTH)
  sheet.resize(0.1 + 2 * (_HEIGHT + 0.42))
  several = len(histories) > 1
  y = 0.08
  for metric in ('loss', 'accuracy'):
    ax = sheet.axes(0.6, y, captioned.WIDTH - 0.75, _HEIGHT)
    for epochs in histories.values():
      plots.curve(ax, epochs, metric, several)
    y += _HEIGHT + 0.42
  # Below curves that rise; of several trainings, one line of each kind.
  ax.legend(*_first(*ax.get_legend_handles_labels()),
            fontsize=SMALL, frameon=False)  # fmt: skip
  which = f' of {len(histories)} trainings' if several else ''
  best = ', a line each' if several else '; dotted: the best epoch'
  caption = (
    f'Loss and accuracy{which} over the epochs: training dashed, validation'
    f' solid{best}.{_hindered(run)} A network overfits where the loss of'
    ' training falls and that of validation rises.'
  )
  numbers: dict[str, Any] = {}
  return Figure(
    'training', sheet.figure, numbers, caption, sentences.training(histories)
  )


def _hindered(run: FinishedRun) -> str:
  """Returns why the training accuracy is not that of the table."""
  how = ['dropout'] if run.config.model.dropout else []
  given = run.config.training.regularisation
  if any(getattr(given, name) for name in _CHANGE_CLIPS):
    how.append('clips that are masked, mixed or otherwise changed')
  if not how:
    return ''
  return (
    f' Training is measured while training, with {" and ".join(how)}; the table'
    ' of results has the same clips without.'
  )


def _first(lines: Sequence[Any], labels: Sequence[str]) -> tuple[Any, Any]:
  """Returns the first line with each label, and the labels."""
  kept = dict(zip(reversed(labels), reversed(lines), strict=True))
  return [*kept.values()][::-1], [*kept][::-1]
