"""Decision fusion: an audio and a visual network, trained separately.

Section 4.3 names it as the stronger alternative to fusion at feature level.
The probabilities are multiplied, each raised to the power of a weight (ours).
The weights are equal, or selected on the validation clips.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from avjax.clips import AUDIO, SOUND, Clip, Splits
from avjax.data import corpus
from avjax.errors import ConfigError
from avjax.runs.folder import RESULTS, RunFolder
from avjax.runs.info import RunInfo
from avjax.runs.joining import joined_warnings
from avjax.runs.model import Fitted, Job, Model
from avjax.runs.network import Network, TrainedNetwork
from avjax.settings import Settings
from avjax.shapes import Array, Float
from avjax.training.early_stopping import BestEpoch
from avjax.training.outcome import Outcome, without_maps

STEPS = 20
"""The weights 0, 1/20, ..., 1 are tried on the validation clips."""
_LEAST = 1e-12  # probability, so that one network cannot exclude a class
_NETWORK = Network()


class DecisionFusion(Model):
  """Two networks, each in a subfolder of the run folder."""

  table = 2

  def members(self, config: Settings) -> dict[str, Settings]:
    visual = tuple(name for name in config.model.streams if name != AUDIO)
    return {
      name: dataclasses.replace(
        config,
        model=dataclasses.replace(
          config.model, variant='average', streams=streams
        ),
      )
      for name, streams in (('audio', (SOUND,)), ('vision', visual))
    }

  def check(self, config: Settings) -> None:
    if AUDIO not in config.model.streams:
      raise ConfigError(
        'model.variant decision_fusion combines an audio and a visual network;'
        f" model.streams {config.model.streams} lacks 'audio'; add it"
      )
    for member in self.members(config).values():
      _NETWORK.check(member)

  def fit(self, job: Job) -> Fitted:
    fitted = {}
    for name, config in self.members(job.config).items():
      member = Job(
        config,
        job.info.members[name],
        {
          split: corpus.as_read(clips, config.model.streams)
          for split, clips in job.splits.items()
        },
        job.folder / name,
        f'{job.title} {name}'.strip(),
        corpus.as_read(job.apart, config.model.streams),
        job.average,
      )
      member.folder.begin(member.config, member.info)
      fitted[name] = _NETWORK.fit(member)
      member.write(fitted[name])
    return fuse(job.config.model.fusion, fitted, job.splits)

  def load(
    self, config: Settings, folder: RunFolder, info: RunInfo
  ) -> 'FusedNetworks':
    members = {
      name: _NETWORK.load(member, folder / name, info.members[name])
      for name, member in self.members(config).items()
    }
    return FusedNetworks(members, folder)


@dataclasses.dataclass(frozen=True)
class FusedNetworks:
  """The two trained networks, and the run folder with their weights."""

  members: Mapping[str, TrainedNetwork]
  folder: RunFolder

  def predict(
    self,
    clips: Sequence[Clip],
    rounded: bool = False,
    among: Sequence[Clip] = (),
  ) -> tuple[Outcome, dict[str, Any]]:
    """Returns the fused predictions, and facts; see `Predictor`."""
    weights = self.folder.read_results()['weights']
    outcomes = {}
    for name, member in self.members.items():
      selected, others = (
        corpus.as_read(some, member.config.model.streams)
        for some in (clips, among)
      )
      outcomes[name], facts = member.predict(selected, rounded, others)
    return join(clips, outcomes, weights), {
      name: facts[name] for name in ('device', 'lstm')
    }

  def embeddings(self, clips: Sequence[Clip]) -> None:
    """Returns None, since the combination has no embeddings."""

  def parameters(self) -> None:
    """Returns None, since the combination is no network."""


def combine(
  probabilities: Sequence[Float[Array, 'n N']], weights: Sequence[float]
) -> Float[np.ndarray, 'n N']:
  """Returns the product of powers of probabilities, normalised: n clips.

  Args:
    probabilities: of each network; rows sum to one.
    weights: exponent of each network's probabilities.
  """
  stacked = np.maximum(np.stack(probabilities), _LEAST)
  logs = np.einsum('m,mnk->nk', np.asarray(weights), np.log(stacked))
  return softmax(logs, axis=1)


def join(
  clips: Sequence[Clip],
  outcomes: Mapping[str, Outcome],
  weights: Mapping[str, float],
) -> Outcome:
  """Returns the fused predictions for the clips.

  Args:
    clips: that both networks have predicted.
    outcomes: network -> predictions for the clips.
    weights: network -> weight.
  """
  each = [outcomes[name] for name in weights]
  shares = combine([o.probabilities for o in each], list(weights.values()))
  return without_maps(clips, each[0].emotions, shares)


def choose(
  clips: Sequence[Clip], outcomes: Mapping[str, Outcome]
) -> dict[str, float]:
  """Returns the weights of two networks that fit the clips best.

  The higher accuracy is better; with equal accuracies the lower loss. The best
  epoch of a network is selected in the same way.

  Args:
    clips: validation clips.
    outcomes: network -> predictions for these clips.
  """
  first, second = outcomes
  tried, best = [], BestEpoch()
  for step in range(STEPS + 1):
    weights = {first: step / STEPS, second: 1 - step / STEPS}
    scores = join(clips, outcomes, weights).scores()
    best, _ = best.update(step, scores['accuracy'], scores['loss'])
    tried.append(weights)
  return tried[best.epoch]


def fuse(how: str, fitted: Mapping[str, Fitted], splits: Splits) -> Fitted:
  """Returns the fused predictions.

  Args:
    how: 'equal' weights, or weights selected by 'validation'.
    fitted: network -> its predictions.
    splits: the clips.
  """
  by_split = {
    split: {name: one.outcomes[split] for name, one in fitted.items()}
    for split in splits
  }
  weights = {name: 1 / len(fitted) for name in fitted}
  if how == 'validation':
    weights = choose(splits['validation'], by_split['validation'])
  facts = [one.facts for one in fitted.values()]
  seconds = sum(one['seconds'] for one in facts)
  trained = max(one['epochs'] for one in facts) * len(splits['training'])
  return Fitted(
    {
      split: join(clips, by_split[split], weights)
      for split, clips in splits.items()
    },
    {
      'weights': weights,
      'seconds': seconds,
      'clips_per_second': trained / max(seconds, 1e-9),
      'parameters': sum(one['parameters'] for one in facts),
      'device': facts[0]['device'],
      'lstm': facts[0]['lstm'],
    }
    | joined_warnings({name: one.facts for name, one in fitted.items()}),
    tuple(f'{name}/{RESULTS}' for name in fitted),
  )
