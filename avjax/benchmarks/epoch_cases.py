"""Many training steps per call: an epoch, and an epoch of ten seeds.

Ours is one program over clips that are stored on the device. The others run
step by step, on batches that are already on the device.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from avjax.benchmarks import case, flax_peers, inputs, network_cases
from avjax.benchmarks.case import Case
from avjax.benchmarks.inputs import Shape
from avjax.benchmarks.timing import Implementation, compiled
from avjax.clips import AUDIO, EMOTIONS, Batch, Clip
from avjax.data.batching import Buckets
from avjax.data.loader import Loader
from avjax.settings import Settings
from avjax.training import resident, steps

STEPS, SEEDS, STEPS_OF_SEEDS = 10, 10, 2


def epoch(shape: Shape, peers: Sequence[str]) -> Case:
  """Returns the case of ten training steps of `proposed`, on different clips.

  The agreement check is that of `network_cases.train_step`.
  """
  return _case(shape, peers, 1, STEPS)


def seeds(shape: Shape, peers: Sequence[str]) -> Case:
  """Returns the case of two training steps for each of ten seeds."""
  return _case(shape, peers, SEEDS, STEPS_OF_SEEDS)


def _case(shape: Shape, peers: Sequence[str], runs: int, count: int) -> Case:
  """Returns the case of `count` training steps for each of `runs` seeds."""
  many = dataclasses.replace(shape, batch=shape.batch * count)
  clips = _clips(inputs.clips(many))
  frames = max(clip.visual_length for clip in clips)
  audio_frames = max(clip.audio_length for clip in clips)
  loader = Loader(
    buckets=Buckets(((audio_frames, frames),)),
    emotions=EMOTIONS,
    streams=Settings().model.streams,
    batch_size=shape.batch,
    rows=shape.batch,
  )
  order = np.arange(len(clips), dtype=np.int32).reshape(count, shape.batch)
  batches = [jax.device_put(loader.batch(clips, row)) for row in order]
  checked = network_cases.train_step(shape, peers)

  def ours(implementation):
    config = network_cases.settings_of(implementation)
    states = [
      steps.create_state(dataclasses.replace(config, seed=k), batches[0])
      for k in range(runs)
    ]
    store = jax.device_put(resident.pack(clips, loader))
    plan = resident.Plan(order, np.zeros(count, np.int32))
    if runs == 1:
      program = functools.partial(
        resident.train_steps, buckets=loader.buckets, sharding=None
      )
      state: Any = states[0]
      last: Any = count
    else:
      program = functools.partial(
        resident.train_replicas,
        buckets=loader.buckets,
        together=jax.default_backend() != 'cpu',
      )
      state = jax.tree.map(lambda *x: jnp.stack(x), *states)
      plan = jax.tree.map(lambda x: np.stack([x] * runs), plan)
      last = np.full(runs, count, np.int32)
    rest = store, plan, 0, last
    ready, seconds, peak_bytes = compiled(
      jax.jit(program, donate_argnums=0), state, *rest
    )
    current: list[Any] = [state]  # donated, and replaced, by every call

    def call():
      current[0], metrics = ready(current[0], *rest)
      return metrics

    return Implementation(
      call,
      checked.makers[implementation or case.OURS]().results,
      compile_seconds=seconds,
      peak_bytes=peak_bytes,
    )

  def flax():
    params = [
      steps.create_state(Settings(seed=k), batches[0]).params
      for k in range(runs)
    ]
    first = flax_peers.create_state(
      network_cases.settings_of(), params[0], len(EMOTIONS)
    )
    states = []
    for theirs in map(flax_peers.from_ours, params):
      opt_state = first.tx.init(theirs)
      states.append(first.replace(params=theirs, opt_state=opt_state))
    key = jax.random.key(0)
    step, seconds, peak_bytes = compiled(
      flax_peers.train_step, states[0], batches[0], key
    )

    def call():
      losses = []
      for k in range(runs):
        for batch in batches:
          states[k], loss = step(states[k], batch, key)
          losses.append(loss)
      return losses

    return Implementation(
      call,
      checked.makers['flax']().results,
      compile_seconds=seconds,
      peak_bytes=peak_bytes,
    )

  makers = case.ours(ours, peers) | ({'flax': flax} if 'flax' in peers else {})
  for name, make in checked.makers.items():
    if name.startswith('torch') and name != 'torch_graph':
      makers[name] = functools.partial(_torch, name, make, batches, runs)
  return Case(checked.wanted, makers)


def _torch(name, make, batches, runs: int) -> Implementation:
  """Returns the steps in PyTorch, one run after the other."""
  from avjax.benchmarks import torch_calls, torch_peers

  config = network_cases.settings_of()
  all_clips = [torch_peers.clips(batch) for batch in batches]
  calls = []
  for k in range(runs):
    params = steps.create_state(Settings(seed=k), batches[0]).params
    module = torch_calls.network(
      params, batches[0], config.model, packed=name == 'torch_packed'
    )
    calls.append(torch_calls.train_call(module, all_clips, config.training))
  single = make()
  return dataclasses.replace(single, call=lambda: [call() for call in calls])


def _clips(batch: Batch) -> list[Clip]:
  """Returns the rows of a batch as clips."""
  audio, visual = (
    np.asarray(batch.audio),
    jax.tree.map(np.asarray, batch.visual),
  )
  label = np.asarray(batch.label)
  clips = []
  for k, (audio_frames, frames) in enumerate(
    zip(batch.audio_length, batch.visual_length, strict=True)
  ):
    streams = {name: x[k, :frames] for name, x in visual.items()}
    streams[AUDIO] = audio[k, :audio_frames]
    clips.append(Clip(str(k), streams, label=EMOTIONS[label[k]]))
  return clips
