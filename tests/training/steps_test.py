"""One step: its loss, on several devices, with bad clips; many: learning."""

import dataclasses

import jax
import numpy as np
import pytest

from avjax.training import steps
from avjax.training.devices import Devices
from tests.training import examples


def losses(initial, parallelism, device_count, monkeypatch, epochs=7):
  """Returns the loss of 20 steps with dropout on."""
  settings = examples.PROPOSED
  devices = jax.local_devices()[:device_count]
  monkeypatch.setattr(jax, 'devices', lambda: devices)
  place = Devices(parallelism)
  assert len(place) == device_count
  parts = examples.make_parts()
  loader = examples.make_loader(settings, parts)
  clips = parts['training']
  state = place.put_state(initial)
  seen = []
  for epoch in range(epochs):
    for indices in loader.order(clips, 0, epoch):
      state, metrics = place.train_step(state, loader.batch(clips, indices))
      assert metrics['count'] == len(indices)
      seen.append(float(metrics['loss']))
  params = jax.tree.map(np.asarray, place.unstack(state).params)
  return np.array(seen[:20]), params


def test_devices_agree(monkeypatch):
  """Agreement: jit and pmap, on one device and on four, dropout on."""
  initial, _ = first_batch(examples.PROPOSED)
  initial = jax.tree.map(np.asarray, initial)  # each has a copy to donate
  wanted, params = losses(initial, 'jit', 1, monkeypatch)
  assert len(wanted) == 20
  for parallelism, count in [('jit', 4), ('pmap', 1), ('pmap', 4)]:
    monkeypatch.undo()
    got, others = losses(initial, parallelism, count, monkeypatch)
    np.testing.assert_allclose(got, wanted, rtol=1e-5)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5),
      others,
      params,
    )


NO_DROPOUT = dataclasses.replace(
  examples.SETTINGS,
  model=dataclasses.replace(examples.SETTINGS.model, dropout=0.0),
)


def first_batch(settings=examples.SETTINGS, rows=8):
  parts = examples.make_parts()
  loader = examples.make_loader(settings, parts, rows)
  batch = loader.batch(parts['training'], np.arange(5))
  return steps.create_state(settings, batch, examples.EMOTIONS), batch


def test_filler_counts_for_nothing():
  """Law: five clips give one update, however many rows of filler follow."""
  results = []
  for rows in (5, 8):
    state, batch = first_batch(rows=rows)
    state, metrics = steps.train_step(state, batch)
    assert metrics['count'] == 5
    results.append((metrics['loss'], state.params))
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
    *results,
  )


@pytest.mark.parametrize('place', ['audio', 'visual'])
def test_loss_that_is_not_finite(place):
  """Law: nothing is updated, and the clip's own loss says which it is."""
  state, batch = first_batch()
  if place == 'audio':
    batch.audio[3, 0, 0] = np.nan
  else:
    batch.visual['face'][3, 0, 0] = np.inf
  before = jax.tree.map(np.array, (state.params, state.opt_state, state.step))
  state, metrics = steps.train_step(state, batch)
  assert not metrics['finite']
  bad = ~np.isfinite(np.asarray(metrics['losses']))
  np.testing.assert_array_equal(np.flatnonzero(bad), [3])
  jax.tree.map(
    np.testing.assert_array_equal,
    before,
    (state.params, state.opt_state, state.step),
  )


def test_loss_is_the_cross_entropy():
  """Equation: the mean of -log softmax at the label, over the real clips."""
  state, batch = first_batch(NO_DROPOUT)
  logits = np.asarray(steps.eval_step(state, batch).logits, np.float64)[:5]
  label = batch.label[:5]
  each = np.log(np.exp(logits).sum(1)) - logits[np.arange(5), label]
  _, metrics = steps.train_step(state, batch)
  np.testing.assert_allclose(metrics['loss'], each.mean(), rtol=1e-5)
  np.testing.assert_allclose(metrics['losses'][:5], each, rtol=1e-5)
  assert not np.any(metrics['losses'][5:])
  assert metrics['correct'] == np.sum(logits.argmax(1) == label)


def test_training_learns():
  """Law: on clips that tell their label, the loss falls to half."""
  parts = examples.make_parts()
  loader = examples.make_loader(NO_DROPOUT, parts)
  clips = parts['training']
  state, _ = first_batch(NO_DROPOUT)
  means = []
  for epoch in range(60):
    seen = []
    for indices in loader.order(clips, 0, epoch):
      state, metrics = steps.train_step(state, loader.batch(clips, indices))
      seen.append(float(metrics['loss']))
    means.append(np.mean(seen))
  assert np.mean(means[-5:]) < np.mean(means[:5]) / 2


def test_same_seed_same_step():
  """Law: two states of one seed stay equal to the bit; another's differs."""
  first, second = (steps.train_step(*first_batch())[0] for _ in range(2))
  jax.tree.map(np.testing.assert_array_equal, first.params, second.params)
  other = dataclasses.replace(examples.SETTINGS, seed=1)
  third, _ = steps.train_step(*first_batch(other))
  assert not np.array_equal(first.params['w_class'], third.params['w_class'])


def test_state_is_donated():
  """Law: the step writes over the state it is given."""
  state, batch = first_batch()
  state = Devices('jit').put_state(state)
  steps.train_step(state, batch)
  assert state.params['w_class'].is_deleted()


def test_prediction_has_no_dropout():
  """Law: evaluation is the network without dropout, twice the same."""
  state, batch = first_batch()
  network = jax.jit(state.apply_fn)
  wanted = network({'params': state.params}, batch).logits
  got = steps.eval_step(state, batch).logits
  np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
