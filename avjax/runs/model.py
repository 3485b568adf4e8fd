"""The interface between an experiment and every kind of model.

A kind of model is one file of this package and one entry of `registry.MODELS`.
No other code asks for the name of a model.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from avjax.clips import Clip, Splits
from avjax.data import standardising
from avjax.data.standardising import Average
from avjax.runs import average_speaker
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo
from avjax.settings import Settings
from avjax.training.outcome import Outcome


@dataclasses.dataclass(frozen=True)
class Job:
  """One model to fit: one seed on one division of the clips into splits.

  Attributes:
    config: the settings of this model, with one seed and one fold.
    info: classes, stream widths, data fingerprint and audit of the run.
    splits: the clips; 'training' and 'validation' at least.
    folder: the run folder.
    title: name among several jobs, such as 'fold 2'; '' for a single one.
    apart: clips of no split, which are set apart for enrolment.
    average: stream -> the average training speaker; empty unless clips are
      standardised by enrolment.
  """

  config: Settings
  info: RunInfo
  splits: Splits
  folder: RunFolder
  title: str = ''
  apart: Sequence[Clip] = ()
  average: Mapping[str, Average] = dataclasses.field(default_factory=dict)

  def write(self, fitted: 'Fitted') -> dict[str, Any]:
    """Writes predictions.csv and results.json; returns the latter's content.

    Args:
      fitted: the predictions of the model.
    """
    content: dict[str, Any] = {
      'splits': {name: one.summary() for name, one in fitted.outcomes.items()}
    }
    if self.info.audit is not None:
      content['protocol'] = self.config.data.protocol
      content['audit'] = self.info.audit
    content['standardised'] = standardising.stamp(self.config.data)
    content |= fitted.facts
    names = list(fitted.files)
    if self.average:
      average_speaker.write(self.folder, self.average)
      names.append(average_speaker.FILE)
    self.folder.write_predictions(fitted.outcomes)
    return self.folder.write_results(content, names)

  @property
  def padded(self) -> Splits:
    """All clips by split, for which the padded lengths are chosen.

    With those set apart, so that all folds have the same lengths.
    """
    return {**self.splits, 'apart': self.apart}


@dataclasses.dataclass(frozen=True)
class Fitted:
  """The predictions of a fitted model.

  Attributes:
    outcomes: split -> predictions for its clips.
    facts: entries of results.json besides the scores: 'seconds' of training,
      'clips_per_second', 'parameters' (a count), 'device', and entries of this
      kind of model.
    files: names of the files that the model has written into the run folder.
  """

  outcomes: Mapping[str, Outcome]
  facts: Mapping[str, Any]
  files: tuple[str, ...] = ()


@runtime_checkable
class Predictor(Protocol):
  """A fitted model, loaded from its run folder."""

  def predict(
    self,
    clips: Sequence[Clip],
    rounded: bool = False,
    among: Sequence[Clip] = (),
  ) -> tuple[Outcome, dict[str, Any]]:
    """Returns the predictions for clips, and entries for results.json.

    Args:
      clips: with the streams and widths that the model reads.
      rounded: whether to round padded lengths up, so that many calls with a
        few clips each need few lengths, for each of which a network is
        compiled.
      among: the clips for which the padded lengths are chosen, if these are
        not `clips`. With all clips of the run the predictions are those that
        it made when it was fitted, to the bit.

    Raises:
      AvjaxError: the model is missing from the folder, or damaged.
    """

  def embeddings(
    self, clips: Sequence[Clip]
  ) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the emotion embeddings before and after training, (N, K) each.

    None for a model without embeddings.

    Args:
      clips: any that fit the run; only their widths matter.
    """

  def parameters(self) -> Mapping[str, Any] | None:
    """Returns the parameters that predict; None if it is no network."""


class Model(abc.ABC):
  """A kind of model.

  Attributes:
    streams: default streams, as in its file in configs/; tables name only
      others.
    table: 1 for a row of Table 1, 2 for a combination of models.
    baseline: whether tables compare the other models with this one.
    reference: whether they do where no baseline is given: the paper's network.
    random: whether the result depends on the seed.
    replicated: whether several seeds can be fitted in one program.
    distributed: whether several processes can fit one together.
  """

  streams: tuple[str, ...] = Settings().model.streams
  table = 1
  baseline = False
  reference = False
  random = True
  replicated = False
  distributed = False

  def members(self, config: Settings) -> dict[str, Settings]:
    """Returns the settings of the models that this one combines, by name."""
    del config
    return {}

  @abc.abstractmethod
  def check(self, config: Settings) -> None:
    """Raises ConfigError if the model cannot be built or fitted.

    This is called before any clip is read.
    """

  @abc.abstractmethod
  def fit(self, job: Job) -> Fitted:
    """Fits the model, or resumes fitting; returns its predictions."""

  def fit_together(
    self, config: Settings, jobs: Sequence[Job], folder: RunFolder
  ) -> None:
    """Fits several jobs in one program, and writes the results of each.

    Only a kind of model that is `replicated` implements this.

    Args:
      config: the settings with all seeds.
      jobs: one for each seed and fold; some may be finished.
      folder: the folder of all seeds; receives the joint checkpoints.
    """
    raise TypeError(f'{type(self).__name__} fits one job at a time')

  @abc.abstractmethod
  def load(
    self, config: Settings, folder: RunFolder, info: RunInfo
  ) -> Predictor:
    """Returns the fitted model of a run folder.

    It may be read from disk only when it is first used.
    """
