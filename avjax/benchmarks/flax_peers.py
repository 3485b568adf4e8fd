"""A plain Flax implementation of the proposed network, for comparison.

It uses `nn.RNN(nn.OptimizedLSTMCell)`, `nn.Dense`, `nn.Dropout` and
`optax.adadelta`. Equations without a Flax layer are written for a padded batch
in the simplest way. The padding must be finite.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax.training.train_state import TrainState

from avjax import settings
from avjax.clips import AUDIO, Batch
from avjax.shapes import Array, Float, Int


class FlaxProposed(nn.Module):
  """Perception attention over the states (Eqs. 9-11)."""

  settings: settings.ModelConfig
  classes: int

  @nn.compact
  def __call__(self, batch: Batch, train: bool = False) -> Float[Array, 'B N']:
    """Returns the logits."""
    config = self.settings
    states = FlaxEncoder(config.lstm_cells, config, name='encoder')(
      batch, train
    )
    selector = FlaxEncoder(config.selector_cells, config, name='selector')(
      batch, train
    )
    scores = nn.Dense(config.embedding_size, use_bias=False, name='w_state')(
      selector
    )
    scores = nn.Dense(self.classes, use_bias=False, name='embeddings')(scores)
    within = jnp.arange(states.shape[1])[None] < batch.visual_length[:, None]
    attention = jax.nn.softmax(scores, axis=1, where=within[..., None])
    attended = jnp.einsum('btn,btc->bnc', attention, states)
    attended = nn.Dropout(
      config.dropout, broadcast_dims=(1,), deterministic=not train
    )(attended)
    w_class = self.param(
      'w_class',
      nn.initializers.glorot_uniform(),
      (self.classes, config.lstm_cells),
    )
    b_class = self.param('b_class', nn.initializers.zeros, (self.classes,))
    return jnp.einsum('bnc,nc->bn', attended, w_class) + b_class[None]


class FlaxEncoder(nn.Module):
  """The encoder: audio and video in one sequence of states (Eqs. 1-6)."""

  hidden_size: int
  settings: settings.ModelConfig

  @nn.compact
  def __call__(self, batch: Batch, train: bool) -> Float[Array, 'B T C']:
    """Returns the states."""
    config = self.settings

    def hidden(stream, size, x):
      x = nn.relu(nn.Dense(size, name=f'{stream}_hidden')(x))
      return nn.Dropout(config.dropout, deterministic=not train)(x)

    def lstm(name, x, lengths):
      cell = nn.OptimizedLSTMCell(self.hidden_size, parent=None)
      return nn.RNN(cell, name=name)(x, seq_lengths=lengths)

    audio = hidden(AUDIO, self.hidden_size, batch.audio)
    audio = lstm('audio_lstm', audio, batch.audio_length)
    streams = [
      hidden(stream, config.hidden_size, batch.visual[stream])
      for stream in config.streams
      if stream != AUDIO
    ]
    joined = jnp.concatenate(streams, axis=-1)
    frames = hidden('visual', self.hidden_size, joined)
    aligned = FlaxAlign(2 * config.alignment.half_window, name='alignment')(
      audio, frames, batch.audio_length, batch.visual_length
    )
    frames = jnp.concatenate([aligned, frames], axis=-1)
    return lstm('lstm', frames, batch.visual_length)


class FlaxAlign(nn.Module):
  """The alignment of audio to the video frames (Eqs. 4-6)."""

  positions: int

  @nn.compact
  def __call__(
    self,
    audio: Float[Array, 'B Ta C'],
    visual: Float[Array, 'B T V'],
    audio_length: Int[Array, ' B'],
    visual_length: Int[Array, ' B'],
  ) -> Float[Array, 'B T C']:
    """Returns the aligned audio x_t."""
    size, steps = audio.shape[-1], jnp.arange(visual.shape[1])[None]
    audio_length, visual_length = audio_length[:, None], visual_length[:, None]
    centre = (2 * steps + 1) * audio_length // (2 * visual_length)
    frame = centre[..., None] + jnp.arange(self.positions) - self.positions // 2
    exists = (frame >= 0) & (frame < audio_length[..., None])
    exists &= (steps < visual_length)[..., None]
    frame = jnp.clip(frame, 0, audio.shape[1] - 1)

    projected = nn.Dense(size, use_bias=False, name='w_audio')(audio)
    rows = jnp.arange(audio.shape[0])[:, None, None]
    query = nn.Dense(size, use_bias=False, name='w_visual')(visual)
    hidden = jnp.tanh(projected[rows, frame] + query[:, :, None])
    w_place = self.param(
      'w_place', nn.initializers.glorot_uniform(), (self.positions, size)
    )
    scores = jnp.einsum('btwa,wa->btw', hidden, w_place)
    weights = jax.nn.softmax(scores, axis=-1, where=exists)
    return jnp.einsum('btw,btwc->btc', weights, audio[rows, frame])


def from_ours(params: Mapping) -> dict:
  """Returns the parameters of `FlaxProposed` with the values of ours."""

  def encoder(ours):
    align = ours['alignment']
    hidden = {name: ours[name] for name in ours if name.endswith('_hidden')}
    return hidden | {
      'audio_lstm': _cell(ours['audio_lstm']),
      'lstm': _cell(ours['lstm']),
      'alignment': {
        'w_audio': {'kernel': align['w_audio']},
        'w_visual': {'kernel': align['w_visual']},
        'w_place': align['w_place'],
      },
    }

  return {
    'encoder': encoder(params['encoder']),
    'selector': encoder(params['selector']),
    'w_state': {'kernel': params['w_state']},
    'embeddings': {'kernel': params['embeddings'].T},
    'w_class': params['w_class'],
    'b_class': params['b_class'],
  }


def _cell(ours):
  """Returns the parameters of `nn.RNN(nn.OptimizedLSTMCell)`."""
  cell = {}
  for gate, letter in enumerate('ifog'):
    cell[f'i{letter}'] = {'kernel': ours['w_input'][:, gate]}
    cell[f'h{letter}'] = {
      'kernel': ours['w_recurrent'][:, gate],
      'bias': ours['bias'][gate],
    }
  return {'cell': cell}


def lstm(
  arrays: Sequence[Array], lengths: Int[Array, ' B'] | None, unroll: int = 1
) -> Float[Array, 'B T C']:
  """Returns the states of one layer.

  Args:
    arrays: inputs and parameters, as for `avjax.lstm`.
    lengths: of each row; None without padding.
    unroll: steps per iteration of the loop.
  """
  inputs, w_input, w_recurrent, bias = arrays
  ours = {'w_input': w_input, 'w_recurrent': w_recurrent, 'bias': bias}
  cell = nn.OptimizedLSTMCell(bias.shape[1], param_dtype=inputs.dtype)
  layer = nn.RNN(cell, unroll=unroll)
  h: Any = layer.apply({'params': _cell(ours)}, inputs, seq_lengths=lengths)
  if lengths is None:
    return h
  within = jnp.arange(inputs.shape[1])[None] < lengths[:, None]
  return jnp.where(within[..., None], h, 0)


def create_state(
  config: settings.Settings, params: Mapping, classes: int
) -> TrainState:
  """Returns the initial train state of `FlaxProposed`, with our parameters."""
  training = config.training
  return TrainState.create(
    apply_fn=FlaxProposed(config.model, classes).apply,
    params=jax.tree.map(jnp.copy, from_ours(params)),
    tx=optax.chain(
      optax.add_decayed_weights(training.weight_decay),
      optax.adadelta(
        training.learning_rate, rho=training.rho, eps=training.epsilon
      ),
    ),
  )


def _train_step(state, batch, key):
  """Returns the state after one step, and the mean cross-entropy."""
  key = jax.random.fold_in(key, state.step)

  def mean_loss(params):
    logits = state.apply_fn(
      {'params': params}, batch, train=True, rngs={'dropout': key}
    )
    return optax.softmax_cross_entropy_with_integer_labels(
      logits, batch.label
    ).mean()

  loss, gradients = jax.value_and_grad(mean_loss)(state.params)
  return state.apply_gradients(grads=gradients), loss


train_step = jax.jit(_train_step, donate_argnums=0)
