"""The networks of a recogniser as one function of named arrays."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from avjax.clips import AUDIO, Batch
from avjax.errors import ConfigError
from avjax.models import classifiers
from avjax.settings import ModelConfig
from avjax.shapes import Array

LENGTHS = ('audio_length', 'visual_length')
IMPLEMENTATION = 'fused'
"""Of the LSTM: plain XLA operations, which every device has. Kernels are for
one kind of device and are not exported."""


@dataclasses.dataclass(frozen=True)
class Averaged:
  """Networks of the same settings, whose probabilities are averaged.

  Attributes:
    settings: of every network.
    emotions: names of the N classes.
    members: the parameters of each network.
  """

  settings: ModelConfig
  emotions: Sequence[str]
  members: Sequence[Mapping[str, Any]]

  def __post_init__(self):
    if taken := {*LENGTHS, 'probabilities', 'attention'} & {*self.streams}:
      raise ConfigError(
        f'the model reads a stream {min(taken)!r}, which an exported file calls'
        ' something else; train with another name of the stream'
      )

  @functools.cached_property
  def module(self) -> nn.Module:
    """The network, with plain XLA operations."""
    settings = dataclasses.replace(self.settings, implementation=IMPLEMENTATION)
    return classifiers.build(settings, self.emotions)

  @property
  def streams(self) -> tuple[str, ...]:
    """The names of the streams, audio first."""
    return tuple(sorted(self.settings.streams, key=lambda k: k != AUDIO))

  @property
  def widths(self) -> dict[str, int]:
    """The stream -> its number of columns."""
    encoder = self.members[0]['encoder']
    return {
      name: encoder[f'{name}_hidden']['kernel'].shape[0]
      for name in self.streams
    }

  @property
  def inputs(self) -> dict[str, tuple[str | int, ...]]:
    """The name of each argument -> its shape; letters are sizes that vary.

    B is the number of clips, Ta of audio frames and T of video frames.
    """
    shapes: dict[str, tuple[str | int, ...]] = {
      name: ('B', 'Ta' if name == AUDIO else 'T', width)
      for name, width in self.widths.items()
    }
    return shapes | {
      name: ('B',)
      for name in LENGTHS
      if name != 'audio_length' or AUDIO in shapes
    }

  @property
  def outputs(self) -> dict[str, tuple[str | int, ...]]:
    """The name of each result -> its shape, as of `inputs`."""
    classes = len(self.emotions)
    shapes: dict[str, tuple[str | int, ...]] = {'probabilities': ('B', classes)}
    if isinstance(self.module, classifiers.Proposed):
      shapes['attention'] = ('B', classes, 'T')
    return shapes

  def __call__(self, **inputs: Array) -> dict[str, jax.Array]:
    """Returns the mean probabilities and attention of the networks.

    Args:
      inputs: streams and true lengths, as of `inputs`; float32 and int32. What
        stands in the padding is ignored.

    Returns:
      the arrays of `outputs`; attention is zero on padding.
    """
    batch, members = self.batch(**inputs), jax.tree.map(_stacked, *self.members)
    each = jax.vmap(self.member, (0, None))(members, batch)
    return {name: array.mean(0) for name, array in each.items()}

  def batch(self, **inputs: Array) -> Batch:
    """Returns the inputs as the networks read them."""
    lengths = inputs['visual_length']
    return Batch(
      audio=inputs.get(AUDIO),
      visual={k: inputs[k] for k in self.streams if k != AUDIO},
      audio_length=inputs.get('audio_length', jnp.zeros_like(lengths)),
      visual_length=lengths,
    )

  def member(
    self, parameters: Mapping[str, Any], batch: Batch
  ) -> dict[str, jax.Array]:
    """Returns the arrays of `outputs` of a single network."""
    prediction: Any = self.module.apply({'params': parameters}, batch)
    found = {'probabilities': jax.nn.softmax(prediction.logits)}
    if 'attention' in self.outputs:
      found['attention'] = prediction.attention
    return found


def _stacked(*members: Array) -> np.ndarray:
  return np.stack([np.asarray(array) for array in members])
