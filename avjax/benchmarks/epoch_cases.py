"""Many steps in one call: an epoch, and an epoch of ten seeds.

Ours is one program over clips that lie on the device. The others take their
steps one after another, from batches that lie there ready for them.
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
  """Returns ten training steps of `proposed`, each on clips of its own.

  What must agree is that of `network_cases.train_step`.
  """
  return _case(shape, peers, 1, STEPS)


def seeds(shape: Shape, peers: Sequence[str]) -> Case:
  """Returns two training steps of each of ten seeds of `proposed`."""
  return _case(shape, peers, SEEDS, STEPS_OF_SEEDS)


def _case(shape: Shape, peers: Sequence[str], runs: int, count: int) -> Case:
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
    held: list[Any] = [state]

    def call():
      held[0], seen = ready(held[0], *rest)
      return seen

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
    for one in map(flax_peers.from_ours, params):
      states.append(first.replace(params=one, opt_state=first.tx.init(one)))
    key = jax.random.key(0)
    step, seconds, peak_bytes = compiled(
      flax_peers.train_step, states[0], batches[0], key
    )

    def call():
      seen = []
      for k in range(runs):
        for batch in batches:
          states[k], loss = step(states[k], batch, key)
          seen.append(loss)
      return seen

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
  """Returns PyTorch's steps, run after run."""
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
  one = make()
  return dataclasses.replace(one, call=lambda: [call() for call in calls])


def _clips(batch: Batch) -> list[Clip]:
  """Returns the rows of a batch as clips."""
  audio, visual = (
    np.asarray(batch.audio),
    jax.tree.map(np.asarray, batch.visual),
  )
  label = np.asarray(batch.label)
  clips = []
  for k, (heard, seen) in enumerate(
    zip(batch.audio_length, batch.visual_length, strict=True)
  ):
    streams = {name: x[k, :seen] for name, x in visual.items()}
    streams[AUDIO] = audio[k, :heard]
    clips.append(Clip(str(k), streams, label=EMOTIONS[label[k]]))
  return clips
