"""Arrays that do not fit a public function, and what it answers."""

import json
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import avjax
from avjax.shapes import ShapeError


def ones(*shape):
  return np.ones(shape, np.float32)


FITTING = {
  'lstm': {
    'inputs': ones(2, 7, 3),
    'w_input': ones(3, 4, 5),
    'w_recurrent': ones(5, 4, 5),
    'bias': ones(4, 5),
    'lengths': np.array([7, 4]),
  },
  'align': {
    'audio': ones(9, 5),
    'visual': ones(10, 6),
    'w_audio': ones(5, 8),
    'w_visual': ones(6, 8),
    'w_place': ones(4, 8),
    'audio_length': 9,
    'visual_length': np.array(10),
  },
  'attend': {
    'selector': ones(6, 5),
    'w_state': ones(5, 3),
    'embeddings': ones(7, 3),
    'length': None,
  },
  'classify': {
    'states': ones(6, 5),
    'attention': ones(7, 6),
    'w_class': ones(7, 5),
    'b_class': ones(7),
  },
}
"""Function -> arguments that fit it."""

FREE = {
  ('inputs', 1),
  ('audio', 0),
  ('visual', 0),
  ('w_place', 0),
  ('selector', 0),
  ('embeddings', 0),
}
"""Argument, dimension: those that only one array has."""

MISFITS = [
  ('lstm', 'inputs', ones(7, 3), '(7, 3), wanted (B, T, D)'),
  ('lstm', 'w_input', ones(3, 20), '(3, 20), wanted (D, 4, C)'),
  ('lstm', 'w_input', ones(3, 5, 5), '(3, 5, 5), wanted (3, 4, 5): (D, 4, C)'),
  (
    'lstm',
    'w_recurrent',
    ones(4, 4, 6),
    '(4, 4, 6), wanted (5, 4, 5): (C, 4, C) with C = 5 from w_input (3, 4, 5)',
  ),
  (
    'lstm',
    'lengths',
    np.array([7, 4, 1]),
    '(3,), wanted (2,): (B,) with B = 2 from inputs (2, 7, 3)',
  ),
  ('lstm', 'lengths', [7, 4], 'of type list, wanted an array (B,)'),
  ('lstm', 'lengths', ones(2), 'float32, wanted integer'),
  (
    'align',
    'audio',
    ones(2, 9, 5),
    '(2, 9, 5), wanted (Ta, C); jax.vmap maps over a batch',
  ),
  ('align', 'visual', None, 'of type NoneType, wanted an array (T, V)'),
  (
    'align',
    'w_visual',
    ones(5, 8),
    '(5, 8), wanted (6, 8): (V, A) with V = 6 from visual (10, 6)',
  ),
  (
    'align',
    'w_place',
    ones(4, 7),
    '(4, 7), wanted (4, 8): (W, A) with A = 8 from w_audio (5, 8)',
  ),
  (
    'align',
    'audio_length',
    np.array([9, 9]),
    '(2,), wanted (); jax.vmap maps over a batch',
  ),
  ('attend', 'selector', np.ones((6, 5), int), 'int64, wanted floating'),
  (
    'attend',
    'embeddings',
    ones(3, 7),
    '(3, 7), wanted (3, 3): (N, K) with K = 3 from w_state (5, 3)',
  ),
  (
    'classify',
    'w_class',
    ones(5, 7),
    '(5, 7), wanted (7, 5): (N, C) with N = 7 from attention (7, 6),'
    ' C = 5 from states (6, 5)',
  ),
  (
    'classify',
    'b_class',
    ones(1),
    '(1,), wanted (7,): (N,) with N = 7 from attention (7, 6)',
  ),
]
"""Function, an argument, what it is given, and what is then said of it."""


def answers():
  """Returns what the functions say of each of MISFITS."""
  said = []
  for name, argument, value, _ in MISFITS:
    try:
      getattr(avjax, name)(**FITTING[name] | {argument: value})
    except ShapeError as error:
      said.append(str(error))
    else:
      said.append('nothing')
  return said


WANTED = [f'{name}: {a} is {message}' for name, a, _, message in MISFITS]


def test_what_does_not_fit():
  """Law: the answer is one line: the argument, its shape, the wanted one."""
  assert answers() == WANTED


def test_what_does_not_fit_as_a_user_sees_it():
  """Program: the same without jaxtyping, which only the tests need."""
  code = (
    'import json, sys; sys.modules["jaxtyping"] = None;'
    'from tests import shapes_test; print(json.dumps(shapes_test.answers()))'
  )
  done = subprocess.run(
    [sys.executable, '-c', code],
    cwd=pathlib.Path(__file__).parents[1],
    capture_output=True,
    text=True,
    check=True,
  )
  assert json.loads(done.stdout) == WANTED


@pytest.mark.parametrize('name', FITTING)
def test_what_fits(name):
  """Law: arrays that fit compile to what they would without the check."""
  function = getattr(avjax, name)
  checked, unchecked = (
    str(jax.make_jaxpr(f)(**FITTING[name]))
    for f in (function, function.__wrapped__)
  )
  assert checked == unchecked
  assert 'dot_general' in checked


@pytest.mark.parametrize('name', FITTING)
def test_every_dimension_is_checked(name):
  """Law: one more of any dimension that two arrays share is answered."""
  function, fitting = getattr(avjax, name), FITTING[name]
  for argument, array in fitting.items():
    for axis in range(np.ndim(array)):
      larger = np.repeat(array, [2] + [1] * (array.shape[axis] - 1), axis)
      arguments = fitting | {argument: larger}
      if (argument, axis) in FREE:
        jax.eval_shape(function, **arguments)
      else:
        with pytest.raises(ShapeError, match=f'{name}: .* wanted'):
          function(**arguments)


def test_one_clip_of_a_batch():
  """Law: under vmap the shapes are those of one clip."""
  selector, w_state = jnp.ones((2, 6, 4)), FITTING['attend']['w_state']
  message = r'w_state is \(5, 3\), .* from selector \(6, 4\)'
  with pytest.raises(ShapeError, match=message):
    jax.vmap(avjax.attend, (0, None, None))(selector, w_state, ones(7, 3))
