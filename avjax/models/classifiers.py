"""The four networks of Table 1: Section 2.2 and 2.3."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from avjax import settings
from avjax.clips import AUDIO, Batch
from avjax.errors import ConfigError
from avjax.kernels.lstm import IMPLEMENTATIONS
from avjax.kernels.lstm.api import last_step
from avjax.models import heads
from avjax.models.dropout import clip_keys, dropout
from avjax.models.encoder import Encoder, encode, glorot
from avjax.models.perception import attend
from avjax.shapes import Array, Float, Int

NETWORKS = ('average_pool5', 'last_time', 'average', 'proposed')


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


def build(config: Any, emotions: Sequence[str]) -> nn.Module:
  """Returns the network of a config's model section.

  `module.init(key, batch)` gives its variables and `module.apply(variables,
  batch, train=False)` a `Prediction`; with `train=True` dropout is on and
  draws from `rngs={'dropout': key}`.

  Args:
    config: `config.model`, or a `settings.Model`.
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
  if config.variant == 'proposed':
    return Proposed(config, len(emotions))
  return Pooled(config, len(emotions))


class Pooled(nn.Module):
  """Average encoding (Eq. 8) or last-time encoding (Eq. 7); Section 2.2."""

  settings: settings.ModelConfig
  classes: int

  @nn.compact
  def __call__(
    self, batch: Batch, train: bool = False, first_row: int | jax.Array = 0
  ) -> Prediction:
    """Returns the prediction; `first_row`: see `_open`."""
    config = self.settings
    audio, visual, keys = _open(self, batch, train, first_row)
    widths = _widths(audio, visual)
    encoder = Encoder(config.lstm_cells, config, name='encoder')(widths)
    states, alignment = encode(
      {'encoder': encoder},
      config,
      audio,
      visual,
      batch.audio_length,
      batch.visual_length,
      keys,
    )['encoder']
    pool = last_step if config.variant == 'last_time' else heads.mean_state
    pooled = pool(states, batch.visual_length)
    pooled = dropout(pooled, config.dropout, keys, self.path)
    w_class = self.param('w_class', glorot, (pooled.shape[1], self.classes))
    b_class = self.param('b_class', nn.initializers.zeros, (self.classes,))
    return Prediction(
      logits=pooled @ w_class + b_class[None], alignment=alignment
    )


class Proposed(nn.Module):
  """Perception attention over the states (Eqs. 9-11); Section 2.3."""

  settings: settings.ModelConfig
  classes: int

  @nn.compact
  def __call__(
    self, batch: Batch, train: bool = False, first_row: int | jax.Array = 0
  ) -> Prediction:
    """Returns the prediction; `first_row`: see `_open`."""
    config = self.settings
    audio, visual, keys = _open(self, batch, train, first_row)
    widths = _widths(audio, visual)
    cells = {'encoder': config.lstm_cells}
    if not config.shared_encoder:
      cells['selector'] = config.selector_cells
    encoded = encode(
      {
        name: Encoder(c, config, name=name)(widths) for name, c in cells.items()
      },
      config,
      audio,
      visual,
      batch.audio_length,
      batch.visual_length,
      keys,
    )
    states, alignment = encoded['encoder']
    selector, selector_alignment = encoded.get('selector', (states, None))

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
    kept = dropout(jnp.ones_like(states[:, 0]), config.dropout, keys, self.path)
    logits = jax.vmap(heads.classify, (0, 0, None, None))(
      states * kept[:, None], attention, w_class, b_class
    )
    return Prediction(
      logits=logits,
      alignment=alignment,
      attention=attention,
      selector_alignment=selector_alignment,
    )


def _open(
  module: nn.Module, batch: Batch, train: bool, first_row: int | jax.Array
) -> tuple[Array | None, Mapping[str, Array], Array | None]:
  """Returns audio and visual streams, zero on padding, and dropout's keys.

  Args:
    module: the network, whose settings say which streams it reads.
    batch: what `module` was called with.
    train: False switches dropout off: the keys are None.
    first_row: place of the batch's first clip in the global batch, where
      several devices have a part each.
  """
  config = module.settings
  visual = {
    name: _zero_padding(batch.visual[name], batch.visual_length, batch)
    for name in config.streams
    if name != AUDIO
  }
  audio = None
  if AUDIO in config.streams:
    if batch.audio is None:
      raise ValueError('the model reads audio, and the batch has none')
    audio = _zero_padding(batch.audio, batch.audio_length, batch)
  keys = None
  if train and config.dropout > 0:
    keys = clip_keys(
      module.make_rng('dropout'), first_row, batch.visual_length.shape[0]
    )
  return audio, visual, keys


def _widths(audio: Array | None, visual: Mapping[str, Array]) -> dict[str, int]:
  """Returns stream -> its width."""
  streams = dict(visual) if audio is None else {AUDIO: audio, **visual}
  return {name: x.shape[-1] for name, x in streams.items()}


def _zero_padding(
  x: Float[Array, 'B T D'], length: Int[Array, ' B'], batch: Batch
) -> Float[Array, 'B T D']:
  if batch.zero_padded:
    return x
  within = jnp.arange(x.shape[1])[None] < length[:, None]
  return jnp.where(within[..., None], x, 0)
