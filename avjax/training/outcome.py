"""Predictions for any clips, and their scores."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from avjax.clips import Clip
from avjax.data.loader import Loader
from avjax.errors import TrainingError
from avjax.metrics import attention, classification
from avjax.training.devices import Devices
from avjax.training.steps import TrainState


@dataclasses.dataclass(frozen=True)
class Outcome:
  """The predictions of a model for some clips, in their order.

  Attributes:
    clips: the clips.
    emotions: names of the N classes.
    probabilities: (clips, N) float64; each row sums to one.
    attention: each clip's (N, T) perception attention over its unpadded frames;
      None for a model without attention.
    alignment: each clip's (T, W) alignment weights; None for a model without.
  """

  clips: Sequence[Clip]
  emotions: tuple[str, ...]
  probabilities: np.ndarray
  attention: list[np.ndarray | None]
  alignment: list[np.ndarray | None]

  @property
  def predicted(self) -> np.ndarray:
    """(clips,) index of the most probable emotion."""
    return self.probabilities.argmax(1)

  def scores(self) -> dict:
    """Returns the scores over the clips with a label, for results.json.

    'loss' is the mean cross-entropy; for the others see
    `classification.summary`. 'unlabelled' counts the clips without a label.
    """
    known = [k for k, clip in enumerate(self.clips) if clip.label is not None]
    result: dict = {'n': 0, 'unlabelled': len(self.clips) - len(known)}
    if known:
      label = np.array(
        [self.emotions.index(self.clips[k].label) for k in known]
      )
      counts = classification.confusion(
        label, self.predicted[known], len(self.emotions)
      )
      likelihood = self.probabilities[known, label]
      result |= classification.summary(counts, self.emotions)
      result['loss'] = float(-np.log(np.maximum(likelihood, 1e-38)).mean())
    return result

  def summary(self) -> dict:
    """Returns `scores`, and those of attention and alignment where known."""
    return self.scores() | attention.summary(
      self.clips, self.predicted, self.attention, self.alignment
    )


def without_maps(
  clips: Sequence[Clip], emotions: tuple[str, ...], probabilities: np.ndarray
) -> Outcome:
  """Returns the outcome of a model without attention and alignment.

  Args:
    clips: the clips.
    emotions: names of the N classes.
    probabilities: (clips, N); each row sums to one.
  """
  none: list[np.ndarray | None] = [None] * len(clips)
  return Outcome(clips, emotions, probabilities, none, none)


def joined(outcomes: Sequence[Outcome]) -> Outcome:
  """Returns the predictions of several models, each for clips of its own."""
  return Outcome(
    [clip for one in outcomes for clip in one.clips],
    outcomes[0].emotions,
    np.concatenate([one.probabilities for one in outcomes]),
    [maps for one in outcomes for maps in one.attention],
    [weights for one in outcomes for weights in one.alignment],
  )


def from_logits(
  clips: Sequence[Clip], emotions: tuple[str, ...], logits: np.ndarray
) -> Outcome:
  """Returns the outcome without attention and alignment, from logits.

  Args:
    clips: the clips.
    emotions: names of the N classes.
    logits: (clips, N).

  Raises:
    TrainingError: a logit is not finite; the message names every such clip.
  """
  return without_maps(clips, emotions, _probabilities(clips, logits))


def _probabilities(clips: Sequence[Clip], logits: np.ndarray) -> np.ndarray:
  logits = np.asarray(logits, np.float64)
  finite = np.isfinite(logits).all(1)
  bad = [c.name for c, good in zip(clips, finite, strict=True) if not good]
  if bad:
    raise TrainingError(
      'the network gives no finite value for '
      + ', '.join(bad)
      + '; check these clips, or lower training.learning_rate'
    )
  return softmax(logits, axis=1)


def evaluate(
  devices: Devices,
  state: TrainState,
  clips: Sequence[Clip],
  loader: Loader,
  maps: bool = True,
) -> Outcome:
  """Returns the predictions for every clip; padding rows are left out.

  Args:
    devices: that the state is on.
    state: as `Devices.replicate` or `Devices.unstack` returns it.
    clips: with the streams that the model reads.
    loader: makes the batches.
    maps: whether to keep attention and alignment of all clips; otherwise only
      of those whose truth is known.

  Raises:
    TrainingError: a logit is not finite; the message names every such clip of
      the batch.
  """
  probabilities = np.zeros((len(clips), len(loader.emotions)))
  attention: list[np.ndarray | None] = [None] * len(clips)
  weights: list[np.ndarray | None] = [None] * len(clips)
  for indices, batch in loader.evaluation(clips):
    prediction = devices.eval_step(state, batch)
    logits = prediction.logits[: len(indices)]
    probabilities[indices] = _probabilities([clips[k] for k in indices], logits)
    for row, index in enumerate(indices):
      if not (maps or clips[index].truth):
        continue
      frames = clips[index].visual_length
      if prediction.attention is not None:
        attention[index] = prediction.attention[row, :, :frames]
      if prediction.alignment is not None:
        weights[index] = prediction.alignment[row, :frames]
  return Outcome(clips, loader.emotions, probabilities, attention, weights)
