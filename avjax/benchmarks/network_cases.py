"""The cases of the whole proposed network."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from avjax import settings
from avjax.benchmarks import agreement, case, flax_peers, inputs
from avjax.benchmarks.case import Case
from avjax.benchmarks.inputs import Shape
from avjax.benchmarks.timing import Implementation, compiled
from avjax.clips import EMOTIONS, Batch
from avjax.errors import AvjaxError
from avjax.models.classifiers import build
from avjax.training import steps


def inference(shape: Shape, peers: Sequence[str]) -> Case:
  """Returns the case of computing the logits of a batch with `proposed`."""
  batch, params = _proposed(shape)

  def jitted(function, state):
    program, seconds, peak_bytes = compiled(function, state, batch)
    call = functools.partial(program, state, batch)
    return Implementation(
      call,
      lambda: (np.asarray(getattr(call(), 'logits', call())), {}),
      compile_seconds=seconds,
      peak_bytes=peak_bytes,
    )

  def ours(implementation):
    state = steps.create_state(settings_of(implementation), batch)
    return jitted(steps.eval_step, state)

  def flax():
    network = flax_peers.FlaxProposed(settings_of().model, len(EMOTIONS))
    variables = {'params': flax_peers.from_ours(params)}
    return jitted(jax.jit(network.apply), variables)

  makers = case.ours(ours, peers) | ({'flax': flax} if 'flax' in peers else {})
  if 'torch' in peers:
    makers |= case.torch('inference', shape, params, batch, settings_of().model)
  return Case(_wanted(agreement.values, params, batch), makers)


def train_step(shape: Shape, peers: Sequence[str]) -> Case:
  """Returns the case of one training step of `proposed`, with dropout.

  The agreement check is without dropout: on the logits, and on the gradients of
  their mean square.
  """
  batch, params = _proposed(shape)

  def implementation_of(step, logits, state, *rest):
    program, seconds, peak_bytes = compiled(step, state, *rest)
    current = [state]  # donated, and replaced, by every step

    def call():
      current[0], metrics = program(current[0], *rest)
      return metrics

    check = _of_params(agreement.values_and_gradients, logits)
    return Implementation(
      call,
      lambda: case.arrays(jax.jit(check)(params, batch)),
      compile_seconds=seconds,
      peak_bytes=peak_bytes,
    )

  def ours(implementation):
    config = settings_of(implementation)
    state = steps.create_state(config, batch)
    logits = _logits(implementation)
    return implementation_of(steps.train_step, logits, state, batch)

  def flax():
    state = flax_peers.create_state(settings_of(), params, len(EMOTIONS))

    def logits(params, batch):
      return state.apply_fn({'params': flax_peers.from_ours(params)}, batch)

    key = jax.random.key(0)
    return implementation_of(flax_peers.train_step, logits, state, batch, key)

  makers = case.ours(ours, peers) | ({'flax': flax} if 'flax' in peers else {})
  if 'torch' in peers:
    makers |= case.torch('train_step', shape, params, batch, settings_of())
  return Case(_wanted(agreement.values_and_gradients, params, batch), makers)


def settings_of(implementation: str | None = None) -> settings.Settings:
  """Returns the paper's settings, with this implementation of the LSTM."""
  model = settings.ModelConfig(implementation=implementation)
  return settings.Settings(model=model)


def _proposed(shape: Shape) -> tuple[Batch, Mapping[str, Any]]:
  """Returns a batch, and the initial parameters of every network."""
  if shape.precision == 'bfloat16':
    raise AvjaxError(
      'precision is bfloat16, which is only for a layer; use float32 or tf32'
    )
  batch = inputs.clips(shape)
  return batch, steps.create_state(settings_of(), batch).params


def _logits(implementation: str | None) -> Callable:
  network = build(settings_of(implementation).model, EMOTIONS)

  def logits(params, batch):
    prediction: Any = network.apply({'params': params}, batch)
    return prediction.logits

  return logits


def _of_params(check: Callable, logits: Callable) -> Callable:
  """Returns `check` as a function of parameters and batch."""
  return lambda params, batch: check(lambda p: logits(p, batch))(params)


def _wanted(check: Callable, params, batch) -> tuple[Any, Any]:
  """Returns the results of the paper's equations in float64."""
  function = _of_params(check, _logits('reference'))
  return agreement.in_float64(function, params, batch)
