"""Figures 2 to 5 of a finished run, each with its numbers and in words."""

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

WIDTH = 3.35  # inches: a column of a paper
_LEFT, _RIGHT, _TOP, _TITLE, _AXIS, _LINE = 0.78, 0.12, 0.08, 0.26, 0.42, 0.14


@dataclasses.dataclass(frozen=True)
class Study:
  """A finished run, and what its best state does with test clips.

  Attributes:
    run: the run.
    clips: the test clips; those of validation where none has a label.
    outcome: of these clips.
    embeddings: before and after training, or None for a model without.
  """

  run: FinishedRun
  clips: Sequence[Clip]
  outcome: Outcome
  embeddings: tuple[np.ndarray, np.ndarray] | None

  def chosen(self, names: Sequence[str] = ()) -> list[int]:
    """Returns which clips to show.

    Args:
      names: of clips; without any the two emotions' surest right predictions.

    Raises:
      DataError: there is no such test clip.
    """
    known = {clip.name: k for k, clip in enumerate(self.clips)}
    if strange := [name for name in names if name not in known]:
      raise DataError(
        f'{strange[0]!r} is no {self.run.shown} clip of {self.run.folder}; some'
        f' are {", ".join(list(known)[:3])}'
      )
    if names:
      return [known[name] for name in names]
    sure = self.outcome.probabilities.max(1)
    order = sorted(
      range(len(sure)), key=lambda k: (not self.right(k), -sure[k])
    )
    first = order[0]
    others = (
      k for k in order if self.clips[k].label != self.clips[first].label
    )
    return [first, *[k for _, k in zip(range(1), others, strict=False)]]

  def right(self, k: int) -> bool:
    """Whether the prediction of a clip is right."""
    return self.predicted(k) == self.clips[k].label

  def predicted(self, k: int) -> str:
    """The predicted emotion of a clip."""
    return self.outcome.emotions[self.outcome.predicted[k]]


@dataclasses.dataclass(frozen=True)
class Figure:
  """A figure, its numbers, and what it shows in words.

  Attributes:
    name: for files, such as 'figure-2'.
    figure: matplotlib's.
    numbers: by name; of all test clips where the figure shows some.
    text: the alternative to looking at it.
  """

  name: str
  figure: Any
  numbers: dict[str, Any]
  text: str


def study(run: FinishedRun) -> Study:
  """Returns what the figures of a run are made from.

  Raises:
    AvjaxError: its store or its best state is not there.
  """
  trained = evaluation.open_run(run.folder)
  clips = [c for c in trained.clips(run.shown) if c.label is not None]
  outcome, _ = trained.predict(clips)
  return Study(run, clips, outcome, trained.embeddings(clips))


def of(one: Study, names: Sequence[str] = ()) -> list[Figure]:
  """Returns the figures that there are of a run.

  Args:
    one: the run.
    names: of the clips in Figures 2 and 3.
  """
  made = []
  chosen = one.chosen(names)
  if any(weights is not None for weights in one.outcome.alignment):
    made.append(figure_2(one, chosen))
  if any(attention is not None for attention in one.outcome.attention):
    made.append(figure_3(one, chosen))
  if one.embeddings is not None:
    made.append(figure_4(one.run, *one.embeddings))
  return [*made, figure_5(one.run)]


def figure_2(one: Study, chosen: Sequence[int]) -> Figure:
  """Returns the alignment of some clips, and of all in numbers."""
  weights, clips = _there(one.outcome.alignment), one.clips
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
  said = (
    f'All {len(clips)} {one.run.shown} clips: entropy'
    f' {numbers["entropy over uniform"]:.3f} of uniform weights; slope'
    f' {numbers["slope over Ta/T"]:.3f} of Ta/T (uniform: 1); expected place'
    f' {numbers["expected place less p_t"]:+.2f} ±'
    f' {numbers["its deviation within a clip"]:.2f} frames from p_t.'
  )
  drawn = _stacked(
    one,
    [(k, 0.62, lambda ax, k=k: plots.alignment_map(ax, weights[k]))
     for k in chosen],
    (said, "Each row's largest weight is 1.", *one.run.audit),
  )  # fmt: skip
  return Figure('figure-2', drawn, numbers, f'Alignment weights. {said}')


def figure_3(one: Study, chosen: Sequence[int]) -> Figure:
  """Returns the attention in some clips, and how alike the emotions' are."""
  names = one.outcome.emotions
  attention = _there(one.outcome.attention)
  matrices = [maps.correlation(m) for m in attention]
  mean = np.nanmean(matrices, axis=0)
  upper = mean[np.triu_indices(len(names), 1)]
  numbers = {
    'correlation between emotions': float(np.nanmean(upper)),
    'least': float(np.nanmin(upper)),
    'greatest': float(np.nanmax(upper)),
    'each': mean.tolist(),
  }
  said = (
    f'All {len(one.clips)} {one.run.shown} clips: the maps of two emotions'
    f' correlate by {numbers["correlation between emotions"]:.2f} in the mean'
    f' ({numbers["least"]:.2f} to {numbers["greatest"]:.2f}).'
  )
  height = max(0.7, 0.15 * len(names))
  drawn = _stacked(
    one,
    [(k, height, lambda ax, k=k: plots.attention_map(ax, attention[k], names))
     for k in chosen],
    (said, "Each row's largest attention is 1.", *one.run.audit),
  )  # fmt: skip
  return Figure('figure-3', drawn, numbers, f'Perception attention. {said}')


def figure_4(run: FinishedRun, before: np.ndarray, after: np.ndarray) -> Figure:
  """Returns the embeddings before and after training."""
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
  said = (
    f'Hollow: before training; filled: after. They move by {moved.min():.1f} to'
    f' {moved.max():.1f} times the mean distance between two before training,'
    f' which goes from {numbers["distance before"]:.2f} to'
    f' {numbers["distance after"]:.2f}. The plane holds {100 * share:.0f} % of'
    ' the variance.'
  )
  sheet = _sheet(2.0 + _AXIS, (said, *run.audit))
  names = [sheet.fit(n, 0.75, fontsize=page.SMALL)[0] for n in run.emotions]
  ax = sheet.axes(0.62, _TOP, 1.72, 2.0)
  plots.embedding_plane(ax, first, last, names)
  return Figure('figure-4', sheet.figure, numbers, f'Embeddings. {said}')


def figure_5(run: FinishedRun) -> Figure:
  """Returns the confusion of the clips that are shown."""
  counts = run.predictions[run.shown].counts
  recall = classification.row_percentages(counts).diagonal()
  uar = 100 * classification.unweighted_recall(counts)
  accuracy = 100 * counts.trace() / counts.sum()
  said = (
    f'{counts.sum()} {run.shown} clips, percent of each true emotion; accuracy'
    f' {accuracy:.1f} %, mean of the diagonal (UAR) {uar:.1f} %.'
  )
  size = WIDTH - _LEFT - _RIGHT - 0.1
  sheet = _sheet(size + 0.75, (said, *run.audit))
  names = [sheet.fit(n, 0.62, fontsize=page.SMALL)[0] for n in run.emotions]
  ax = sheet.axes(_LEFT + 0.1, _TOP, size, size)
  plots.confusion_matrix(ax, counts, names)
  each = ', '.join(
    f'{name} {value:.1f} %'
    for name, value in zip(run.emotions, recall, strict=True)
  )
  numbers = {'accuracy': accuracy, 'UAR': uar, 'recall': recall.tolist()}
  return Figure(
    'figure-5', sheet.figure, numbers,
    f'Confusion matrix. {said} Right of each: {each}.',
  )  # fmt: skip


def write(made: Sequence[Figure], folder: pathlib.Path) -> None:
  """Writes each figure as .png and .pdf, and figures.json."""
  numbers = {figure.name: figure.numbers for figure in made}
  files.write_json(folder / 'figures.json', numbers)
  for figure in made:
    for suffix in ('.png', '.pdf'):
      page.save(figure.figure, folder / f'{figure.name}{suffix}')


def _there(arrays: Sequence[np.ndarray | None]) -> list[np.ndarray]:
  """Returns those that there are: of one model it is all, or none."""
  return [array for array in arrays if array is not None]


def _sheet(height: float, notes: Sequence[str]) -> Page:
  """Returns a page with its notes at the foot."""
  sheet = Page(WIDTH)
  lines = page.wrapped(notes, 1.25 * WIDTH)  # smaller letters
  low = _TOP + height
  sheet.resize(low + (len(lines) + 0.6) * _LINE)
  for k, line in enumerate(lines):
    y = low + (k + 0.8) * _LINE
    sheet.text(0.06, y, line, fontsize=plots.CELL)
  return sheet


def _stacked(one: Study, panels, notes: Sequence[str]):
  """Returns a figure of one panel a clip, each under its name."""
  each = [_TITLE + height + _AXIS for _, height, _ in panels]
  sheet = _sheet(sum(each), notes)
  y = _TOP
  for (k, height, paint), taken in zip(panels, each, strict=True):
    clip = one.clips[k]
    text = f'{clip.name}: {clip.label}'
    if not one.right(k):
      text += f', predicted {one.predicted(k)}'
    text, _ = sheet.fit(text, WIDTH - _LEFT, fontsize=page.NORMAL)
    width = WIDTH - _LEFT - _RIGHT
    ax = sheet.axes(_LEFT, y + _TITLE, width, height)
    plots.heading(paint(ax), text)
    y += taken
  return sheet.figure
