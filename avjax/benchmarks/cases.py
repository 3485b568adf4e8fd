"""What bin/benchmark times: each case first checks that all agree.

A case is a function of a shape that returns functions without arguments, ours
first, in the form that `timing.in_turns` takes. Their inputs are random,
their lengths those of a bucket: from half the frames to all of them.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avjax.benchmarks import peers
from avjax.clips import AUDIO, EMOTIONS, Batch
from avjax.errors import AvjaxError
from avjax.kernels.lstm import available, lstm
from avjax.settings import Settings
from avjax.training import steps

WIDTHS = {AUDIO: 50, 'shape': 20, 'appearance': 1024}


@dataclasses.dataclass(frozen=True)
class Shape:
  """The size of a case: clips, and video frames of the longest one."""

  batch: int = 32
  frames: int = 60
  cells: int = 32  # of the layer in `lstm_layer`


def random_batch(shape: Shape, emotions: int = len(EMOTIONS)) -> Batch:
  """Returns clips of Shape.frames / 2 to Shape.frames frames."""
  random = np.random.default_rng(0)
  low, high = max(1, shape.frames // 2), shape.frames
  visual_length = random.integers(low, high + 1, shape.batch, np.int32)
  visual_length[0] = high
  audio_length = (visual_length * 5) // 4  # 31.25 audio frames a second, 25

  def stream(width, lengths):
    size = len(lengths), lengths.max(), width
    x = random.standard_normal(size, np.float32)
    within = np.arange(size[1])[None] < lengths[:, None]
    return jnp.asarray(np.where(within[..., None], x, 0))

  return Batch(
    audio=stream(WIDTHS[AUDIO], audio_length),
    visual={
      name: stream(width, visual_length)
      for name, width in WIDTHS.items()
      if name != AUDIO
    },
    audio_length=jnp.asarray(audio_length),
    visual_length=jnp.asarray(visual_length),
    label=jnp.asarray(random.integers(emotions, size=shape.batch, dtype='i4')),
  )


def train_step(shape: Shape) -> dict[str, Callable[[], Any]]:
  """Returns one training step of `proposed`, ours and in plain Flax."""
  config, batch = Settings(), random_batch(shape)
  ours = steps.create_state(config, batch)
  theirs = peers.create_state(config, ours.params, len(EMOTIONS))

  def our_logits(params):
    return ours.apply_fn({'params': params}, batch).logits

  def their_logits(params):
    return theirs.apply_fn({'params': peers.from_ours(params)}, batch)

  got, wanted = (
    jax.jit(values_and_gradients(logits))(ours.params)
    for logits in (their_logits, our_logits)
  )
  check('flax', got, wanted)
  # Donated, and replaced, by every step.
  state: dict[str, Any] = {'avjax': ours, 'flax': theirs}
  key = jax.random.key(0)

  def our_step():
    state['avjax'], metrics = steps.train_step(state['avjax'], batch)
    return state['avjax'].params, metrics

  def their_step():
    state['flax'], loss = peers.train_step(state['flax'], batch, key)
    return state['flax'].params, loss

  return {'avjax': our_step, 'flax': their_step}


def lstm_layer(shape: Shape) -> dict[str, Callable[[], Any]]:
  """Returns forward and backward of one ragged layer, its input 2 C wide.

  The gradients are those of the mean squared state.
  """
  random = np.random.default_rng(0)
  cells, lengths = shape.cells, random_batch(shape).visual_length
  sizes = (
    (shape.batch, shape.frames, 2 * cells),
    (2 * cells, 4, cells),
    (cells, 4, cells),
    (4, cells),
  )
  arrays = [0.3 * random.standard_normal(s).astype(np.float32) for s in sizes]
  arrays = jax.device_put(arrays)
  layers = {
    name: functools.partial(_ours, lengths=lengths, implementation=name)
    for name in ('fused', *sorted({*available()} - {'fused'}))
  }
  layers['flax'] = functools.partial(peers.lstm, lengths=lengths)
  wanted = jax.jit(values_and_gradients(layers['reference']))(arrays)
  for name, layer in layers.items():
    check(name, jax.jit(values_and_gradients(layer))(arrays), wanted)
  return {
    name: functools.partial(jax.jit(values_and_gradients(layer)), arrays)
    for name, layer in layers.items()
  }


def _ours(arrays, lengths, implementation):
  inputs, w_input, w_recurrent, bias = arrays
  h, _ = lstm(
    inputs, w_input, w_recurrent, bias, lengths, implementation=implementation
  )
  return h


def values_and_gradients(function):
  """Returns the function's value, and the gradient of its mean square."""

  def loss(arguments):
    value = function(arguments)
    return (value**2).mean(), value

  def call(arguments):
    (_, value), gradients = jax.value_and_grad(loss, has_aux=True)(arguments)
    return value, gradients

  return call


def check(name: str, got: Any, wanted: Any) -> None:
  """Raises an error unless both values and both trees of gradients agree.

  To 1e-5 and 1e-4 of the largest entry of each array: float32, in another
  order.
  """
  for tolerance, ours, reference in zip((1e-5, 1e-4), got, wanted, strict=True):
    for path, want in jax.tree.leaves_with_path(reference):
      have = dict(jax.tree.leaves_with_path(ours))[path]
      scale = jnp.maximum(jnp.abs(want).max(), 1e-30)  # it may be all zero
      error = float(jnp.abs(have - want).max() / scale)
      if not error <= tolerance:
        raise AvjaxError(
          f'{name} differs by {error:.1e} of the largest entry in'
          f' {jax.tree_util.keystr(path) or "its value"}; at most'
          f' {tolerance:.0e} is wanted, so nothing was timed'
        )


CASES = {'train_step': train_step, 'lstm': lstm_layer}
