"""Accuracy by group of clips: by speaker, and as bin/evaluate --by has left."""

from collections.abc import Mapping
from typing import Any

from avjax.data.splits import natural
from avjax.errors import AvjaxError
from avjax.metrics import groups
from avjax.records import RUN
from avjax.reporting import page, plots, sentences
from avjax.reporting.captioned import Figure, FigureLook
from avjax.reporting.page import Page
from avjax.runs.finished import FinishedRun
from avjax.runs.folder import RESULTS
from avjax.runs.results import GroupScores, Results

SPEAKER, _LABEL = 'speaker', 'label'
_MOST = 24  # groups in a figure
_ROW, _TOP, _AXIS, _RIGHT = 0.19, 0.1, 0.45, 0.62
_NAMES = 0.9  # inches
_EVALUATIONS = 'evaluation-*'

Scores = Mapping[str, GroupScores]


def by_speaker(run: FinishedRun) -> dict[str, GroupScores]:
  """Returns speaker -> scores of the shown clips; {} unless all are known."""
  shown, speakers = run.predictions[run.shown_split], run.speakers
  if not all(clip in speakers for clip in shown.clips):
    return {}
  own = [speakers[clip] for clip in shown.clips]
  names = sorted({*own}, key=natural)
  if len(names) < 2:
    return {}
  made: Any = groups.scores(own, names, shown.probabilities, shown.label, own)
  return made


def evaluated(run: FinishedRun) -> tuple[dict[str, Scores], list[str]]:
  """Returns title -> scores of groups, and what cannot be read.

  They are in the evaluations in the run's folder; speakers and labels are left
  out, which the report has by itself. A title names the evaluation, unless it
  is that of the run's own shown clips.
  """
  own = f'evaluation-own-{run.shown_split}'
  found: dict[str, Scores] = {}
  amiss: list[str] = []
  for folder in sorted(run.folder.glob(_EVALUATIONS)):
    if not (folder / RESULTS).exists():
      continue
    try:
      results = RUN.json(folder / RESULTS, Results)
    except AvjaxError as error:
      amiss.append(str(error))
      continue
    for column, scores in results.get('groups', {}).items():
      if column not in (SPEAKER, _LABEL):
        elsewhere = f' ({folder.name})' if folder.name != own else ''
        found[f'{column}{elsewhere}'] = scores
  return found, amiss


def picture(column: str, scores: Scores, look: FigureLook) -> Figure:
  """Returns the figure of the accuracies of groups.

  Args:
    column: that divides the clips into groups.
    scores: word of the column -> scores.
    look: how it is drawn.
  """
  words = list(scores)
  order = sorted(words, key=lambda word: scores[word]['accuracy'])
  total = sum(one['n'] for one in scores.values())
  accuracy = sum(one['correct'] for one in scores.values()) / total
  shown, which = words, ''
  if len(order) > _MOST:
    half = _MOST // 2
    kept = {*order[:half], *order[-half:]}
    shown = [word for word in words if word in kept]
    which = f' The {half} lowest and the {half} highest of {len(order)}.'
  sheet = Page(look.width)
  sheet.resize(_TOP + _ROW * len(shown) + _AXIS)
  names = [
    sheet.fit(word or '(none)', _NAMES, fontsize=page.SMALL) for word in shown
  ]
  left = 0.15 + max(width for _, width in names)
  ax = sheet.axes(left, _TOP, look.width - left - _RIGHT, _ROW * len(shown))
  each = [scores[word] for word in shown]
  clustered = all('by_speaker_95' in one for one in each)
  bounds = [
    one['by_speaker_95'] if clustered else one['accuracy_interval_95']
    for one in each
  ]
  plots.ranges(ax, [one['accuracy'] for one in each], bounds, accuracy)
  ax.set_yticks(range(len(shown)), [name for name, _ in names])
  for k, one in enumerate(each):
    text = f'{one["correct"]}/{one["n"]}'
    ax.text(103, k, text, va='center', fontsize=plots.CELL, clip_on=False)
  interval = 'bootstrap over speakers' if clustered else 'Wilson interval'
  caption = (
    f'Accuracy by {column}: right/all at the right, with a 95 % {interval};'
    f' dotted: all {total} clips, {100 * accuracy:.1f} %.{which}'
  )
  spoken = '; '.join(
    f'{word or "(none)"} {100 * scores[word]["accuracy"]:.1f} %'
    for word in shown
  )
  numbers = {word: one['accuracy'] for word, one in scores.items()}
  return Figure(
    f'by-{column}', sheet.figure, numbers, caption,
    sentences.groups(column, scores), (), f'Accuracies: {spoken}.',
  )  # fmt: skip
