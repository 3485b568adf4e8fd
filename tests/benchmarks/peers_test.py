"""Agreement of the peers with our implementation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import rnn

from avjax.benchmarks import agreement, cudnn_peer, flax_peers, inputs
from avjax.benchmarks.inputs import Shape
from avjax.errors import AvjaxError
from avjax.kernels.lstm import lstm
from avjax.models.classifiers import build
from avjax.settings import Settings, TrainingConfig
from avjax.training import steps
from tests.models import classifiers_test as example

EMOTIONS = example.EMOTIONS
CONFIG = Settings(model=example.SMALL)


@pytest.fixture(scope='module')
def network():
  """Returns a ragged batch, parameters, and our results in float64."""
  batch = jax.tree.map(lambda x: x[np.array([0, 1, 3])], example.example())
  ours = build(example.SMALL, EMOTIONS)
  params = example.random_parameters(ours, batch)

  def logits(params):
    return ours.apply({'params': params}, batch).logits

  check = agreement.values_and_gradients(logits)
  wanted = agreement.in_float64(check, params)
  assert all(np.any(x) for x in jax.tree.leaves(wanted))
  return batch, params, wanted


def test_flax(network):
  """Agreement: logits and gradients of a ragged batch, to 1e-5 and 1e-4."""
  batch, params, wanted = network
  theirs = flax_peers.FlaxProposed(example.SMALL, len(EMOTIONS))

  def logits(params):
    return theirs.apply({'params': flax_peers.from_ours(params)}, batch)

  # Flax adds biases to arrays of another rank.
  with jax.numpy_rank_promotion('allow'):
    got = jax.jit(agreement.values_and_gradients(logits))(params)
  agreement.check('flax', got, wanted, 'float32')


def test_flax_parameters(network):
  """Agreement: the peer's own tree has the names and shapes of from_ours."""
  batch, params, _ = network
  theirs = flax_peers.FlaxProposed(example.SMALL, len(EMOTIONS))
  with jax.numpy_rank_promotion('allow'):
    tree = jax.eval_shape(theirs.init, jax.random.key(0), batch)['params']
  jax.tree.map(
    lambda have, want: np.testing.assert_equal(have.shape, want.shape),
    flax_peers.from_ours(params),
    tree,
  )
  assert sum(x.size for x in jax.tree.leaves(tree)) == sum(
    x.size for x in jax.tree.leaves(params)
  )


@pytest.mark.parametrize('packed', [False, True])
def test_torch(network, packed):
  """Agreement: PyTorch, padded and packed, to 1e-5 and 1e-4; also inference."""
  pytest.importorskip('torch')
  from avjax.benchmarks import torch_calls

  batch, params, wanted = network
  step = torch_calls.train_step(params, batch, CONFIG, packed=packed)
  agreement.check('torch', step.results(), wanted, 'float32')
  call = torch_calls.inference(params, batch, CONFIG.model, packed=packed)
  agreement.check('torch', call.results(), (wanted[0], {}), 'float32')


def test_torch_steps(network):
  """Agreement: three steps without dropout give the same parameters."""
  pytest.importorskip('torch')
  from avjax.benchmarks import torch_calls, torch_peers

  batch, params, _ = network
  # Large enough to have a visible effect.
  training = TrainingConfig(weight_decay=0.1, epsilon=1e-3)
  model = dataclasses.replace(example.SMALL, dropout=0.0)
  config = dataclasses.replace(CONFIG, model=model, training=training)
  state = steps.create_state(config, batch, EMOTIONS)
  state = state.replace(params=jax.tree.map(jnp.asarray, params))
  module = torch_calls.network(params, batch, model)
  call = torch_calls.train_call(module, [torch_peers.clips(batch)], training)
  for _ in range(3):
    state, metrics = steps.train_step(state, batch)
    np.testing.assert_allclose(call(), metrics['loss'], rtol=1e-5)
  got = module.state_dict()
  for name, want in torch_peers.from_ours(state.params).items():
    np.testing.assert_allclose(
      got[name], want, rtol=1e-4, atol=1e-5, err_msg=name
    )


@pytest.mark.parametrize('gradients', [False, True])
@pytest.mark.parametrize('ragged, packed', [(0, 0), (1, 0), (1, 1)])
def test_torch_layer(ragged, packed, gradients):
  """Agreement: one layer of PyTorch, padded and packed, full and ragged."""
  pytest.importorskip('torch')
  from avjax.benchmarks import torch_calls

  shape = Shape(3, 8, 4, bool(ragged))
  arrays, lengths = inputs.layer(shape), inputs.lengths(shape)

  def states(arrays):
    x, w_input, w_recurrent, bias = arrays
    return lstm(
      x, w_input, w_recurrent, bias, lengths, implementation='reference'
    )[0]

  check = agreement.values_and_gradients if gradients else agreement.values
  wanted = agreement.in_float64(check(states), arrays)
  call = torch_calls.layer(
    arrays, lengths, gradients=gradients, packed=bool(packed)
  )
  agreement.check('torch', call.results(), wanted, 'float32')


def test_cudnn_parameters():
  """Agreement: JAX unpacks our parameters from cuDNN's layout unchanged."""
  inputs_, *params = inputs.layer(Shape(3, 8, 4))
  flat = jnp.concatenate([x.reshape(-1) for x in cudnn_peer.weights(*params)])
  assert flat.size == rnn.get_num_params_in_lstm(8, 4, 1, False)
  weights = rnn.unpack_lstm_weights(flat, 8, 4, 1, False)
  zeros, lengths = jnp.zeros((1, 3, 4)), jnp.array([8, 5, 1])
  with jax.numpy_rank_promotion('allow'):
    got, _, _ = rnn.lstm_ref(
      inputs_, zeros, zeros, *weights, lengths, 8, 4, 1, 0.0, False
    )
  want, _ = lstm(inputs_, *params, lengths)
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_disagreement():
  """Law: a wrong value or NaN is an error that names the array."""
  wanted = np.ones(3), {'w': np.ones((2, 2))}
  errors = agreement.check('same', wanted, wanted, 'float32')
  assert (errors.value, errors.gradient) == (0, 0)
  for wrong in (1.001, np.nan):
    other = wanted[0], {'w': np.full((2, 2), wrong)}
    with pytest.raises(AvjaxError, match=r"other differs by .* of \['w'\]"):
      agreement.check('other', other, wanted, 'float32')
  other = wanted[0], {'w': np.full((2, 2), 1.001)}
  assert agreement.check('other', other, wanted, 'tf32').gradient > 9e-4
