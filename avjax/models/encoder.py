"""From the streams of a batch to states: Sections 2.1, 2.2 and 4.1."""

import itertools
from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn

from avjax import settings
from avjax.clips import AUDIO
from avjax.kernels.lstm import lstm_together
from avjax.models import alignment
from avjax.models.dropout import dropout
from avjax.shapes import Array, Float, Int, Key

_ACTIVATIONS = {'relu': nn.relu, 'tanh': jnp.tanh, 'sigmoid': nn.sigmoid}

Layers: TypeAlias = Mapping[str, Any]
"""Layer -> its parameters, of one encoder."""

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
  """The parameters of a fully connected layer (Section 4.1)."""

  size: int

  @nn.compact
  def __call__(
    self, width: int
  ) -> tuple[Float[Array, 'D V'], Float[Array, ' V']]:
    return (
      self.param('kernel', glorot, (width, self.size)),
      self.param('bias', nn.initializers.zeros, (self.size,)),
    )


class LSTM(nn.Module):
  """The parameters of one LSTM layer (Eqs. 1-3)."""

  cells: int

  @nn.compact
  def __call__(
    self, width: int
  ) -> tuple[Float[Array, 'D 4 C'], Float[Array, 'C 4 C'], Float[Array, '4 C']]:
    cells = self.cells
    return (
      self.param('w_input', _glorot_per_gate, (width, 4, cells)),
      self.param('w_recurrent', _orthogonal_per_gate, (cells, 4, cells)),
      self.param('bias', _forget_one, (4, cells)),
    )


class Align(nn.Module):
  """The parameters of the alignment (Eqs. 4-6)."""

  places: int

  @nn.compact
  def __call__(
    self, audio_width: int, visual_width: int
  ) -> tuple[Float[Array, 'C A'], Float[Array, 'V A'], Float[Array, 'W A']]:
    size = audio_width  # of the hidden layer of Eq. 5; ours
    return (
      self.param('w_audio', glorot, (audio_width, size)),
      self.param('w_visual', glorot, (visual_width, size)),
      self.param('w_place', glorot, (self.places, size)),
    )


class Encoder(nn.Module):
  """The parameters of one encoder, h_av or h_sel (Figure 1).

  A module of its own gives them their names; `encode` computes with them.
  """

  cells: int
  settings: settings.ModelConfig

  @nn.compact
  def __call__(self, widths: Mapping[str, int]) -> Layers:
    """Returns layer -> its parameters.

    Args:
      widths: of the streams that are read.
    """
    config = self.settings
    visual = [stream for stream in config.streams if stream != AUDIO]
    layers: dict[str, Any] = {}
    for stream in visual:
      layers[stream] = Hidden(config.hidden_size, name=f'{stream}_hidden')(
        widths[stream]
      )
    seen = config.hidden_size
    if len(visual) > 1:
      layers['visual'] = Hidden(self.cells, name='visual_hidden')(
        len(visual) * seen
      )
      seen = self.cells
    width = seen
    if AUDIO in config.streams:
      layers[AUDIO] = Hidden(self.cells, name='audio_hidden')(widths[AUDIO])
      if config.alignment.reads == 'states':
        layers['audio_lstm'] = LSTM(self.cells, name='audio_lstm')(self.cells)
      if config.alignment.mode == 'soft':
        layers['alignment'] = Align(
          2 * config.alignment.half_window, name='alignment'
        )(self.cells, seen)
      width += self.cells
    layers['lstm'] = LSTM(self.cells, name='lstm')(width)
    return layers


def encode(
  encoders: Mapping[str, Layers],
  config: settings.ModelConfig,
  audio: Float[Array, 'B Ta _'] | None,
  visual: Mapping[str, Float[Array, 'B T _']],
  audio_length: Int[Array, ' B'],
  visual_length: Int[Array, ' B'],
  keys: Key[Array, ' B'] | None,
) -> dict[str, tuple[Float[Array, 'B T _'], Float[Array, 'B T W'] | None]]:
  """Returns encoder -> its states, zero on padding, and its alignment l_t.

  audio -> hidden -> LSTM, aligned to the video frames; every visual stream ->
  hidden, joined by another hidden layer where there are several; both -> the
  audio-visual LSTM. Without audio the LSTM reads vision alone.

  The encoders share no parameter, but what they share in work is done once:
  one product for each input and, on accelerators, one scan for their audio
  LSTMs and one for their audio-visual LSTMs.

  Args:
    encoders: name -> what `Encoder` returned.
    config: the model's.
    audio: zero on padding, as `visual` is; None without audio.
    visual: stream -> its frames.
    audio_length: true audio frames.
    visual_length: true video frames.
    keys: of dropout, one a clip; None switches it off.
  """
  names = tuple(encoders)

  def hidden(layer, x):
    return _hidden(encoders, layer, x, config, keys)

  def lstms(layer, inputs, lengths):
    outputs = lstm_together(
      [inputs[name] for name in names],
      [encoders[name][layer] for name in names],
      lengths,
      implementation=config.implementation,
    )
    return {name: h for name, (h, _) in zip(names, outputs, strict=True)}

  seen = [hidden(stream, visual[stream]) for stream in visual]
  if len(seen) == 1:
    frames = seen[0]
  else:
    joined = {
      name: jnp.concatenate([one[name] for one in seen], axis=-1)
      for name in names
    }
    frames = hidden('visual', joined)
  weights: dict[str, Array | None] = dict.fromkeys(names)
  if audio is not None:
    heard = hidden(AUDIO, audio)
    if config.alignment.reads == 'states':
      heard = lstms('audio_lstm', heard, audio_length)
    for name in names:
      aligned, weights[name] = _aligned(
        encoders[name].get('alignment'),
        config.alignment,
        heard[name],
        frames[name],
        audio_length,
        visual_length,
      )
      # [x_t; v_t]
      frames[name] = jnp.concatenate([aligned, frames[name]], axis=-1)
  states = lstms('lstm', frames, visual_length)
  return {name: (states[name], weights[name]) for name in names}


def _hidden(
  encoders: Mapping[str, Layers],
  layer: str,
  inputs: Float[Array, 'B T _'] | Mapping[str, Float[Array, 'B T _']],
  config: settings.ModelConfig,
  keys: Key[Array, ' B'] | None,
) -> dict[str, Float[Array, 'B T _']]:
  """Returns encoder -> a hidden layer's output, after dropout (Section 4.1).

  Args:
    encoders: as of `encode`.
    layer: its name.
    inputs: one array that all encoders read, or each one's own.
    config: the model's.
    keys: of dropout.
  """
  if isinstance(inputs, Mapping):
    outputs = {
      name: _affine(x, *([one] for one in encoders[name][layer]))
      for name, x in inputs.items()
    }
  else:
    kernels, biases = zip(
      *(one[layer] for one in encoders.values()), strict=True
    )
    ends = list(itertools.accumulate(len(bias) for bias in biases))
    joined = jnp.split(_affine(inputs, kernels, biases), ends[:-1], axis=-1)
    outputs = dict(zip(encoders, joined, strict=True))
  activation = _ACTIVATIONS[config.activation]
  return {
    name: dropout(
      activation(x), config.dropout, keys, (name, f'{layer}_hidden')
    )
    for name, x in outputs.items()
  }


def _affine(x, kernels, biases):
  """Returns `x kernel + bias` for (B, T, D), all kernels side by side."""
  # Without the barrier XLA folds a transposition into the product that is the
  # kernel's gradient, and that product is four times slower on a CPU.
  rows = jnp.concatenate([kernel.T for kernel in kernels])
  rows = jax.lax.optimization_barrier(rows)
  return (
    jnp.einsum('btd,vd->btv', x, rows) + jnp.concatenate(biases)[None, None]
  )


def _aligned(parameters, config, audio, visual, audio_length, visual_length):
  """Returns x_t and l_t of every clip."""
  if config.mode == 'centre':
    return jax.vmap(alignment.centre, (0, None, None, 0, 0))(
      audio,
      2 * config.half_window,
      visual.shape[1],
      audio_length,
      visual_length,
    )
  w_audio, w_visual, w_place = parameters
  return jax.vmap(alignment.align, (0, 0, None, None, None, 0, 0))(
    audio, visual, w_audio, w_visual, w_place, audio_length, visual_length
  )
