"""Attention and alignment scored on clips whose truth is known."""

import dataclasses

import numpy as np
import pytest

from avjax.clips import Clip
from avjax.metrics import attention

T, TA = 8, 10


def make_clip(salient=(2, 4), events=((3, 4), (0, 1))):
  streams = {
    'audio': np.zeros((TA, 1), np.float32),
    'face': np.zeros((T, 1), np.float32),
  }
  truth = {'salient': np.array(salient), 'events': np.array(events)}
  return Clip('clip', streams, truth=truth)


def test_salient_mass():
  """Law: uniform attention scores 1, all of it inside T / length."""
  truth = make_clip().truth
  uniform = np.full(T, 1 / T)
  assert attention.salient_mass(uniform, truth) == pytest.approx(1)
  inside = np.zeros(T)
  inside[3] = 1
  assert attention.salient_mass(inside, truth) == pytest.approx(T / 2)
  assert attention.salient_mass(uniform[::-1] * 0, truth) == 0
  assert attention.salient_mass(uniform, {}) is None


def test_event_alignment():
  """Law: the place of an event is its audio frame less p_t - w."""
  # p_3 = floor(7 * 10 / 16) = 4, so frame 4 is place 2; p_0 = 0: 1 is place 3.
  weights = np.zeros((T, 4))
  weights[3] = [0, 0, 1, 0]
  weights[0] = [0, 0, 0.5, 0.5]
  got = attention.event_alignment(weights, TA, make_clip().truth)
  np.testing.assert_allclose(got['weight'], [1, 0.5])
  np.testing.assert_allclose(got['error'], [0, 0.5])
  # At the first frame only the places 2 and 3 exist.
  np.testing.assert_allclose(got['weight_uniform'], [0.25, 0.5])
  np.testing.assert_allclose(got['error_uniform'], [0.5, 0.5])


def test_summary():
  """Law: means over clips and events; the predicted emotion's map counts."""
  clip = make_clip()
  maps = np.zeros((2, T))
  maps[0, 0] = maps[1, 3] = 1
  weights = np.full((T, 4), 0.25)
  one = attention.summary(
    [clip, clip], [1, 0], [maps, maps], [weights, weights]
  )
  assert one['attention']['mass_over_uniform'] == pytest.approx(T / 2 / 2)
  assert one['alignment']['weight'] == pytest.approx(0.25)
  unknown = dataclasses.replace(clip, truth={})
  assert attention.summary([unknown], [0], [maps], [weights]) == {}
  assert attention.summary([clip], [0], [None], [None]) == {}
