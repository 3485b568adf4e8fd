"""The peers compute what we compute."""

import jax
import numpy as np
import pytest

from avjax.benchmarks import cases, peers
from avjax.errors import AvjaxError
from avjax.models.classifiers import build
from tests.models import classifiers_test as example

EMOTIONS = example.EMOTIONS


def test_proposed():
  """Agreement: logits and gradients of a ragged batch, to 1e-5 and 1e-4."""
  batch = jax.tree.map(lambda x: x[np.array([0, 1, 3])], example.example())
  ours = build(example.SMALL, EMOTIONS)
  params = example.random_parameters(ours, batch)
  theirs = peers.Proposed(example.SMALL, len(EMOTIONS))

  def our_logits(params):
    return ours.apply({'params': params}, batch).logits

  def their_logits(params):
    return theirs.apply({'params': peers.from_ours(params)}, batch)

  # Flax adds biases to arrays of another rank.
  with jax.numpy_rank_promotion('allow'):
    wanted, got = (
      jax.jit(cases.values_and_gradients(logits))(params)
      for logits in (our_logits, their_logits)
    )
  cases.check('flax', got, wanted)
  assert all(np.any(g) for g in jax.tree.leaves(wanted[1]))


def test_parameters():
  """Agreement: the peer's own tree has the names and shapes of from_ours."""
  batch = example.example()
  ours = build(example.SMALL, EMOTIONS)
  params = example.random_parameters(ours, batch)
  theirs = peers.Proposed(example.SMALL, len(EMOTIONS))
  with jax.numpy_rank_promotion('allow'):
    tree = jax.eval_shape(theirs.init, jax.random.key(0), batch)['params']
  jax.tree.map(
    lambda have, want: np.testing.assert_equal(have.shape, want.shape),
    peers.from_ours(params),
    tree,
  )
  assert sum(x.size for x in jax.tree.leaves(tree)) == sum(
    x.size for x in jax.tree.leaves(params)
  )


def test_disagreement():
  """Law: what differs, or is not a number, is not timed."""
  wanted = np.ones(3), {'w': np.ones((2, 2))}
  cases.check('same', wanted, wanted)
  for wrong in (1.001, np.nan):
    other = wanted[0], {'w': np.full((2, 2), wrong)}
    with pytest.raises(AvjaxError, match=r"other differs by .* in \['w'\]"):
      cases.check('other', other, wanted)
