"""The networks of Table 1, one frame after another (ours).

The LSTMs carry their states. The centre of a window depends on a fixed ratio of
the two frame rates, since nobody knows yet how long the clip will be. A video
frame waits until the last position of its window has been heard. Perception
attention is a softmax over all frames so far: largest score, weighted sum of
states and sum of weights are carried for every emotion, which is exact (the
online softmax of Milakov and Gimelshein, 2018).

So the probabilities after n frames are those of the same network, with
`model.alignment.ratio` set to that ratio, for a clip of these n frames.
"""

import dataclasses
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avjax.clips import AUDIO
from avjax.errors import ConfigError
from avjax.kernels.lstm import cell
from avjax.kernels.lstm.api import last_step
from avjax.models import alignment, classifiers, heads
from avjax.models.averaged import Averaged
from avjax.models.encoder import ACTIVATIONS
from avjax.settings import ModelConfig
from avjax.shapes import Array, Float

Parameters = Mapping[str, Any]
Carry = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Moment:
  """What is recognised up to a video frame.

  Attributes:
    frames: number of video frames that count.
    provisional: how many of these, the newest, lack audio of their window that
      is still to come.
    probabilities: (N,) of the emotions.
  """

  frames: int
  provisional: int
  probabilities: Float[np.ndarray, ' N']


class FrameByFrame:
  """The networks of a model, which hear and see one frame after another.

  Args:
    model: the networks, whose probabilities are averaged. Their
      `alignment.ratio` must be set: see `with_ratio`.
  """

  def __init__(self, model: Averaged):
    self._settings = model.settings
    self._ratio = model.settings.alignment.fixed_ratio
    self._hears = AUDIO in model.streams
    if self._hears and self._ratio is None:
      raise ConfigError(
        'model.alignment.ratio is 0, the ratio of a whole clip; a stream needs'
        ' a fixed one, such as 1.25'
      )
    self._parameters = jax.tree.map(
      lambda *each: jnp.stack([jnp.asarray(x) for x in each]), *model.members
    )
    step = _Step(model)
    self._hear = jax.jit(jax.vmap(step.hear, (0, 0, None)))
    self._see = jax.jit(jax.vmap(step.see, (0, 0, 0, None, None)))
    zeros = step.initial()
    members = len(model.members)
    self._audio, self._visual = jax.tree.map(
      lambda x: jnp.broadcast_to(x, (members, *x.shape)), zeros
    )
    self._silent = step.silent(members)
    self._heard: deque[Any] = deque()  # one entry an audio frame, the latest
    self._forgotten = 0  # audio frames before the first of `_heard`
    self._waiting: deque[dict[str, np.ndarray]] = deque()
    self._seen, self._ended = 0, False

  def hear(self, audio: Float[np.ndarray, 'n D']) -> list[Moment]:
    """Returns the moments that further audio frames complete."""
    for frame in np.asarray(audio, np.float32):
      self._audio, heard = self._hear(self._parameters, self._audio, frame)
      self._heard.append(jax.device_get(heard))
    return list(self._advance())

  def see(self, frames: Mapping[str, Float[np.ndarray, 'n _']]) -> list[Moment]:
    """Returns the moments that further video frames complete.

    Args:
      frames: visual stream -> its frames, equally many of each.
    """
    own = {
      name: np.asarray(frames[name], np.float32)
      for name in self._settings.streams
      if name != AUDIO
    }
    for one in zip(*own.values(), strict=True):
      self._waiting.append(dict(zip(own, one, strict=True)))
    return list(self._advance())

  def end(self) -> list[Moment]:
    """Returns the moments of the frames that waited for more audio."""
    self._ended = True
    return list(self._advance())

  def provisional(self) -> Moment | None:
    """Returns the moment of the newest video frame, with the audio so far.

    None before the first video frame. The frames are seen again once their
    windows are complete.
    """
    carry, moment = self._visual, self.latest
    for number, frame in enumerate(self._waiting, 1):
      carry, shares = self._see(
        self._parameters, carry, *self._window(self._seen + number - 1), frame
      )
      if number == len(self._waiting):
        moment = Moment(self._seen + number, number, _mean(shares))
    return moment

  latest: Moment | None = None
  """The moment of the newest complete frame."""

  def _advance(self) -> Iterator[Moment]:
    """Yields a moment for each waiting frame whose window is complete."""
    while self._waiting and (self._ended or self._complete(self._seen)):
      frame = self._waiting.popleft()
      self._visual, shares = self._see(
        self._parameters, self._visual, *self._window(self._seen), frame
      )
      self._seen += 1
      self.latest = Moment(self._seen, 0, _mean(shares))
      yield self.latest
    if self._hears:  # what no later window reaches
      first = self._first(self._seen)
      while self._heard and self._forgotten < first:
        self._heard.popleft()
        self._forgotten += 1

  def _first(self, frame: int) -> int:
    """Returns the audio frame at the first position of a frame's window."""
    assert self._ratio is not None
    p, q = self._ratio.as_integer_ratio()
    centre = (2 * frame + 1) * p // (2 * q)
    return centre - self._settings.alignment.half_window

  def _complete(self, frame: int) -> bool:
    """Returns whether all audio of a frame's window has been heard."""
    if not self._hears:
      return True
    past = self._first(frame) + 2 * self._settings.alignment.half_window
    return past <= self._forgotten + len(self._heard)

  def _window(self, frame: int) -> tuple[Any, np.ndarray]:
    """Returns the audio at a frame's positions, and which of it exists."""
    positions = 2 * self._settings.alignment.half_window
    if not self._hears:
      return {}, np.zeros(positions, bool)
    first = self._first(frame) - self._forgotten
    places = first + np.arange(positions)
    exists = (places >= 0) & (places < len(self._heard))
    each = [
      self._heard[place] if there else self._silent
      for place, there in zip(places, exists, strict=True)
    ]
    return jax.tree.map(lambda *x: np.stack(x, axis=1), *each), exists


def with_ratio(model: Averaged, ratio: float) -> Averaged:
  """Returns a model whose windows are centred by a fixed ratio of the rates.

  Args:
    model: the model.
    ratio: audio frames a video frame; of the paper's features 1.25, 31.25 a
      second to 25.
  """
  fixed = dataclasses.replace(model.settings.alignment, ratio=ratio)
  settings = dataclasses.replace(model.settings, alignment=fixed)
  return dataclasses.replace(model, settings=settings)


def _mean(shares: jax.Array) -> np.ndarray:
  return np.asarray(shares).mean(0)


class _Step:
  """The functions of one network and one frame.

  Args:
    model: whose networks they are.
  """

  def __init__(self, model: Averaged):
    self._settings: ModelConfig = model.settings
    self._parameters = model.members[0]
    self._streams = model.streams
    module: Any = model.module
    self._attends = isinstance(module, classifiers.Proposed)
    self._pool: Any = None if self._attends else module.pool
    self._names = [k for k in ('encoder', 'selector') if k in self._parameters]

  def initial(self) -> tuple[Carry, Carry]:
    """Returns what is carried at the beginning: of the audio, of the video."""
    audio: Carry = {}
    visual: Carry = {}
    for name in self._names:
      own = self._parameters[name]
      if 'audio_lstm' in own:
        audio[name] = _zeros(own['audio_lstm'])
      visual[name] = _zeros(own['lstm'])
    cells = visual['encoder'][0].shape[0]
    if self._attends:
      classes = self._parameters['embeddings'].shape[0]
      visual['attended'] = (
        jnp.full(classes, -jnp.inf),
        jnp.zeros((classes, cells)),
        jnp.zeros(classes),
      )
    else:
      visual['pooled'] = jnp.zeros(cells), jnp.zeros(())
    return audio, visual

  def silent(self, members: int) -> Any:
    """Returns what stands where there is no audio, for so many networks."""
    if AUDIO not in self._streams:
      return {}
    found = {}
    for name in self._names:
      own = self._parameters[name]
      width = own['audio_hidden']['bias'].shape[0]
      size = own['alignment']['w_audio'].shape[1] if 'alignment' in own else 0
      found[name] = (
        np.zeros((members, width), np.float32),
        np.zeros((members, size), np.float32),
      )
    return found

  def hear(
    self, parameters: Parameters, carry: Carry, frame: jax.Array
  ) -> tuple[Carry, dict[str, Any]]:
    """Returns the new carry, and what each encoder has heard."""
    carry, heard = dict(carry), {}
    for name in self._names:
      own = parameters[name]
      x: Any = self._hidden(own['audio_hidden'], frame)
      if 'audio_lstm' in own:
        carry[name] = x, _ = _cell(own['audio_lstm'], x, carry[name])
      keys = x @ own['alignment']['w_audio'] if 'alignment' in own else x[:0]
      heard[name] = x, keys
    return carry, heard

  def see(
    self,
    parameters: Parameters,
    carry: Carry,
    window: Mapping[str, tuple[jax.Array, jax.Array]],
    exists: jax.Array,
    frames: Mapping[str, jax.Array],
  ) -> tuple[Carry, jax.Array]:
    """Returns the new carry, and the probabilities so far."""
    carry = dict(carry)
    for name in self._names:
      x = self._joined(parameters[name], window.get(name), exists, frames)
      carry[name] = _cell(parameters[name]['lstm'], x, carry[name])
    state = carry['encoder'][0]
    if self._attends:
      selector = carry[self._names[-1]][0]
      scores = parameters['embeddings'] @ (selector @ parameters['w_state'])
      carry['attended'] = _attended(carry['attended'], scores, state)
      _, total, weight = carry['attended']
      weighted = total / weight[:, None] * parameters['w_class']  # Eq. 11
      logits = weighted.sum(-1) + parameters['b_class']
    else:
      total, count = carry['pooled'][0] + state, carry['pooled'][1] + 1
      carry['pooled'] = total, count
      pooled = {heads.mean_state: total / count, last_step: state}[self._pool]
      logits = pooled @ parameters['w_class'] + parameters['b_class']
    return carry, jax.nn.softmax(logits)

  def _hidden(self, parameters: Parameters, x: jax.Array) -> jax.Array:
    activation = ACTIVATIONS[self._settings.activation]
    return activation(x @ parameters['kernel'] + parameters['bias'])

  def _joined(self, parameters, window, exists, frames) -> Array:
    """Returns [x_t; v_t], the input of the last LSTM of an encoder."""
    seen = [
      self._hidden(parameters[f'{name}_hidden'], frames[name])
      for name in self._streams
      if name != AUDIO
    ]
    v = seen[0]
    if len(seen) > 1:
      v = self._hidden(parameters['visual_hidden'], jnp.concatenate(seen))
    if window is None:
      return v
    nearby, keys = window
    x: Array
    if self._settings.alignment.mode == 'centre':
      middle = nearby.shape[0] // 2
      x = jnp.where(exists[middle], nearby[middle], 0)
    else:
      own = parameters['alignment']
      query = (v @ own['w_visual'])[None]
      x, _ = alignment.combine(
        nearby[None], keys[None], query, own['w_place'], exists[None]
      )
      x = x[0]
    return jnp.concatenate([x, v])


def _zeros(parameters: Parameters) -> tuple[jax.Array, jax.Array]:
  """Returns h and c of an LSTM before its first step."""
  cells = parameters['w_recurrent'].shape[0]
  return jnp.zeros(cells), jnp.zeros(cells)


def _cell(parameters: Parameters, x: Array, carry) -> tuple[Any, Any]:
  """Returns h and c of the next step; Eqs. 1-3."""
  h, c = carry
  z = jnp.einsum('d,dgc->gc', x, parameters['w_input'])
  z = z + jnp.einsum('k,kgc->gc', h, parameters['w_recurrent'])
  z = (z + parameters['bias']) * jnp.array([1.0, 1.0, 1.0, 2.0])[:, None]
  return cell.forward(list(jax.nn.sigmoid(z)), c)


def _attended(carry, scores: jax.Array, state: jax.Array):
  """Returns largest score, weighted states and weights with a frame more.

  Args:
    carry: the same before: (N,), (N, C), (N,).
    scores: of the frame, one an emotion; Eq. 9.
    state: h_t.
  """
  most, total, weight = carry
  new = jnp.maximum(most, scores)
  before, now = jnp.exp(most - new), jnp.exp(scores - new)
  total = total * before[:, None] + now[:, None] * state[None]
  return new, total, weight * before + now
