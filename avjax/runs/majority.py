"""The largest-class baseline: class frequencies of the training clips (ours).

It gives every clip the same probabilities, so that it always predicts the most
frequent class. A model has learnt something only if it does better. In the
paper's test clips the largest class has 29.5 %.
"""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.clips import Clip
from avjax.records import RUN
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo
from avjax.runs.model import Fitted, Job, Model
from avjax.settings import Settings
from avjax.training.outcome import Outcome, without_maps

FILE = 'majority.json'


class Majority(Model):
  """The largest-class baseline."""

  random = False

  def check(self, config: Settings) -> None:
    pass  # every config will do

  def fit(self, job: Job) -> Fitted:
    before = time.perf_counter()
    labels = [clip.label for clip in job.splits['training']]
    emotions = job.info.emotions
    shares = tuple(labels.count(name) / len(labels) for name in emotions)
    fitted = ClassShares(emotions, shares)
    files.write_json(job.folder.path / FILE, dataclasses.asdict(fitted))
    seconds = time.perf_counter() - before
    outcomes = {
      split: fitted.predict(clips)[0] for split, clips in job.splits.items()
    }
    return Fitted(
      outcomes,
      {
        'seconds': seconds,
        'clips_per_second': len(labels) / max(seconds, 1e-9),
        'parameters': len(shares),
        'device': 'NumPy',
      },
      (FILE,),
    )

  def load(
    self, config: Settings, folder: RunFolder, info: RunInfo
  ) -> 'ClassShares':
    return ClassShares.load(folder)


@dataclasses.dataclass(frozen=True)
class ClassShares:
  """The fraction of the training clips in each class.

  Attributes:
    emotions: names of the classes.
    shares: fraction of each class, in [0, 1].
  """

  emotions: tuple[str, ...]
  shares: tuple[float, ...]

  def predict(
    self,
    clips: Sequence[Clip],
    rounded: bool = False,
    among: Sequence[Clip] = (),
  ) -> tuple[Outcome, dict[str, Any]]:
    """Returns equal predictions for all clips, and facts; see `Predictor`."""
    shares = np.tile(np.array(self.shares), (len(clips), 1))
    return without_maps(clips, self.emotions, shares), {'device': 'NumPy'}

  def embeddings(self, clips: Sequence[Clip]) -> None:
    """Returns None, since the model has no embeddings."""

  def parameters(self) -> None:
    """Returns None, since the model is no network."""

  @classmethod
  def load(cls, folder: RunFolder) -> 'ClassShares':
    """Returns the baseline of a finished run.

    Raises:
      CheckpointError: majority.json is missing or damaged.
    """
    path = folder.path / FILE
    made = RUN.json(path, cls)
    if len(made.shares) != len(made.emotions):
      raise RUN.fault(
        path, f'{len(made.shares)} shares for {len(made.emotions)} emotions'
      )
    return made
