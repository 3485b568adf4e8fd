"""Clips on the device: the same batches, the same runs, in one program."""

import dataclasses
import signal

import jax
import numpy as np
import pytest

from avjax.data import batching
from avjax.training import loop, resident, steps
from avjax.training.devices import Devices
from tests.training import examples
from tests.training.loop_test import assert_same_run, train


def placed(where, data=None, **training):
  settings = examples.with_training(**training)
  changes = {'placement': where, 'buckets': 2, **(data or {})}
  data = dataclasses.replace(settings.data, **changes)
  return dataclasses.replace(settings, data=data)


def test_gather_is_collate():
  """Law: a batch gathered on the device is the host's, filler included."""
  settings = placed('device')
  parts = examples.make_parts()
  clips = [*parts['training'], *parts['validation']]
  loader = examples.make_loader(settings, parts)
  assert len(loader.buckets.lengths) == 2
  store = jax.device_put(resident.pack(clips, loader))
  gather = jax.jit(resident.gather, static_argnums=2)
  for indices in loader.order(clips, 0, 0):
    wanted = loader.batch(clips, indices)
    lengths = loader.buckets.lengths[loader.buckets.of(clips)[indices].max()]
    filled = np.full(loader.rows, batching.UNKNOWN, np.int32)
    filled[: len(indices)] = indices
    got = gather(store, filled, lengths)
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(*map(jax.tree.leaves, (got, wanted)), strict=True):
      np.testing.assert_array_equal(a, b)


def test_run_on_the_device_is_the_host_s(tmp_path):
  """Law: wherever the clips lie, a run's losses and states are the same."""
  host = train(tmp_path / 'host', placed('host', epochs=3))
  device = train(tmp_path / 'device', placed('device', epochs=3))
  assert_same_run(host, device)


def test_long_clips_on_the_device(tmp_path):
  """Law: small batches too are those of the host, on one device and several."""
  short = {'batch_frames': 24}
  settings = placed('host', short, epochs=2)
  loader = examples.make_loader(settings, examples.make_parts())
  assert loader.sizes == (4, 2)
  host = train(tmp_path / 'host', settings)
  device = train(tmp_path / 'device', placed('device', short, epochs=2))
  assert_same_run(host, device)
  assert len(host[0].history) == 2


def test_run_goes_on_elsewhere(tmp_path):
  """Law: begun on the host within an epoch, it ends the same on the device."""
  whole = train(tmp_path / 'whole', placed('host', epochs=3))
  train(tmp_path / 'parts', placed('host', epochs=2))
  assert_same_run(whole, train(tmp_path / 'parts', placed('device', epochs=3)))


def test_stop_between_two_calls(tmp_path, monkeypatch):
  """Law: a signal ends the call under way; the rest gives the same bits."""
  settings = placed('device', epochs=3)
  whole = train(tmp_path / 'whole', settings)
  calls = []
  run = resident.Resident.train

  def interrupted(self, *arguments):
    calls.append(None)
    if len(calls) == 2:
      signal.raise_signal(signal.SIGTERM)
    return run(self, *arguments)

  with monkeypatch.context() as patch:
    patch.setattr(loop, 'STEPS', 2)
    patch.setattr(resident.Resident, 'train', interrupted)
    with pytest.raises(SystemExit):
      train(tmp_path / 'parts', settings)
  assert (tmp_path / 'parts' / 'checkpoints' / '3').is_dir()  # 2 and 1 steps
  assert_same_run(whole, train(tmp_path / 'parts', settings))


@pytest.mark.parametrize('where', ['host', 'device'])
def test_compiles_in_the_first_epoch_only(tmp_path, where):
  """Law: more epochs compile nothing more."""
  programs = (
    steps.train_step,
    steps.eval_step,
    resident.train_steps,
    resident.predict,
  )

  def compiled(epochs, folder):
    train(tmp_path / folder, placed(where, epochs=epochs))
    return [program._cache_size() for program in programs]

  for program in programs:
    program.clear_cache()
  first = compiled(1, 'one')
  # On the host a program for each padded length, on the device one for all.
  assert first[0] == (2 if where == 'host' else 0)
  assert first[2:] == ([0, 0] if where == 'host' else [1, 1])
  assert compiled(4, 'four') == first


def test_where_clips_are_put(monkeypatch):
  """Law: on an accelerator where they fill half of it at most, else not."""

  class Accelerator:
    platform = 'gpu'

    def __init__(self, statistics):
      self._statistics = statistics

    def memory_stats(self):
      return self._statistics

  devices = Devices('jit')
  assert devices.keep_clips('device', 1) and not devices.keep_clips('host', 1)
  assert not devices.keep_clips('auto', 1)  # a CPU
  for statistics, size, wanted in [
    ({'bytes_limit': 100}, 50, True),
    ({'bytes_limit': 100}, 51, False),
    (None, 1, False),
  ]:
    monkeypatch.setattr(devices, '_local', (Accelerator(statistics),))
    assert devices.keep_clips('auto', size) == wanted
