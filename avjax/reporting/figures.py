"""Figures 2 to 5 of a finished run, with what to see in them."""

import warnings
from collections.abc import Sequence

import numpy as np

from avjax.metrics import classification, maps
from avjax.reporting import calibration, captioned, page, plots, sentences
from avjax.reporting.captioned import AXIS, TOP, Figure, FigureLook
from avjax.reporting.run_study import Study
from avjax.runs.finished import FinishedRun

_LEFT, _RIGHT, _TITLE = 0.78, 0.12, 0.26  # inches
_BAR = 0.5  # height in inches of a colour bar and its text
_FINE = 0.3  # inches, the width of a cell with a decimal
_LARGEST = 4.5  # inches, the largest side of a confusion matrix
_USUAL = FigureLook()


def make_figures(
  study: Study, names: Sequence[str] = (), look: FigureLook = _USUAL
) -> list[Figure]:
  """Returns the figures of a run, without those that its model lacks.

  Args:
    study: the run.
    names: of the clips in Figures 2 and 3; see `Study.chosen`.
    look: how they are drawn.
  """
  return [
    *maps_of(study, names, look),
    figure_5(study.run, look),
    calibration.reliability(study.run, look),
  ]


def maps_of(
  study: Study, names: Sequence[str] = (), look: FigureLook = _USUAL
) -> list[Figure]:
  """Returns Figures 2 to 4, without those that the model lacks."""
  made = []
  chosen = study.chosen(names)
  if any(weights is not None for weights in study.outcome.alignment):
    made.append(figure_2(study, chosen, look))
  if any(attention is not None for attention in study.outcome.attention):
    made.append(figure_3(study, chosen, look))
  if study.embeddings is not None:
    made.append(figure_4(study.run, *study.embeddings, look))
  return made


def figure_2(
  study: Study, chosen: Sequence[int], look: FigureLook = _USUAL
) -> Figure:
  """Returns the alignment weights of some clips; numbers of all clips."""
  weights, clips = _present(study.outcome.alignment), study.clips
  lengths = [clip.audio_length for clip in clips]
  pairs = list(zip(weights, lengths, strict=True))
  offsets = np.array([maps.offset(w, n) for w, n in pairs])
  numbers = {
    'entropy over uniform': float(
      np.nanmean([maps.entropy(*p) for p in pairs])
    ),
    'slope over Ta/T': float(np.nanmean([maps.slope(*p) for p in pairs])),
    'expected place less p_t': float(offsets[:, 0].mean()),
    'its deviation within a clip': float(offsets[:, 1].mean()),
  }
  high = max(float(weights[k].max()) for k in chosen)
  top = None if look.scaled else high
  drawn = _stacked(
    study,
    [(k, 0.62, lambda ax, k=k: plots.alignment_map(ax, weights[k], top))
     for k in chosen],
    look,
    'alignment weight',
  )  # fmt: skip
  caption = (
    'Alignment weights of the audio frames around each video frame: one row for'
    f' each window position, {_scale(look)}. Rows that are even throughout have'
    ' constant weights; weights that follow the content of a clip vary along'
    ' their row.'
  )
  result = f'{_all(study)}: {sentences.alignment(numbers, high)}'
  return Figure('figure-2', drawn, numbers, caption, result, study.run.remarks)


def figure_3(
  study: Study, chosen: Sequence[int], look: FigureLook = _USUAL
) -> Figure:
  """Returns the attention in some clips; the maps' correlation in all clips."""
  names = study.outcome.emotions
  attention = _present(study.outcome.attention)
  mean = _mean([maps.correlation(m) for m in attention])
  upper = mean[np.triu_indices(len(names), 1)]
  numbers = {
    'correlation between emotions': float(np.nanmean(upper)),
    'least': float(np.nanmin(upper)),
    'greatest': float(np.nanmax(upper)),
    'each': mean.tolist(),
  }
  each = [float(plots.over_uniform(one).max()) for one in attention]
  high = max(each[k] for k in chosen)
  top = None if look.scaled else float(high)
  height = max(0.7, 0.15 * len(names))
  drawn = _stacked(
    study,
    [(k, height,
      lambda ax, k=k: plots.attention_map(ax, attention[k], names, top))
     for k in chosen],
    look,
    'attention over uniform attention',
  )  # fmt: skip
  caption = (
    'Perception attention of every emotion (row) over the video frames of a'
    f' clip, {_scale(look)}. Bright frames contribute most to the score of an'
    ' emotion; if the rows look alike, attention does not depend on the'
    ' emotion.'
  )
  places = ' '.join(_brightest(study, k) for k in chosen)
  seen = sentences.TOO_FEW
  if len(each) >= sentences.FEW:
    told = sentences.attention(mean, names, float(np.mean(each)))
    seen = f'{_all(study)}: {told}'
  result = f'{places} {seen}'
  return Figure('figure-3', drawn, numbers, caption, result, study.run.remarks)


def _mean(matrices: Sequence[np.ndarray]) -> np.ndarray:
  """Returns the mean without the clips whose maps do not vary."""
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', RuntimeWarning)  # of no clip at all
    return np.nanmean(matrices, axis=0)


def _brightest(study: Study, k: int) -> str:
  """Returns where the predicted emotion of a clip has most attention."""
  own = study.outcome.attention[k]
  assert own is not None
  row = plots.over_uniform(own)[study.outcome.predicted[k]]
  where = f'In {study.clips[k].name}, attention for {study.predicted(k)} is'
  if row.max() < sentences.FLAT:
    return f'{where} nearly uniform.'
  return (
    f'{where} greatest at frame {int(row.argmax()) + 1} of {len(row)},'
    f' {row.max():.1f} times uniform.'
  )


def _all(study: Study) -> str:
  return f'Over all {len(study.clips)} {study.run.shown_split} clips'


def _scale(look: FigureLook) -> str:
  """Returns how the colours of a figure's rows compare."""
  if look.scaled:
    return 'each scaled to its own maximum of 1'
  return 'all on one scale, that of the bar'


def figure_4(
  run: FinishedRun,
  before: np.ndarray,
  after: np.ndarray,
  look: FigureLook = _USUAL,
) -> Figure:
  """Returns the emotion embeddings before and after training, (N, K) each."""
  moved = maps.movement(before, after)
  first, last, share = maps.plane(before, after)
  numbers = {
    'movement over the distance before': dict(
      zip(run.emotions, moved.tolist(), strict=True)
    ),
    'distance before': maps.distance(before),
    'distance after': maps.distance(after),
    'variance in the plane': share,
  }
  caption = (
    'Emotion embeddings in the plane of their first two principal components,'
    f' which has {100 * share:.0f} % of the variance: hollow before training,'
    ' filled after. A long line means that training has moved an embedding;'
    ' emotions close together have similar attention.'
  )
  result = (
    f'{sentences.embeddings(moved, after, run.emotions)} The mean distance'
    f' between two changes from {numbers["distance before"]:.2f} to'
    f' {numbers["distance after"]:.2f}.'
  )
  height = max(2.0, 0.17 * len(run.emotions))
  sheet = captioned.sheet(look.width, height + AXIS)
  names = [sheet.fit(n, 0.75, fontsize=page.SMALL)[0] for n in run.emotions]
  ax = sheet.axes(0.62, TOP, look.width - 1.63, height)
  plots.embedding_plane(ax, first, last, names)
  return Figure('figure-4', sheet.figure, numbers, caption, result, run.remarks)


def figure_5(run: FinishedRun, look: FigureLook = _USUAL) -> Figure:
  """Returns the confusion matrix of `run.shown_split`."""
  counts = run.predictions[run.shown_split].counts
  recall = classification.row_percentages(counts).diagonal()
  uar = 100 * classification.unweighted_recall(counts)
  accuracy = 100 * counts.trace() / counts.sum()
  left, beside = _LEFT + 0.1, 0.68
  across = min(look.width - left - beside, _LARGEST)
  down = max(across, 0.29 * len(run.emotions))
  sheet = captioned.sheet(look.width, down + 0.75)
  names = [sheet.fit(n, 0.62, fontsize=page.SMALL)[0] for n in run.emotions]
  ax = sheet.axes(left, TOP, across, down)
  fine = across / len(names) >= _FINE
  plots.confusion_matrix(ax, counts, names, int(fine))
  bar = sheet.axes(left + across + 0.08, TOP, 0.08, down)
  plots.colour_bar(ax.images[0], bar, '% of the row', 'vertical')
  each = ', '.join(
    f'{name} {value:.1f} %'
    for name, value in zip(run.emotions, recall, strict=True)
  )
  numbers = {'accuracy': accuracy, 'UAR': uar, 'recall': recall.tolist()}
  caption = (
    f'Confusion matrix of the {counts.sum()} {run.shown_split} clips: true'
    ' emotions are rows, predicted emotions columns; percent of the true'
    ' emotion (colour), and number of clips below. The diagonal is the recall'
    ' of each emotion; dark cells off the diagonal are frequent confusions.'
  )
  return Figure(
    'figure-5', sheet.figure, numbers, caption,
    sentences.confusion(counts, run.emotions), run.remarks,
    f'Recall of each emotion: {each}.',
  )  # fmt: skip


def _present(arrays: Sequence[np.ndarray | None]) -> list[np.ndarray]:
  """Returns the arrays without None; a model has all of them, or none."""
  return [array for array in arrays if array is not None]


def _stacked(study: Study, panels, look: FigureLook, unit: str):
  """Returns a figure with one panel per clip, and the scale of all below.

  Args:
    study: the run.
    panels: (index of the clip, height in inches, function that draws it).
    look: how it is drawn.
    unit: of the scale.
  """
  heights = [_TITLE + height + AXIS for _, height, _ in panels]
  sheet = captioned.sheet(look.width, sum(heights) + _BAR)
  y, width = TOP, look.width - _LEFT - _RIGHT
  for (k, height, paint), whole in zip(panels, heights, strict=True):
    clip = study.clips[k]
    text = f'{clip.name}: {clip.label}'
    if not study.right(k):
      text += f', predicted {study.predicted(k)}'
    text, _ = sheet.fit(text, width, fontsize=page.NORMAL)
    ax = sheet.axes(_LEFT, y + _TITLE, width, height)
    plots.heading(paint(ax), text)
    y += whole
  label = "over the row's greatest" if look.scaled else unit
  bar = sheet.axes(_LEFT, y + 0.06, width, 0.08)
  plots.colour_bar(ax.images[0], bar, label)
  return sheet.figure
