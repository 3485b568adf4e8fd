"""A linear baseline: what the means and deviations over time tell (ours).

Logistic regression on the mean and the deviation of every column of every
stream of a clip. A network that does no better has not used the order of the
frames. It is a run like any other, `configs/linear.py`.
"""

import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.clips import Clip
from avjax.errors import CheckpointError, ConfigError
from avjax.shapes import Array, Float
from avjax.training import records
from avjax.training.evaluate import Outcome, without_maps
from avjax.training.selection import Selection

MODEL = 'linear.json'
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of scikit-learn's C; the best validation accuracy chooses."""


@dataclasses.dataclass(frozen=True)
class Linear:
  """A fitted baseline.

  Attributes:
    streams: that it reads.
    emotions: of the run, in the order of the probabilities.
    mean: of each statistic over the training clips.
    scale: deviation of each over the training clips; 1 for a constant.
    weights: one row an emotion.
    bias: one number an emotion.
  """

  streams: tuple[str, ...]
  emotions: tuple[str, ...]
  mean: Float[Array, ' F']
  scale: Float[Array, ' F']
  weights: Float[Array, 'N F']
  bias: Float[Array, ' N']

  def predict(self, clips: Sequence[Clip]) -> Outcome:
    """Returns the predictions for some clips."""
    x = (describe(clips, self.streams) - self.mean) / self.scale
    logits = x @ self.weights.T + self.bias
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return without_maps(clips, self.emotions, shares)

  def save(self, workdir: pathlib.Path) -> None:
    """Writes it into the folder of its run."""
    values = dataclasses.asdict(self)
    content = {
      key: value.tolist() if isinstance(value, np.ndarray) else value
      for key, value in values.items()
    }
    records.write_json(workdir / MODEL, content)


def load(workdir: pathlib.Path) -> Linear:
  """Returns the baseline of a finished run.

  Raises:
    CheckpointError: there is none, or it is damaged.
  """
  content = records.read(workdir / MODEL)
  try:
    return Linear(
      streams=tuple(content['streams']),
      emotions=tuple(content['emotions']),
      mean=np.array(content['mean'], np.float64),
      scale=np.array(content['scale'], np.float64),
      weights=np.array(content['weights'], np.float64),
      bias=np.array(content['bias'], np.float64),
    )
  except (KeyError, TypeError, ValueError) as error:
    raise CheckpointError(
      f'{workdir / MODEL} is no linear baseline ({error}); train again into'
      ' another folder'
    ) from None


def describe(
  clips: Sequence[Clip], streams: Sequence[str]
) -> Float[Array, 'n F']:
  """Returns mean and deviation over time of every column, float64."""
  rows = []
  for clip in clips:
    arrays = [np.asarray(clip.streams[k], np.float64) for k in streams]
    rows.append(np.concatenate([f(a, 0) for a in arrays for f in _MOMENTS]))
  return np.array(rows)


_MOMENTS = np.mean, np.std


def check() -> None:
  """Returns nothing if scikit-learn is there.

  Raises:
    ConfigError: it is not; names the extra.
  """
  try:
    import sklearn  # noqa: F401
  except ImportError as error:
    raise ConfigError(
      'model.variant linear needs the package scikit-learn; pip install'
      " 'avjax[features]'"
    ) from error


def fit(
  streams: Sequence[str],
  emotions: Sequence[str],
  parts: Mapping[str, Sequence[Clip]],
  workdir: pathlib.Path,
) -> tuple[dict[str, Outcome], dict[str, Any]]:
  """Returns the outcome of every split, and what else results.json says.

  Args:
    streams: to read.
    emotions: names of the classes.
    parts: split -> clips; 'training' is learnt from, 'validation' chooses the
      penalty as it chooses a network's epoch.
    workdir: gets the fitted baseline.
  """
  before = time.perf_counter()
  penalty, linear = _choose(tuple(streams), tuple(emotions), parts)
  linear.save(workdir)
  seconds = time.perf_counter() - before
  outcomes = {split: linear.predict(clips) for split, clips in parts.items()}
  return outcomes, {
    'penalty': penalty,
    'seconds': seconds,
    'clips_per_second': len(parts['training']) / max(seconds, 1e-9),
    'parameters': linear.weights.size + linear.bias.size,
    'device': 'scikit-learn',
  }


def _choose(streams, emotions, parts) -> tuple[float, Linear]:
  """Returns the penalty that validates best, and what it gives."""
  from sklearn.linear_model import LogisticRegression

  x = describe(parts['training'], streams)
  label = np.array([emotions.index(c.label) for c in parts['training']])
  mean, scale = x.mean(0), x.std(0)
  scale = np.where(scale > 1e-12 * np.abs(mean), scale, 1.0)
  tried, selection = [], Selection()
  for number, penalty in enumerate(PENALTIES):
    model = LogisticRegression(C=penalty, max_iter=5000)
    model.fit((x - mean) / scale, label)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # two classes: the logit of the second
      weights = np.concatenate([0 * weights, weights])
      bias = np.concatenate([0 * bias, bias])
    # An emotion without a training clip is never predicted.
    whole = np.zeros((len(emotions), x.shape[1]))
    offset = np.full(len(emotions), -1e9)
    whole[model.classes_], offset[model.classes_] = weights, bias
    linear = Linear(streams, emotions, mean, scale, whole, offset)
    scores = linear.predict(parts['validation']).scores()
    selection, _ = selection.update(number, scores['accuracy'], scores['loss'])
    tried.append((penalty, linear))
  return tried[selection.epoch]
