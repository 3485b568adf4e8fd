"""The four networks of Table 1: Section 2.2 and 2.3."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from avjax import settings
from avjax.clips import AUDIO, Batch
from avjax.errors import ConfigError
from avjax.kernels.lstm import IMPLEMENTATIONS, picked
from avjax.kernels.lstm.api import last_step
from avjax.models import heads
from avjax.models.dropout import clip_keys, dropout
from avjax.models.encoder import Encoder, glorot
from avjax.models.perception import attend
from avjax.shapes import Array, Float, Int, Key


@struct.dataclass
class Prediction:
  """What one forward pass gives for a batch.

  Attributes:
    logits: one an emotion; their softmax is the probability.
    alignment: l_t of the encoder that is classified, h_av; None without audio.
    attention: f^n of every emotion; None but for the proposed network.
    selector_alignment: l_t of the selecting encoder, h_sel; None where it is
      not a network of its own.
  """

  logits: Float[Array, 'B N']
  alignment: Float[Array, 'B T W'] | None = None
  attention: Float[Array, 'B N T'] | None = None
  selector_alignment: Float[Array, 'B T W'] | None = None


class Pooled(nn.Module):
  """Average encoding (Eq. 8) or last-time encoding (Eq. 7); Section 2.2.

  Attributes:
    pool: states and lengths -> one vector a clip.
  """

  config: settings.ModelConfig
  classes: int
  pool: Callable[[Array, Array], Array]

  @nn.compact
  def __call__(
    self, batch: Batch, train: bool = False, first_row: int | jax.Array = 0
  ) -> Prediction:
    """Returns the prediction; `first_row`: see `_inputs`."""
    config = self.config
    inputs = _inputs(self, batch, train, first_row)
    encoder = Encoder(config.lstm_cells, config, name='encoder')
    states, alignment = encoder(*inputs)
    pooled = self.pool(states, batch.visual_length)
    pooled = dropout(pooled, config.dropout, inputs.keys, self.path)
    w_class = self.param('w_class', glorot, (pooled.shape[1], self.classes))
    b_class = self.param('b_class', nn.initializers.zeros, (self.classes,))
    return Prediction(
      logits=pooled @ w_class + b_class[None], alignment=alignment
    )


class Proposed(nn.Module):
  """Perception attention over the states (Eqs. 9-11); Section 2.3."""

  config: settings.ModelConfig
  classes: int

  @nn.compact
  def __call__(
    self, batch: Batch, train: bool = False, first_row: int | jax.Array = 0
  ) -> Prediction:
    """Returns the prediction; `first_row`: see `_inputs`."""
    config = self.config
    inputs = _inputs(self, batch, train, first_row)
    encoder = Encoder(config.lstm_cells, config, name='encoder')
    states, alignment = encoder(*inputs)
    selector, selector_alignment = states, None
    if not config.shared_encoder:
      encoder = Encoder(config.selector_cells, config, name='selector')
      selector, selector_alignment = encoder(*inputs)

    w_state = self.param(
      'w_state', glorot, (selector.shape[-1], config.embedding_size)
    )
    # Small, so that every emotion begins with nearly uniform attention.
    embeddings = self.param(
      'embeddings',
      nn.initializers.normal(0.1),
      (self.classes, config.embedding_size),
    )
    w_class = self.param('w_class', glorot, (self.classes, states.shape[-1]))
    b_class = self.param('b_class', nn.initializers.zeros, (self.classes,))

    attention = jax.vmap(attend, (0, None, None, 0))(
      selector, w_state, embeddings, batch.visual_length
    )
    # Before the output layer: one mask over the cells for all the frames of a
    # clip is the same as one over the attended state.
    ones = jnp.ones_like(states[:, 0])
    kept = dropout(ones, config.dropout, inputs.keys, self.path)
    logits = jax.vmap(heads.classify, (0, 0, None, None))(
      states * kept[:, None], attention, w_class, b_class
    )
    return Prediction(
      logits=logits,
      alignment=alignment,
      attention=attention,
      selector_alignment=selector_alignment,
    )


class Inputs(NamedTuple):
  """What an encoder reads, in the order of its arguments.

  Attributes:
    audio: zero on padding; None where the network reads none.
    visual: stream -> its frames, zero on padding.
    audio_length: true audio frames.
    visual_length: true video frames.
    keys: of dropout, one a clip; None switches it off.
  """

  audio: Float[Array, 'B Ta _'] | None
  visual: Mapping[str, Float[Array, 'B T _']]
  audio_length: Int[Array, ' B']
  visual_length: Int[Array, ' B']
  keys: Key[Array, ' B'] | None


def _inputs(
  network: nn.Module, batch: Batch, train: bool, first_row: int | jax.Array
) -> Inputs:
  """Returns what the encoders read: the opening of every network.

  Args:
    network: its config says which streams it reads.
    batch: what `network` was called with.
    train: False switches dropout off.
    first_row: index of the batch's first clip in the global batch, of which
      each of several devices has a part.
  """
  config = network.config
  audio, visual = None, {}
  for name in config.streams:
    if name != AUDIO:
      visual[name] = _zero_padding(
        batch.visual[name], batch.visual_length, batch
      )
    elif batch.audio is None:
      raise ValueError('the model reads audio, and the batch has none')
    else:
      audio = _zero_padding(batch.audio, batch.audio_length, batch)
  keys = None
  if train and config.dropout > 0:
    keys = clip_keys(
      network.make_rng('dropout'), first_row, batch.visual_length.shape[0]
    )
  return Inputs(audio, visual, batch.audio_length, batch.visual_length, keys)


def _zero_padding(
  x: Float[Array, 'B T D'], length: Int[Array, ' B'], batch: Batch
) -> Float[Array, 'B T D']:
  if batch.zero_padded:
    return x
  within = jnp.arange(x.shape[1])[None] < length[:, None]
  return jnp.where(within[..., None], x, 0)


class Recipe(NamedTuple):
  """How one of the networks is made.

  Attributes:
    make: config, number of emotions -> its module.
    checks: each raises a ConfigError for a config that it cannot be made of.
  """

  make: Callable[[settings.ModelConfig, int], nn.Module]
  checks: tuple[Callable[[settings.ModelConfig], None], ...] = ()


def _one_visual_stream(config: settings.ModelConfig) -> None:
  if len(config.streams) != 1 or AUDIO in config.streams:
    raise ConfigError(
      f'model.variant {config.variant} reads one visual stream and no audio;'
      f' model.streams is {config.streams}: use configs/{config.variant}.py'
    )


def _no_selector(config: settings.ModelConfig) -> None:
  if config.shared_encoder:
    raise ConfigError(
      f'model.shared_encoder is for the variant proposed, not {config.variant}'
    )


_average = functools.partial(Pooled, pool=heads.mean_state)
_last_time = functools.partial(Pooled, pool=last_step)

NETWORKS: dict[str, Recipe] = {
  'average_pool5': Recipe(_average, (_one_visual_stream, _no_selector)),
  'last_time': Recipe(_last_time, (_no_selector,)),
  'average': Recipe(_average, (_no_selector,)),
  'proposed': Recipe(Proposed),
}
"""`model.variant` -> its network, in the order of Table 1."""


def check(config: settings.ModelConfig) -> None:
  """Raises a ConfigError where `build` can make no network of a config."""
  if config.implementation not in (None, *IMPLEMENTATIONS):
    raise ConfigError(
      f'model.implementation is {config.implementation!r}; it must be one of '
      + ', '.join(IMPLEMENTATIONS)
    )
  if config.variant not in NETWORKS:
    raise ConfigError(
      f'model.variant {config.variant} is no network; it must be one of '
      + ', '.join(NETWORKS)
    )
  for must in NETWORKS[config.variant].checks:
    must(config)
  if not set(config.streams) - {AUDIO}:
    raise ConfigError(
      f'model.streams {config.streams} has no visual stream; the model needs'
      " at least one beside audio, or 'sound' for the audio alone"
    )


def lstm_of(config: settings.ModelConfig) -> str:
  """Returns the LSTM implementation that a config has on this machine."""
  return config.implementation or picked()


def build(config: Any, emotions: Sequence[str]) -> nn.Module:
  """Returns the network of a config's model section.

  `module.init(key, batch)` gives its variables and `module.apply(variables,
  batch, train=False)` a `Prediction`; with `train=True` dropout is on and
  draws from `rngs={'dropout': key}`.

  Args:
    config: `config.model`, or a `settings.ModelConfig`.
    emotions: names of the classes, two or more, in the order of the logits.

  Raises:
    ConfigError: a setting that does not exist or cannot be.
  """
  if not isinstance(config, settings.ModelConfig):
    config = settings.section(settings.ModelConfig, config, 'model')
  if len(set(emotions)) < max(2, len(emotions)):
    raise ConfigError(
      f'the emotions are {tuple(emotions)}; at least two different ones are'
      ' needed'
    )
  check(config)
  return NETWORKS[config.variant].make(config, len(emotions))
