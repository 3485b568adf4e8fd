"""What a finished run's best state says of its clips, for figures and pages."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from avjax.clips import Clip
from avjax.errors import DataError
from avjax.runs import evaluation
from avjax.runs.finished import FinishedRun
from avjax.training.outcome import Outcome


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


def make_study(run: FinishedRun) -> Study:
  """Returns the run with the predictions that its figures show.

  Raises:
    AvjaxError: the store or the best state of the run is missing.
  """
  trained = evaluation.open_run(run.folder)
  clips = [c for c in trained.clips(run.shown_split) if c.label is not None]
  outcome, _ = trained.predict(clips)
  return Study(run, clips, outcome, trained.embeddings(clips))
