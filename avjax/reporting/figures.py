"""Figures 2 to 5 of a finished run, each with its numbers and a caption."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.clips import Clip
from avjax.errors import DataError
from avjax.metrics import classification, maps
from avjax.reporting import page, plots
from avjax.reporting.page import Page
from avjax.runs import evaluation
from avjax.runs.finished import FinishedRun
from avjax.training.outcome import Outcome

WIDTH = 3.35  # inches, a column of a paper
_LEFT, _RIGHT, _TOP, _TITLE, _AXIS, _LINE = 0.78, 0.12, 0.08, 0.26, 0.42, 0.14


@dataclasses.dataclass(frozen=True)
class Study:
  """A finished run, and the predictions of its best state.

  Attributes:
    run: the run.
    clips: the labelled clips of `run.shown_split`.
    outcome: the predictions for these clips.
    embeddings: (N, K) before and after training; None for a model without.
  """

  run: FinishedRun
  clips: Sequence[Clip]
  outcome: Outcome
  embeddings: tuple[np.ndarray, np.ndarray] | None

  def chosen(self, names: Sequence[str] = ()) -> list[int]:
    """Returns the indices of the clips to show.

    Args:
      names: of the clips. Without names: the correct prediction with the
        highest probability, and that of another emotion.

    Raises:
      DataError: no clip has one of the names.
    """
    known = {clip.name: k for k, clip in enumerate(self.clips)}
    if unknown := [name for name in names if name not in known]:
      raise DataError(
        f'{unknown[0]!r} is no {self.run.shown_split} clip of'
        f' {self.run.folder}; some are {", ".join(list(known)[:3])}'
      )
    if names:
      return [known[name] for name in names]
    confidence = self.outcome.probabilities.max(1)
    order = sorted(
      range(len(confidence)), key=lambda k: (not self.right(k), -confidence[k])
    )
    first = order[0]
    others = (
      k for k in order if self.clips[k].label != self.clips[first].label
    )
    return [first, *[k for _, k in zip(range(1), others, strict=False)]]

  def right(self, k: int) -> bool:
    """Returns whether the prediction for a clip is right."""
    return self.predicted(k) == self.clips[k].label

  def predicted(self, k: int) -> str:
    """Returns the predicted emotion of a clip."""
    return self.outcome.emotions[self.outcome.predicted[k]]


@dataclasses.dataclass(frozen=True)
class Figure:
  """A figure, its numbers and its caption.

  Attributes:
    name: stem of file names, such as 'figure-2'.
    figure: the matplotlib Figure.
    numbers: name -> value, over all clips, even if the figure shows only some.
    caption: what the figure shows, and what to see in it.
    result: the numbers in a sentence.
  """

  name: str
  figure: Any
  numbers: dict[str, Any]
  caption: str
  result: str

  @property
  def text(self) -> str:
    """Caption and result, for those who do not see the figure."""
    return f'{self.caption} {self.result}'


def make_study(run: FinishedRun) -> Study:
  """Returns the run with the predictions that its figures show.

  Raises:
    AvjaxError: the store or the best state of the run is missing.
  """
  trained = evaluation.open_run(run.folder)
  clips = [c for c in trained.clips(run.shown_split) if c.label is not None]
  outcome, _ = trained.predict(clips)
  return Study(run, clips, outcome, trained.embeddings(clips))


def make_figures(study: Study, names: Sequence[str] = ()) -> list[Figure]:
  """Returns the figures of a run, without those that its model lacks.

  Args:
    study: the run.
    names: of the clips in Figures 2 and 3; see `Study.chosen`.
  """
  made = []
  chosen = study.chosen(names)
  if any(weights is not None for weights in study.outcome.alignment):
    made.append(figure_2(study, chosen))
  if any(attention is not None for attention in study.outcome.attention):
    made.append(figure_3(study, chosen))
  if study.embeddings is not None:
    made.append(figure_4(study.run, *study.embeddings))
  return [*made, figure_5(study.run)]


def figure_2(study: Study, chosen: Sequence[int]) -> Figure:
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
  result = (
    f'All {len(clips)} {study.run.shown_split} clips: entropy'
    f' {numbers["entropy over uniform"]:.3f} of uniform weights; slope'
    f' {numbers["slope over Ta/T"]:.3f} of Ta/T (uniform: 1); expected audio'
    f' frame {numbers["expected place less p_t"]:+.2f} ±'
    f' {numbers["its deviation within a clip"]:.2f} frames from p_t (mean ±'
    ' standard deviation within a clip).'
  )
  drawn = _stacked(
    study,
    [(k, 0.62, lambda ax, k=k: plots.alignment_map(ax, weights[k]))
     for k in chosen],
    (result, 'Each row is scaled to a maximum of 1.', *study.run.remarks),
  )  # fmt: skip
  caption = (
    'Alignment weights of the audio frames around each video frame: one row for'
    ' each window position, scaled to its maximum. Rows that are bright'
    ' throughout have nearly constant weights; weights that follow the content'
    ' of a clip vary along their row.'
  )
  return Figure('figure-2', drawn, numbers, caption, result)


def figure_3(study: Study, chosen: Sequence[int]) -> Figure:
  """Returns the attention in some clips; the maps' correlation in all clips."""
  names = study.outcome.emotions
  attention = _present(study.outcome.attention)
  matrices = [maps.correlation(m) for m in attention]
  mean = np.nanmean(matrices, axis=0)
  upper = mean[np.triu_indices(len(names), 1)]
  numbers = {
    'correlation between emotions': float(np.nanmean(upper)),
    'least': float(np.nanmin(upper)),
    'greatest': float(np.nanmax(upper)),
    'each': mean.tolist(),
  }
  result = (
    f'All {len(study.clips)} {study.run.shown_split} clips: the mean'
    ' correlation between the maps of two emotions is'
    f' {numbers["correlation between emotions"]:.2f}'
    f' ({numbers["least"]:.2f} to {numbers["greatest"]:.2f}).'
  )
  height = max(0.7, 0.15 * len(names))
  drawn = _stacked(
    study,
    [(k, height, lambda ax, k=k: plots.attention_map(ax, attention[k], names))
     for k in chosen],
    (result, 'Each row is scaled to a maximum of 1.', *study.run.remarks),
  )  # fmt: skip
  caption = (
    'Perception attention of every emotion (row) over the video frames of a'
    ' clip. Bright frames contribute most to the score of an emotion; if the'
    ' rows look alike, attention does not depend on the emotion.'
  )
  return Figure('figure-3', drawn, numbers, caption, result)


def figure_4(run: FinishedRun, before: np.ndarray, after: np.ndarray) -> Figure:
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
  result = (
    'Hollow: before training; filled: after. Training moves an embedding by'
    f' {moved.min():.1f} to {moved.max():.1f} times the mean distance between'
    ' two embeddings before training; this distance changes from'
    f' {numbers["distance before"]:.2f} to {numbers["distance after"]:.2f}. The'
    f' plane has {100 * share:.0f} % of the variance.'
  )
  caption = (
    'Emotion embeddings in the plane of their first two principal components.'
    ' A long line means that training has moved an embedding; emotions close'
    ' together have similar attention.'
  )
  sheet = _sheet(2.0 + _AXIS, (result, *run.remarks))
  names = [sheet.fit(n, 0.75, fontsize=page.SMALL)[0] for n in run.emotions]
  ax = sheet.axes(0.62, _TOP, 1.72, 2.0)
  plots.embedding_plane(ax, first, last, names)
  return Figure('figure-4', sheet.figure, numbers, caption, result)


def figure_5(run: FinishedRun) -> Figure:
  """Returns the confusion matrix of `run.shown_split`."""
  counts = run.predictions[run.shown_split].counts
  recall = classification.row_percentages(counts).diagonal()
  uar = 100 * classification.unweighted_recall(counts)
  accuracy = 100 * counts.trace() / counts.sum()
  result = (
    f'{counts.sum()} {run.shown_split} clips, percent of each true emotion;'
    f' accuracy {accuracy:.1f} %, mean of the diagonal (UAR) {uar:.1f} %.'
  )
  size = WIDTH - _LEFT - _RIGHT - 0.1
  sheet = _sheet(size + 0.75, (result, *run.remarks))
  names = [sheet.fit(n, 0.62, fontsize=page.SMALL)[0] for n in run.emotions]
  ax = sheet.axes(_LEFT + 0.1, _TOP, size, size)
  plots.confusion_matrix(ax, counts, names)
  each = ', '.join(
    f'{name} {value:.1f} %'
    for name, value in zip(run.emotions, recall, strict=True)
  )
  numbers = {'accuracy': accuracy, 'UAR': uar, 'recall': recall.tolist()}
  caption = (
    'Confusion matrix: true emotions are rows, predicted emotions columns. The'
    ' diagonal is the recall of each emotion; dark cells off the diagonal are'
    ' frequent confusions.'
  )
  result += f' Recall of each emotion: {each}.'
  return Figure('figure-5', sheet.figure, numbers, caption, result)


def write(made: Sequence[Figure], folder: pathlib.Path) -> None:
  """Writes each figure as a .png and a .pdf file, and figures.json."""
  numbers = {figure.name: figure.numbers for figure in made}
  files.write_json(folder / 'figures.json', numbers)
  for figure in made:
    for suffix in ('.png', '.pdf'):
      page.save(figure.figure, folder / f'{figure.name}{suffix}')


def _present(arrays: Sequence[np.ndarray | None]) -> list[np.ndarray]:
  """Returns the arrays without None; a model has all of them, or none."""
  return [array for array in arrays if array is not None]


def _sheet(height: float, notes: Sequence[str]) -> Page:
  """Returns a page of this height, with the notes below."""
  sheet = Page(WIDTH)
  lines = page.wrapped(notes, 1.25 * WIDTH)  # CELL is smaller than SMALL
  below = _TOP + height
  sheet.resize(below + (len(lines) + 0.6) * _LINE)
  for k, line in enumerate(lines):
    y = below + (k + 0.8) * _LINE
    sheet.text(0.06, y, line, fontsize=plots.CELL)
  return sheet


def _stacked(study: Study, panels, notes: Sequence[str]):
  """Returns a figure with one panel per clip, below the name of the clip.

  Args:
    study: the run.
    panels: (index of the clip, height in inches, function that draws it).
    notes: sentences at the foot.
  """
  heights = [_TITLE + height + _AXIS for _, height, _ in panels]
  sheet = _sheet(sum(heights), notes)
  y = _TOP
  for (k, height, paint), whole in zip(panels, heights, strict=True):
    clip = study.clips[k]
    text = f'{clip.name}: {clip.label}'
    if not study.right(k):
      text += f', predicted {study.predicted(k)}'
    text, _ = sheet.fit(text, WIDTH - _LEFT, fontsize=page.NORMAL)
    width = WIDTH - _LEFT - _RIGHT
    ax = sheet.axes(_LEFT, y + _TITLE, width, height)
    plots.heading(paint(ax), text)
    y += whole
  return sheet.figure
