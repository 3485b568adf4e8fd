"""From the streams of a batch to states: Sections 2.1, 2.2 and 4.1."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from avjax import settings
from avjax.errors import ConfigError
from avjax.kernels import KernelError, compiled, windowed
from avjax.kernels.dense import dense
from avjax.kernels.lstm import lstm, picked
from avjax.models import alignment
from avjax.models.dropout import dropout
from avjax.shapes import Array, Float, Int, Key

ACTIVATIONS = {'relu': nn.relu, 'tanh': jnp.tanh, 'sigmoid': nn.sigmoid}

glorot = nn.initializers.glorot_uniform()
# Each gate is a matrix of its own, so that the four share no scale.
_glorot_per_gate = nn.initializers.glorot_uniform(
  in_axis=0, out_axis=2, batch_axis=1
)


def _orthogonal_per_gate(key, shape, dtype=jnp.float32):
  rows, gates, cells = shape
  keys = jax.random.split(key, gates)
  init = nn.initializers.orthogonal()
  return jnp.stack([init(k, (rows, cells), dtype) for k in keys], axis=1)


def _forget_one(key, shape, dtype=jnp.float32):
  del key
  return jnp.zeros(shape, dtype).at[1].set(1)  # gates i, f, o, g


class Encoder(nn.Module):
  """One encoder of Figure 1: h_av, or the smaller h_sel.

  audio -> hidden -> LSTM, aligned to the video frames; every visual stream ->
  hidden, joined by another hidden layer where there are several; both -> the
  audio-visual LSTM. Without audio the LSTM reads vision alone.
  """

  cells: int
  config: settings.ModelConfig

  @nn.compact
  def __call__(
    self,
    audio: Float[Array, 'B Ta _'] | None,
    visual: Mapping[str, Float[Array, 'B T _']],
    audio_length: Int[Array, ' B'],
    visual_length: Int[Array, ' B'],
    keys: Key[Array, ' B'] | None = None,
  ) -> tuple[Float[Array, 'B T C'], Float[Array, 'B T W'] | None]:
    """Returns the states, zero on padding, and the alignment l_t.

    Args:
      audio: zero on padding, as `visual` is; None without audio.
      visual: stream -> its frames.
      audio_length: true audio frames.
      visual_length: true video frames.
      keys: of dropout, one a clip; None switches it off.
    """
    config = self.config

    def hidden(name, size, x, lengths):
      dense = Dense(size, config.implementation, name=name)
      x = ACTIVATIONS[config.activation](dense(x, lengths))
      return dropout(x, config.dropout, keys, (*self.path, name))

    streams = [
      hidden(f'{stream}_hidden', config.hidden_size, x, visual_length)
      for stream, x in visual.items()
    ]
    frames = streams[0]
    if len(streams) > 1:
      joined = jnp.concatenate(streams, axis=-1)
      frames = hidden('visual_hidden', self.cells, joined, visual_length)

    weights = None
    if audio is not None:
      heard = hidden('audio_hidden', self.cells, audio, audio_length)
      if config.alignment.reads == 'states':
        heard = LSTM(self.cells, config.implementation, name='audio_lstm')(
          heard, audio_length
        )
      aligned, weights = Align(
        config.alignment, config.implementation, name='alignment'
      )(heard, frames, audio_length, visual_length)
      frames = jnp.concatenate([aligned, frames], axis=-1)  # [x_t; v_t]
    states = LSTM(self.cells, config.implementation, name='lstm')(
      frames, visual_length
    )
    return states, weights


class Dense(nn.Module):
  """One dense layer, without its activation."""

  size: int
  implementation: str | None = None

  @nn.compact
  def __call__(
    self, inputs: Float[Array, 'B T D'], lengths: Int[Array, ' B']
  ) -> Float[Array, 'B T V']:
    """Returns the outputs; on padding they are finite."""
    kernel = self.param('kernel', glorot, (inputs.shape[-1], self.size))
    bias = self.param('bias', nn.initializers.zeros, (self.size,))
    if compiled.runs(self.implementation or picked()):
      return dense(inputs, kernel, bias, lengths)
    # Without the barrier XLA folds a transposition into the product that is
    # the kernel's gradient, and a training step takes a third longer on a CPU.
    rows = jax.lax.optimization_barrier(kernel.T)
    return jnp.einsum('btd,vd->btv', inputs, rows) + bias[None, None]


class LSTM(nn.Module):
  """One LSTM layer (Eqs. 1-3)."""

  cells: int
  implementation: str | None = None

  @nn.compact
  def __call__(
    self, inputs: Float[Array, 'B T D'], lengths: Int[Array, ' B']
  ) -> Float[Array, 'B T C']:
    """Returns the states h, zero on padding."""
    width, cells = inputs.shape[-1], self.cells
    w_input = self.param('w_input', _glorot_per_gate, (width, 4, cells))
    w_recurrent = self.param(
      'w_recurrent', _orthogonal_per_gate, (cells, 4, cells)
    )
    bias = self.param('bias', _forget_one, (4, cells))
    try:
      states, _ = lstm(
        inputs,
        w_input,
        w_recurrent,
        bias,
        lengths,
        implementation=self.implementation,
      )
    except KernelError as error:
      raise ConfigError(f'model.implementation: {error}') from error
    return states


class Align(nn.Module):
  """The audio aligned to the video frames (Eqs. 4-6)."""

  config: settings.AlignmentConfig
  implementation: str | None = None

  @nn.compact
  def __call__(
    self,
    audio: Float[Array, 'B Ta C'],
    visual: Float[Array, 'B T V'],
    audio_length: Int[Array, ' B'],
    visual_length: Int[Array, ' B'],
  ) -> tuple[Float[Array, 'B T C'], Float[Array, 'B T W']]:
    """Returns x_t and l_t of every clip."""
    positions = 2 * self.config.half_window
    ratio = self.config.fixed_ratio
    if self.config.mode == 'centre':
      return jax.vmap(
        functools.partial(alignment.centre, ratio=ratio), (0, None, None, 0, 0)
      )(audio, positions, visual.shape[1], audio_length, visual_length)
    size = audio.shape[-1]  # of the hidden layer of Eq. 5; ours
    w_audio = self.param('w_audio', glorot, (audio.shape[-1], size))
    w_visual = self.param('w_visual', glorot, (visual.shape[-1], size))
    w_place = self.param('w_place', glorot, (positions, size))
    if compiled.runs(self.implementation or picked()):
      frames = jnp.arange(visual.shape[1])
      centre = jax.vmap(
        functools.partial(alignment.window_centre, ratio=ratio), (None, 0, 0)
      )(frames, audio_length, visual_length)
      return windowed.attention(
        audio,
        audio @ w_audio,
        visual @ w_visual,
        w_place,
        centre,
        audio_length,
        visual_length,
      )
    align = functools.partial(alignment.align, ratio=ratio)
    return jax.vmap(align, (0, 0, None, None, None, 0, 0))(
      audio, visual, w_audio, w_visual, w_place, audio_length, visual_length
    )
