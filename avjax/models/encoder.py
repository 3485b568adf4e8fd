"""From the streams of a batch to states: Sections 2.1, 2.2 and 4.1."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from avjax import settings
from avjax.kernels.lstm import lstm
from avjax.models import alignment
from avjax.models.dropout import dropout
from avjax.shapes import Array, Float, Int, Key

_ACTIVATIONS = {'relu': nn.relu, 'tanh': jnp.tanh, 'sigmoid': nn.sigmoid}

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


class Hidden(nn.Module):
  """A fully connected layer, its activation and dropout (Section 4.1)."""

  size: int
  activation: str
  rate: float

  @nn.compact
  def __call__(
    self, x: Float[Array, 'B T D'], keys: Key[Array, ' B'] | None
  ) -> Float[Array, 'B T V']:
    kernel = self.param('kernel', glorot, (x.shape[-1], self.size))
    bias = self.param('bias', nn.initializers.zeros, (self.size,))
    # Without the barrier XLA folds a transposition into the product that is
    # the kernel's gradient, and that product is four times slower on a CPU.
    transposed = jax.lax.optimization_barrier(kernel.T)
    x = jnp.einsum('btd,vd->btv', x, transposed) + bias[None, None]
    x = _ACTIVATIONS[self.activation](x)
    return dropout(x, self.rate, keys, self.path)


class LSTM(nn.Module):
  """The parameters of one LSTM layer (Eqs. 1-3)."""

  cells: int
  implementation: str | None

  @nn.compact
  def __call__(
    self, x: Float[Array, 'B T D'], lengths: Int[Array, ' B']
  ) -> Float[Array, 'B T C']:
    width, cells = x.shape[-1], self.cells
    h, _ = lstm(
      x,
      self.param('w_input', _glorot_per_gate, (width, 4, cells)),
      self.param('w_recurrent', _orthogonal_per_gate, (cells, 4, cells)),
      self.param('bias', _forget_one, (4, cells)),
      lengths,
      implementation=self.implementation,
    )
    return h


class Align(nn.Module):
  """The parameters of the alignment (Eqs. 4-6), mapped over the clips."""

  settings: settings.Alignment

  @nn.compact
  def __call__(
    self,
    audio: Float[Array, 'B Ta C'],
    visual: Float[Array, 'B T V'],
    audio_length: Int[Array, ' B'],
    visual_length: Int[Array, ' B'],
  ) -> tuple[Float[Array, 'B T C'], Float[Array, 'B T W']]:
    places = 2 * self.settings.half_window
    if self.settings.mode == 'centre':
      return jax.vmap(alignment.centre, (0, None, None, 0, 0))(
        audio, places, visual.shape[1], audio_length, visual_length
      )
    size = audio.shape[-1]  # of the hidden layer of Eq. 5; ours
    return jax.vmap(alignment.align, (0, 0, None, None, None, 0, 0))(
      audio,
      visual,
      self.param('w_audio', glorot, (size, size)),
      self.param('w_visual', glorot, (visual.shape[-1], size)),
      self.param('w_place', glorot, (places, size)),
      audio_length,
      visual_length,
    )


class Encoder(nn.Module):
  """Audio and vision in one stream of states, h_av or h_sel (Figure 1).

  audio -> hidden -> LSTM, aligned to the video frames; every visual stream ->
  hidden, joined by another hidden layer where there are several; both -> the
  audio-visual LSTM. Without audio the LSTM reads vision alone.
  """

  cells: int
  settings: settings.Model

  @nn.compact
  def __call__(
    self,
    audio: Float[Array, 'B Ta _'] | None,
    visual: Mapping[str, Float[Array, 'B T _']],
    audio_length: Int[Array, ' B'],
    visual_length: Int[Array, ' B'],
    keys: Key[Array, ' B'] | None,
  ) -> tuple[Float[Array, 'B T C'], Float[Array, 'B T W'] | None]:
    """Returns the states, zero on padding, and the alignment l_t if any.

    The streams must be zero on padding; `keys` None switches dropout off.
    """
    config = self.settings
    frames = self._visual(visual, keys)
    weights = None
    if audio is not None:
      heard = Hidden(
        self.cells, config.activation, config.dropout, name='audio_hidden'
      )(audio, keys)
      if config.alignment.reads == 'states':
        heard = LSTM(self.cells, config.implementation, name='audio_lstm')(
          heard, audio_length
        )
      aligned, weights = Align(config.alignment, name='alignment')(
        heard, frames, audio_length, visual_length
      )
      frames = jnp.concatenate([aligned, frames], axis=-1)  # [x_t; v_t]
    states = LSTM(self.cells, config.implementation, name='lstm')(
      frames, visual_length
    )
    return states, weights

  def _visual(self, visual, keys):
    """Returns v_t of every frame."""
    config = self.settings
    hidden = [
      Hidden(
        config.hidden_size,
        config.activation,
        config.dropout,
        name=f'{stream}_hidden',
      )(visual[stream], keys)
      for stream in config.streams
      if stream != 'audio'
    ]
    if len(hidden) == 1:
      return hidden[0]
    return Hidden(
      self.cells, config.activation, config.dropout, name='visual_hidden'
    )(jnp.concatenate(hidden, axis=-1), keys)
