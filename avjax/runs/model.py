"""What an experiment asks of a kind of model, whatever that is.

A kind of model is one file beside this one and one entry of `registry.MODELS`;
nothing else in the project asks for its name.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from avjax.clips import Clip, Splits
from avjax.runs.folder import RunFolder, RunInfo
from avjax.settings import Settings
from avjax.training.outcome import Outcome


@dataclasses.dataclass(frozen=True)
class Job:
  """One model to fit: one seed on one division of the clips.

  Attributes:
    config: its settings, as if it were the only one.
    info: what else makes the run what it is.
    splits: its clips; 'training' and 'validation' at least.
    folder: where it leaves everything.
    title: to name it by among others, such as 'fold 2'; '' for the only one.
  """

  config: Settings
  info: RunInfo
  splits: Splits
  folder: RunFolder
  title: str = ''

  def write(self, fitted: 'Fitted') -> dict[str, Any]:
    """Writes predictions.csv and results.json; returns what is in the latter.

    Args:
      fitted: what the model says.
    """
    content: dict[str, Any] = {
      'splits': {name: one.summary() for name, one in fitted.outcomes.items()}
    }
    if self.info.audit is not None:
      content['protocol'] = self.config.data.protocol
      content['audit'] = self.info.audit
    content |= fitted.facts
    self.folder.write_predictions(fitted.outcomes)
    self.folder.write_results(content)
    return content


@dataclasses.dataclass(frozen=True)
class Fitted:
  """A fitted model's answers.

  Attributes:
    outcomes: split -> what the model says of its clips.
    facts: what results.json says beside the scores: 'seconds',
      'clips_per_second', 'parameters', 'device' and the model's own.
  """

  outcomes: Mapping[str, Outcome]
  facts: Mapping[str, Any]


@runtime_checkable
class Predictor(Protocol):
  """A fitted model that was read from its folder."""

  def predict(self, clips: Sequence[Clip]) -> tuple[Outcome, dict[str, Any]]:
    """Returns what the model says of clips, and facts for results.json.

    Args:
      clips: with the streams that the model reads, in its widths.

    Raises:
      AvjaxError: the folder does not hold the model, or it is damaged.
    """

  def embeddings(
    self, clips: Sequence[Clip]
  ) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the emotion embeddings before and after training, (N, K) each.

    None for a model without embeddings.

    Args:
      clips: some that fit the run, for their widths.
    """


class Model:
  """A kind of model.

  Attributes:
    streams: those of its file in configs/, which tables need not repeat.
    table: 1 for a row of Table 1, 2 for a combination of models.
    reference: whether comparisons take it as their base.
    random: whether anything in it depends on the seed.
    replicated: whether several seeds can be fitted in one program.
  """

  streams: tuple[str, ...] = Settings().model.streams
  table = 1
  reference = False
  random = True
  replicated = False

  def members(self, config: Settings) -> dict[str, Settings]:
    """Returns the settings of the models that this one combines, by name."""
    del config
    return {}

  def check(self, config: Settings) -> None:
    """Raises ConfigError if the model cannot be made or fitted here.

    Called before any clip is read.
    """
    raise NotImplementedError

  def fit(self, job: Job) -> Fitted:
    """Returns the answers of the model, fitted or taken up where it stopped."""
    raise NotImplementedError

  def fit_together(
    self, config: Settings, jobs: Sequence[Job], folder: RunFolder
  ) -> None:
    """Fits several jobs in one program, and writes the results of each.

    Args:
      config: of all together.
      jobs: some of which may be finished.
      folder: gets what belongs to all.
    """
    raise NotImplementedError

  def load(
    self, config: Settings, folder: RunFolder, info: RunInfo
  ) -> Predictor:
    """Returns the fitted model of a folder; it is read when it is used."""
    raise NotImplementedError
