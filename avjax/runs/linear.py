"""The linear baseline: logistic regression on time averages (ours).

Its inputs are the mean and the standard deviation over time of every column of
every stream. They do not depend on the order of the frames, so a network must
do better to show that it uses this order.
"""

import dataclasses
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from avjax import files
from avjax.clips import Clip, Splits
from avjax.data import moments
from avjax.errors import CheckpointError, ConfigError
from avjax.records import RUN
from avjax.runs.folder import RunFolder
from avjax.runs.info import RunInfo
from avjax.runs.model import Fitted, Job, Model
from avjax.settings import Settings
from avjax.shapes import Array, Float
from avjax.training.early_stopping import BestEpoch
from avjax.training.outcome import Outcome, without_maps

FILE = 'linear.json'
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of scikit-learn's C; validation accuracy selects one."""
BLOCK = 256
"""Clips whose statistics are in memory at a time."""
_MOMENTS = np.mean, np.std


class Linear(Model):
  """The linear baseline."""

  baseline = True
  random = False

  def check(self, config: Settings) -> None:
    if config.data.standardise == 'recording':
      raise ConfigError(
        'model.variant linear reads the mean and standard deviation of each'
        ' clip, and data.standardise is recording, which makes them 0 and 1;'
        ' set another one of the two'
      )
    try:
      import sklearn  # noqa: F401
    except ImportError as error:
      raise ConfigError(
        'model.variant linear needs the package scikit-learn; run pip install'
        " 'avjax[features]'"
      ) from error

  def fit(self, job: Job) -> Fitted:
    before = time.perf_counter()
    streams, emotions = job.config.model.streams, job.info.emotions
    penalty, regression = _choose(streams, emotions, job.splits, job.folder)
    regression.save(job.folder)
    seconds = time.perf_counter() - before
    outcomes = {
      split: regression.predict(clips)[0] for split, clips in job.splits.items()
    }
    return Fitted(
      outcomes,
      {
        'penalty': penalty,
        'seconds': seconds,
        'clips_per_second': len(job.splits['training']) / max(seconds, 1e-9),
        'parameters': regression.weights.size + regression.bias.size,
        'device': 'scikit-learn',
      },
      (FILE,),
    )

  def load(
    self, config: Settings, folder: RunFolder, info: RunInfo
  ) -> 'Regression':
    return Regression.load(folder)


@dataclasses.dataclass(frozen=True)
class Regression:
  """A fitted linear baseline; F statistics, N emotions.

  Attributes:
    streams: names of the streams it reads.
    emotions: names of the classes, in the order of the probabilities.
    mean: mean of each statistic over the training clips.
    scale: standard deviation of each statistic over the training clips; 1
      where a statistic is constant.
    weights: one row per emotion.
    bias: one number per emotion.
  """

  streams: tuple[str, ...]
  emotions: tuple[str, ...]
  mean: Float[Array, ' F']
  scale: Float[Array, ' F']
  weights: Float[Array, 'N F']
  bias: Float[Array, ' N']

  def predict(
    self,
    clips: Sequence[Clip],
    rounded: bool = False,
    among: Sequence[Clip] = (),
  ) -> tuple[Outcome, dict[str, Any]]:
    """Returns the predictions for clips, and facts; see `Predictor`."""
    described = (describe(some, self.streams) for some in _blocks(clips))
    return self.outcome(clips, described), {'device': 'NumPy'}

  def outcome(
    self, clips: Sequence[Clip], described: Iterable[Float[Array, '_ F']]
  ) -> Outcome:
    """Returns the predictions for clips.

    Args:
      clips: the clips.
      described: `describe` of them, in pieces.
    """
    logits = [
      (x - self.mean) / self.scale @ self.weights.T + self.bias
      for x in described
    ]
    shares = softmax(np.concatenate(logits), axis=1)
    return without_maps(clips, self.emotions, shares)

  def embeddings(self, clips: Sequence[Clip]) -> None:
    """Returns None, since the model has no embeddings."""

  def parameters(self) -> None:
    """Returns None, since the model is no network."""

  def save(self, folder: RunFolder) -> None:
    """Writes linear.json into the run folder."""
    content = {
      key: value.tolist() if isinstance(value, np.ndarray) else value
      for key, value in dataclasses.asdict(self).items()
    }
    files.write_json(folder.path / FILE, content)

  @classmethod
  def load(cls, folder: RunFolder) -> 'Regression':
    """Returns the baseline of a finished run.

    Raises:
      CheckpointError: linear.json is missing or damaged.
    """
    path = folder.path / FILE
    content = RUN.json(path, _RegressionFile)
    classes, columns = len(content.emotions), len(content.mean)
    if [len(row) for row in content.weights] != [columns] * classes or (
      (len(content.scale), len(content.bias)) != (columns, classes)
    ):
      raise RUN.fault(path, 'its arrays do not fit each other')
    return cls(
      content.streams,
      content.emotions,
      mean=np.array(content.mean),
      scale=np.array(content.scale),
      weights=np.array(content.weights),
      bias=np.array(content.bias),
    )


@dataclasses.dataclass(frozen=True)
class _RegressionFile:
  """The content of linear.json: a `Regression` in lists."""

  streams: tuple[str, ...]
  emotions: tuple[str, ...]
  mean: list[float]  # of each input over the training clips
  scale: list[float]  # its standard deviation there
  weights: list[list[float]]  # a row an emotion, a column an input
  bias: list[float]  # an emotion


def describe(
  clips: Sequence[Clip], streams: Sequence[str]
) -> Float[Array, 'n F']:
  """Returns the mean and standard deviation over time of every column.

  Args:
    clips: with these streams.
    streams: names of the streams.

  Returns:
    One row per clip, in float64: for each stream the means of its columns,
    then their standard deviations.
  """
  rows = []
  for clip in clips:
    arrays = [np.asarray(clip.streams[k], np.float64) for k in streams]
    rows.append(np.concatenate([f(a, 0) for a in arrays for f in _MOMENTS]))
  return np.array(rows)


def _blocks(rows: Any) -> Iterator[Any]:
  """Yields a sequence in slices."""
  return (rows[k : k + BLOCK] for k in range(0, len(rows), BLOCK))


def _described(
  clips: Sequence[Clip], streams: Sequence[str], folder: RunFolder
) -> Float[np.ndarray, 'n F']:
  """Returns `describe` in a file, which ends with the array.

  The statistics of a store that is larger than memory may be too.

  Raises:
    CheckpointError: there is no space for it.
  """
  try:
    with tempfile.TemporaryFile(dir=folder.path) as file:
      for some in _blocks(clips):
        file.write(describe(some, streams).tobytes())
      file.flush()
      flat = np.memmap(file, np.float64, 'r+')
  except OSError as error:
    raise CheckpointError(
      f'{folder}: the statistics of {len(clips)} clips cannot be written'
      f' ({error.strerror}); fix that, then run it again'
    ) from error
  return flat.reshape(len(clips), -1)


def _choose(
  streams: tuple[str, ...],
  emotions: tuple[str, ...],
  splits: Splits,
  folder: RunFolder,
) -> tuple[float, Regression]:
  """Returns the penalty with the best validation result, and its model."""
  from sklearn.linear_model import LogisticRegression

  x = _described(splits['training'], streams, folder)
  seen = _described(splits['validation'], streams, folder)
  label = np.array([emotions.index(c.label) for c in splits['training']])
  found = moments.gathered(lambda: _blocks(x))
  mean, scale = found.mean, np.sqrt(found.variance)
  scale = np.where(scale > 1e-12 * np.abs(mean), scale, 1.0)
  for some in _blocks(x):
    some[:] = (some - mean) / scale
  tried, best = [], BestEpoch()
  for number, penalty in enumerate(PENALTIES):
    model = LogisticRegression(C=penalty, max_iter=5000)
    model.fit(x, label)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # two classes: the logit of the second
      weights = np.concatenate([0 * weights, weights])
      bias = np.concatenate([0 * bias, bias])
    # An emotion without a training clip is never predicted.
    whole = np.zeros((len(emotions), x.shape[1]))
    offset = np.full(len(emotions), -1e9)
    whole[model.classes_], offset[model.classes_] = weights, bias
    fitted = Regression(streams, emotions, mean, scale, whole, offset)
    scores = fitted.outcome(splits['validation'], _blocks(seen)).scores()
    best, _ = best.update(number, scores['accuracy'], scores['loss'])
    tried.append((penalty, fitted))
  return tried[best.epoch]
