"""Decision fusion: a network that hears and one that sees, trained apart.

Section 4.3 names it as the stronger alternative to fusion at feature level.
Their probabilities are multiplied, each to the power of a weight (ours): equal
weights, or those that validate best.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax.clips import AUDIO, SOUND, Clip
from avjax.settings import Settings
from avjax.shapes import Array, Float
from avjax.training.evaluate import Outcome, without_maps
from avjax.training.selection import Selection

STEPS = 20
"""Weights that are tried on the validation clips: 0, 1/20, ..., 1."""
_LEAST = 1e-12  # of a probability: one network alone cannot rule a class out


def members(config: Settings) -> dict[str, Settings]:
  """Returns the settings of the networks that are fused, by name."""
  seen = tuple(name for name in config.model.streams if name != AUDIO)
  return {
    name: dataclasses.replace(
      config,
      model=dataclasses.replace(
        config.model, variant='average', streams=streams
      ),
    )
    for name, streams in (('audio', (SOUND,)), ('vision', seen))
  }


def combine(
  probabilities: Sequence[Float[Array, 'n N']], weights: Sequence[float]
) -> Float[np.ndarray, 'n N']:
  """Returns the weighted mean of the log probabilities, as probabilities."""
  stacked = np.maximum(np.stack(probabilities), _LEAST)
  logs = np.einsum('m,mnk->nk', np.asarray(weights), np.log(stacked))
  shares = np.exp(logs - logs.max(1, keepdims=True))
  return shares / shares.sum(1, keepdims=True)


def join(
  clips: Sequence[Clip],
  outcomes: Mapping[str, Outcome],
  weights: Mapping[str, float],
) -> Outcome:
  """Returns what the members say together of the clips."""
  each = [outcomes[name] for name in weights]
  shares = combine([o.probabilities for o in each], list(weights.values()))
  return without_maps(clips, each[0].emotions, shares)


def choose(
  clips: Sequence[Clip], outcomes: Mapping[str, Outcome]
) -> dict[str, float]:
  """Returns the weights of two members that fit the clips best.

  Higher accuracy is better; of equal accuracies the lower loss, as where a
  network's epoch is chosen.
  """
  first, second = outcomes
  tried, selection = [], Selection()
  for step in range(STEPS + 1):
    weights = {first: step / STEPS, second: 1 - step / STEPS}
    scores = join(clips, outcomes, weights).scores()
    selection, _ = selection.update(step, scores['accuracy'], scores['loss'])
    tried.append(weights)
  return tried[selection.epoch]


def fuse(
  how: str,
  fitted: Mapping[str, tuple[Mapping[str, Outcome], Mapping[str, Any]]],
  parts: Mapping[str, Sequence[Clip]],
) -> tuple[dict[str, Outcome], dict[str, Any]]:
  """Returns the fused outcome of every split, and what results.json adds.

  Args:
    how: 'equal' weights, or chosen by 'validation'.
    fitted: member -> its outcomes by split, and its facts.
    parts: split -> clips.
  """
  by_split = {
    split: {name: outcomes[split] for name, (outcomes, _) in fitted.items()}
    for split in parts
  }
  weights = {name: 1 / len(fitted) for name in fitted}
  if how == 'validation':
    weights = choose(parts['validation'], by_split['validation'])
  facts = [facts for _, facts in fitted.values()]
  seconds = sum(one['seconds'] for one in facts)
  epochs = max(one['epochs'] for one in facts)
  return {
    split: join(clips, by_split[split], weights)
    for split, clips in parts.items()
  }, {
    'weights': weights,
    'seconds': seconds,
    'clips_per_second': epochs * len(parts['training']) / max(seconds, 1e-9),
    'parameters': sum(one['parameters'] for one in facts),
    'device': facts[0]['device'],
  }
