"""Scores of groups of clips."""

import numpy as np
import pytest

from avjax.metrics import classification, groups, significance


def test_groups():
  """Equation: each group's scores, and its difference to all other clips."""
  random = np.random.default_rng(0)
  speakers = np.array(list('aabbccddee') * 4)
  words = np.where(speakers < 'c', 'woman', 'man')
  label = random.integers(0, 3, 40)
  shares = random.dirichlet(np.ones(3), 40)
  found = groups.scores([*words], ['woman', 'man'], shares, label, [*speakers])
  assert list(found) == ['woman', 'man']
  right = shares.argmax(1) == label
  for name, one in found.items():
    own = words == name
    assert (one['n'], one['correct']) == (own.sum(), right[own].sum())
    assert one['speakers'] == {'woman': 2, 'man': 3}[name]
    counts = classification.confusion(label[own], shares[own].argmax(1), 3)
    assert one['uar'] == classification.unweighted_recall(counts)
    error = classification.calibration_error(shares[own], label[own])
    assert one['calibration_error'] == error
    bounds = significance.clustered_bootstrap(right[own], [*speakers[own]])
    assert one['by_speaker_95'] == [*bounds]
    gap = right[own].mean() - right[~own].mean()
    assert one['difference'] == pytest.approx(gap)
    low, high = one['difference_by_speaker_95']
    assert low <= gap <= high


def test_where_no_interval_can_be_had():
  """Law: a single speaker, or an unknown one, gives none; one group no gap."""
  label, shares = np.array([0, 1, 1, 0]), np.eye(2)[[0, 1, 0, 1]]
  found = groups.scores(list('xxyy'), ['x', 'y'], shares, label, list('ppqr'))
  assert 'by_speaker_95' not in found['x']
  assert 'difference_by_speaker_95' not in found['x']
  assert found['x']['difference'] == 1
  assert found['y']['by_speaker_95'] == [0, 0]
  assert 'difference_by_speaker_95' not in found['y']
  (one,) = groups.scores(
    list('xxxx'), ['x'], shares, label, ['p', 'q', 'r', '']
  ).values()
  assert one['speakers'] == 3
  assert not {'difference', 'by_speaker_95'} & set(one)
