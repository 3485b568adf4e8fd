"""A plain PyTorch implementation of the proposed network, for comparison.

It uses `nn.LSTM`, padded or packed, `nn.Linear` and `nn.Dropout`, with our
parameters. PyTorch's LSTM has two biases, of which only the sum matters: the
second is fixed at zero, so that both networks have the same parameters and make
the same steps.

Imported only where it is used, since it needs PyTorch.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn.utils import rnn

from avjax import settings
from avjax.benchmarks import cudnn_peer
from avjax.clips import AUDIO, Batch


def device() -> torch.device:
  """Returns the PyTorch device of the same kind as JAX's default."""
  return torch.device('cuda' if jax.default_backend() == 'gpu' else 'cpu')


def tensor(array: Any) -> torch.Tensor:
  """Returns a copy of an array as a tensor of the same dtype."""
  bfloat16 = array.dtype == jnp.bfloat16  # not a NumPy dtype
  copy = np.array(array, np.float32 if bfloat16 else array.dtype)
  x = torch.from_numpy(copy).to(device())
  return x.to(torch.bfloat16) if bfloat16 else x


@dataclasses.dataclass(frozen=True)
class Lengths:
  """The lengths of a batch: on the device, and on the host for packing."""

  device: torch.Tensor
  host: torch.Tensor


def lengths(array: Any) -> Lengths:
  """Returns lengths on the device and on the host."""
  host = torch.from_numpy(np.array(array, np.int64))
  return Lengths(host.to(device()), host)


@dataclasses.dataclass(frozen=True)
class Clips:
  """A `Batch` of tensors."""

  audio: torch.Tensor
  visual: Mapping[str, torch.Tensor]
  audio_length: Lengths
  visual_length: Lengths
  label: torch.Tensor


def clips(batch: Batch) -> Clips:
  """Returns a batch as tensors."""
  return Clips(
    tensor(batch.audio),
    {name: tensor(x) for name, x in batch.visual.items()},
    lengths(batch.audio_length),
    lengths(batch.visual_length),
    tensor(batch.label).long(),
  )


def within(states: torch.Tensor, length: Lengths) -> torch.Tensor:
  """Returns the mask (B, T, 1) of frames that are not padding."""
  steps = torch.arange(states.shape[1], device=states.device)
  return (steps < length.device[:, None])[..., None]


class TorchLSTM(nn.Module):
  """One LSTM layer, on padded or packed sequences."""

  def __init__(self, width: int, hidden_size: int, packed: bool = False):
    super().__init__()
    self.packed = packed
    self.lstm = nn.LSTM(width, hidden_size, batch_first=True)
    bias = self.lstm.get_parameter('bias_hh_l0')
    nn.init.zeros_(bias.requires_grad_(False))

  def forward(self, x, length: Lengths):
    """Returns the states (B, T, C); those on padding are undefined."""
    if not self.packed:
      return self.lstm(x)[0]
    sequence = rnn.pack_padded_sequence(
      x, length.host, batch_first=True, enforce_sorted=False
    )
    return rnn.pad_packed_sequence(
      self.lstm(sequence)[0], batch_first=True, total_length=x.shape[1]
    )[0]


class TorchAlign(nn.Module):
  """The alignment of audio to the video frames (Eqs. 4-6)."""

  def __init__(self, size: int, positions: int):
    super().__init__()
    self.positions = positions
    self.w_audio = nn.Linear(size, size, bias=False)
    self.w_visual = nn.Linear(size, size, bias=False)
    self.w_place = nn.Parameter(torch.empty(positions, size))

  def forward(self, audio, visual, audio_length, visual_length):
    """Returns the aligned audio x_t, (B, T, C)."""
    frames = visual.shape[1]
    audio_frames = audio_length.device[:, None]
    visual_frames = visual_length.device[:, None]
    # Padding uses the window of the last frame, to avoid NaN in the softmax.
    steps = torch.arange(frames, device=audio.device)[None]
    steps = steps.minimum(visual_frames - 1)
    centre = (2 * steps + 1) * audio_frames // (2 * visual_frames)
    positions = torch.arange(self.positions, device=audio.device)
    frame = centre[..., None] + positions - self.positions // 2
    exists = (frame >= 0) & (frame < audio_frames[..., None])
    index = frame.clamp(0, audio.shape[1] - 1).flatten(1)[..., None]

    def nearby(x):  # x[rows, frame] is slow: its gradient sorts the indices
      gathered = x.gather(1, index.expand(-1, -1, x.shape[2]))
      return gathered.unflatten(1, (frames, self.positions))

    hidden = nearby(self.w_audio(audio)) + self.w_visual(visual)[:, :, None]
    scores = torch.einsum('btwa,wa->btw', hidden.tanh(), self.w_place)
    weights = scores.masked_fill(~exists, -torch.inf).softmax(-1)
    return torch.einsum('btw,btwc->btc', weights, nearby(audio))


class TorchEncoder(nn.Module):
  """The encoder: audio and video in one sequence of states (Eqs. 1-6)."""

  def __init__(
    self,
    hidden_size: int,
    widths: Mapping[str, int],
    config: settings.ModelConfig,
    packed: bool,
  ):
    super().__init__()
    width = config.hidden_size
    self.streams = [name for name in config.streams if name != AUDIO]
    self.audio_hidden = nn.Linear(widths[AUDIO], hidden_size)
    self.audio_lstm = TorchLSTM(hidden_size, hidden_size, packed)
    self.hidden = nn.ModuleDict(
      {name: nn.Linear(widths[name], width) for name in self.streams}
    )
    self.visual_hidden = nn.Linear(width * len(self.streams), hidden_size)
    self.alignment = TorchAlign(hidden_size, 2 * config.alignment.half_window)
    self.lstm = TorchLSTM(2 * hidden_size, hidden_size, packed)
    self.dropout = nn.Dropout(config.dropout)

  def forward(self, batch: Clips):
    """Returns the states, (B, T, C)."""
    audio = self.dropout(self.audio_hidden(batch.audio).relu())
    audio = self.audio_lstm(audio, batch.audio_length)
    streams = [
      self.dropout(self.hidden[name](batch.visual[name]).relu())
      for name in self.streams
    ]
    frames = self.visual_hidden(torch.cat(streams, -1))
    frames = self.dropout(frames.relu())
    aligned = self.alignment(
      audio, frames, batch.audio_length, batch.visual_length
    )
    return self.lstm(torch.cat([aligned, frames], -1), batch.visual_length)


class TorchProposed(nn.Module):
  """Perception attention over the states (Eqs. 9-11)."""

  def __init__(
    self,
    widths: Mapping[str, int],
    config: settings.ModelConfig,
    classes: int,
    packed: bool = False,
  ):
    super().__init__()
    size, selector = config.lstm_cells, config.selector_cells
    self.encoder = TorchEncoder(size, widths, config, packed)
    self.selector = TorchEncoder(selector, widths, config, packed)
    self.w_state = nn.Linear(selector, config.embedding_size, bias=False)
    self.embeddings = nn.Linear(config.embedding_size, classes, bias=False)
    self.w_class = nn.Parameter(torch.empty(classes, size))
    self.b_class = nn.Parameter(torch.empty(classes))
    self.dropout = nn.Dropout(config.dropout)

  def forward(self, batch: Clips):
    """Returns the logits, (B, N)."""
    states, selector = self.encoder(batch), self.selector(batch)
    scores = self.embeddings(self.w_state(selector))
    padding = ~within(states, batch.visual_length)
    attention = scores.masked_fill(padding, -torch.inf).softmax(1)
    attended = attention.mT @ states  # (B, N, C)
    # One dropout mask over the hidden units for all emotions.
    attended = attended * self.dropout(torch.ones_like(attended[:, :1]))
    return (attended * self.w_class).sum(-1) + self.b_class


def layer_from_ours(w_input, w_recurrent, bias) -> dict[str, Any]:
  """Returns the parameters of `nn.LSTM`, with cuDNN's order of the gates."""
  names = 'weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0'
  ours = cudnn_peer.weights(w_input, w_recurrent, bias)
  return dict(zip(names, ours, strict=True))


def from_ours(params: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the state of `TorchProposed` with the values of our parameters.

  JAX can differentiate the function, to convert gradients.
  """
  state: dict[str, Any] = {
    'w_state.weight': params['w_state'].T,
    'embeddings.weight': params['embeddings'],
    'w_class': params['w_class'],
    'b_class': params['b_class'],
  }
  for name in ('encoder', 'selector'):
    for layer, ours in params[name].items():
      if layer.endswith('lstm'):
        state |= {
          f'{name}.{layer}.lstm.{key}': x
          for key, x in layer_from_ours(**ours).items()
        }
      elif layer == 'alignment':
        state |= {
          f'{name}.alignment.w_audio.weight': ours['w_audio'].T,
          f'{name}.alignment.w_visual.weight': ours['w_visual'].T,
          f'{name}.alignment.w_place': ours['w_place'],
        }
      else:
        stream = layer.removesuffix('_hidden')
        if stream not in (AUDIO, 'visual'):
          layer = f'hidden.{stream}'
        state[f'{name}.{layer}.weight'] = ours['kernel'].T
        state[f'{name}.{layer}.bias'] = ours['bias']
  return state
