"""What to see in a figure, in sentences that are computed from its numbers."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.metrics import classification
from avjax.metrics.classification import Reliability
from avjax.runs.results import EpochLine, GroupScores
from avjax.shapes import Array, Float, Int

_UNIFORM = 0.95  # entropy over that of uniform weights
_ALIKE = 0.9  # correlation of two maps
_CALIBRATED = 2.0  # points between confidence and accuracy
FEW = 10  # clips: of fewer nothing is said but how many are right
FLAT = 1.1  # times uniform: attention that is nowhere greater is uniform
_STILL = 0.05  # of the distance between embeddings: they have not moved

TOO_FEW = 'Too few clips to say more.'


def confusion(counts: Int[Array, 'N N'], names: Sequence[str]) -> str:
  """Returns which emotions are recognised best and worst, and confused most.

  Args:
    counts: confusion counts; rows are true classes.
    names: of the emotions.
  """
  total, rows = int(counts.sum()), counts.sum(1)
  right = int(counts.trace())
  uar = 100 * classification.unweighted_recall(counts)
  text = (
    f'{right} of {total} clips are right ({100 * right / total:.1f} %); the'
    f' mean of the diagonal (UAR) is {uar:.1f} %.'
  )
  if total < FEW:
    return f'{text} {TOO_FEW}'
  present = [k for k in range(len(names)) if rows[k]]
  order = sorted(present, key=lambda k: -counts[k, k] / rows[k])
  if len(order) > 1:
    best, worst = (
      f'{names[k]} with {_share(counts[k, k], rows[k])}'
      for k in (order[0], order[-1])
    )
    text += f' Recognised best: {best}; worst: {worst}.'
  pairs = [
    (k, j)
    for k in present
    for j in range(len(names))
    if j != k and counts[k, j]
  ]
  if not pairs:
    return f'{text} No emotion is taken for another.'
  pairs.sort(key=lambda pair: (-counts[pair], -counts[pair] / rows[pair[0]]))
  told = [
    f'{names[k]} taken for {names[j]} in {_share(counts[k, j], rows[k])}'
    for k, j in pairs[:2]
  ]
  return f'{text} Confused most often: {"; then ".join(told)}.'


def signed(text: str) -> str:
  """Returns the text with minus signs before negative numbers."""
  return re.sub(r'(?<![^ (\[])-(?=\d)', '\N{MINUS SIGN}', text)


def _share(count: Any, total: Any) -> str:
  """Returns a count of all, in percent too unless they are few."""
  percent = f' ({100 * count / total:.1f} %)' if total >= FEW else ''
  return f'{count} of {total}{percent}'


def attention(
  mean: Float[Array, 'N N'], names: Sequence[str], greatest: float
) -> str:
  """Returns how far attention depends on the emotion.

  Args:
    mean: correlation between the maps of each two emotions, over all clips.
    names: of the emotions.
    greatest: attention over uniform attention, the mean over the clips of what
      it is at most.
  """
  if greatest < FLAT:
    return (
      f'attention is nearly uniform, at most {greatest:.2f} times uniform on'
      ' the mean, so that differences between the emotions mean nothing.'
    )
  upper = [*itertools.combinations(range(len(names)), 2)]
  known = [pair for pair in upper if np.isfinite(mean[pair])]
  if not known:
    return 'the maps of no two emotions can be compared: they do not vary.'
  average = float(np.mean([mean[pair] for pair in known]))
  low, high = (f(known, key=lambda pair: mean[pair]) for f in (min, max))
  verdict = (
    'attention hardly depends on the emotion'
    if average > _ALIKE
    else 'attention depends on the emotion'
  )
  text = (
    f'the mean correlation between the maps of two emotions is {average:.2f}:'
    f' {verdict}.'
  )
  return signed(
    f'{text} Most alike are {names[high[0]]} and {names[high[1]]}'
    f' ({mean[high]:.2f}), least {names[low[0]]} and {names[low[1]]}'
    f' ({mean[low]:.2f}).'
  )


def alignment(numbers: Mapping[str, float], largest: float) -> str:
  """Returns how far the weights differ from uniform ones.

  Args:
    numbers: of Figure 2.
    largest: the greatest weight that is shown.
  """
  entropy = numbers['entropy over uniform']
  verdict = 'nearly uniform' if entropy > _UNIFORM else 'not uniform'
  return signed(
    f'the weights are {verdict}: their entropy is {entropy:.3f} of that of'
    f' uniform ones, and the greatest that is shown is {largest:.2f}. The'
    f' expected audio frame is {numbers["expected place less p_t"]:+.2f} ±'
    f' {numbers["its deviation within a clip"]:.2f} frames from the centre'
    ' (mean ± standard deviation within a clip).'
  )


def embeddings(
  moved: Float[Array, ' N'], after: Float[Array, 'N K'], names: Sequence[str]
) -> str:
  """Returns which embedding moved most, and which two are closest.

  Args:
    moved: distance over the mean distance between two before training.
    after: embeddings after training.
    names: of the emotions.
  """
  order = sorted(range(len(names)), key=lambda k: -moved[k])
  if moved[order[0]] < _STILL:
    return (
      f'Training has hardly moved the embeddings: {names[order[0]]} most, by'
      f' {moved[order[0]]:.3f} times the mean distance between two of them.'
    )
  text = (
    f'Training moves {names[order[0]]} most, by {moved[order[0]]:.2g} times the'
    f' mean distance between two embeddings before it, and {names[order[-1]]}'
    f' least, by {moved[order[-1]]:.2g}.'
  )
  pairs = [*itertools.combinations(range(len(names)), 2)]
  apart = [float(np.linalg.norm(after[a] - after[b])) for a, b in pairs]
  if pairs:
    a, b = pairs[int(np.argmin(apart))]
    text += f' Closest after it are {names[a]} and {names[b]}.'
  return text


def reliability(bins: Reliability, error: float) -> str:
  """Returns whether the network is too sure, and what its surest are worth.

  Args:
    bins: of the clips.
    error: the expected calibration error.
  """
  if bins.counts.sum() < FEW:
    return TOO_FEW
  known = bins.counts > 0
  weights = bins.counts[known] / bins.counts.sum()
  confidence = 100 * float(weights @ bins.confidence[known])
  accuracy = 100 * float(weights @ bins.accuracy[known])
  gap = confidence - accuracy
  verdict = (
    'well calibrated on the mean'
    if abs(gap) < _CALIBRATED
    else ('too sure' if gap > 0 else 'not sure enough') + ' on the mean'
  )
  k = int(np.argmax(bins.counts))
  low, high = 100 * bins.edges[k], 100 * bins.edges[k + 1]
  return (
    f'The predictions are {verdict}: confidence {confidence:.1f} %, accuracy'
    f' {accuracy:.1f} %; expected calibration error (ECE) {100 * error:.1f} %.'
    f' The fullest bin, of {low:.0f} to {high:.0f} %, has {bins.counts[k]} of'
    f' {bins.counts.sum()} clips; of these {100 * bins.accuracy[k]:.1f} % are'
    ' right.'
  )


def training(histories: Mapping[str, Sequence[EpochLine]]) -> str:
  """Returns the best epoch of each training, and its gap.

  Args:
    histories: fold, seed or member, or '' -> its epochs.
  """
  return ' '.join(_best(name, lines) for name, lines in histories.items())


def _best(name: str, lines: Sequence[EpochLine]) -> str:
  """Returns the best epoch of one training; the last, if none is marked."""
  marked = [line for line in lines if line['best']]
  line = marked[-1] if marked else lines[-1]
  which = 'best' if marked else 'last'
  inside, outside = (
    100 * x for x in (line['training_accuracy'], line['validation_accuracy'])
  )
  about = f'Of {name}, the {which}' if name else f'The {which}'
  return (
    f'{about} epoch is {line["epoch"] + 1} of {len(lines)}: training'
    f' {inside:.1f} %, validation {outside:.1f} %.'
  )


def groups(column: str, scores: Mapping[str, GroupScores]) -> str:
  """Returns the groups with the lowest and the highest accuracy.

  Args:
    column: that divides the clips into groups.
    scores: word of the column -> scores.
  """
  if sum(one['n'] for one in scores.values()) < FEW:
    return TOO_FEW
  order = sorted(scores, key=lambda word: scores[word]['accuracy'])
  told = [
    f'{word or "(none)"} with'
    f' {_share(scores[word]["correct"], scores[word]["n"])}'
    for word in (order[0], order[-1])
  ]
  low, high = (100 * scores[word]['accuracy'] for word in (order[0], order[-1]))
  text = (
    f'Lowest by {column}: {told[0]}; highest: {told[1]}, {high - low:.1f}'
    ' points apart'
  )
  bounds = scores[order[-1]].get('difference_by_speaker_95')
  if len(order) == 2 and bounds:
    text += (
      f' [{100 * bounds[0]:.1f}, {100 * bounds[1]:.1f}] (95 %, by speaker)'
    )
  return f'{text}.'
