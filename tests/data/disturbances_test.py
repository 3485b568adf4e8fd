"""Disturbances of sound and picture."""

import numpy as np
import pytest

from avjax.clips import SAMPLE_RATE
from avjax.data import disturbances


def random(seed=0):
  return np.random.default_rng(seed)


@pytest.mark.parametrize('snr', [20.0, 0.0, -5.0])
def test_noise(snr):
  """Equation: 10 log10 of the two energies is the SNR, of sound and streams."""
  signal = random().normal(0, 0.1, 1000) ** 3
  noise = random(1).normal(0, 7, 1000)
  added = disturbances.with_noise(signal, noise, snr) - signal
  assert 10 * np.log10(sum(signal**2) / sum(added**2)) == pytest.approx(snr)
  stream = random().normal([3, -100], [0.1, 20], (50, 2))
  stream = np.c_[stream, np.ones(50)].astype(np.float32)
  added = disturbances.noisy(stream, snr, random(1)) - stream
  varying = stream - stream.mean(0)
  got = 10 * np.log10((varying**2).sum() / (added**2).sum())
  assert got == pytest.approx(snr, abs=1e-3)  # float32
  assert not added[:, 2].any()
  for silent in ((np.zeros(1000), noise), (signal, np.zeros(1000))):
    assert (disturbances.with_noise(*silent, snr) == silent[0]).all()


def test_babble():
  """Law: every voice is equally loud and as long as it must be."""
  loud, soft = np.full(10, 5.0), np.array([0.1, -0.1, 0.1])
  total = disturbances.babble([loud, soft, np.zeros(4), np.zeros(0)], 25)
  np.testing.assert_allclose(total[:4], [2, 0, 2, 2])
  assert len(total) == 25


@pytest.mark.parametrize('rt60', [0.3, 1.2])
def test_reverberation(rt60):
  """Law: the energy left falls by 60 dB a reverberation time; it is 1 in all.

  An impulse gives the response, and what lasts longer than the clip is cut.
  """
  response = disturbances.impulse_response(rt60, random())
  left = np.cumsum(response[::-1] ** 2)[::-1]
  assert left[0] == pytest.approx(1)
  # Between -5 and -35 dB, as rooms are measured (ISO 3382, T30).
  decibel = 10 * np.log10(left)
  part = (decibel < -5) & (decibel > -35)
  seconds = np.arange(len(response)) / SAMPLE_RATE
  slope = np.polyfit(seconds[part], decibel[part], 1)[0]
  assert -60 / slope == pytest.approx(rt60, rel=0.03)
  impulse = np.zeros(1000)
  impulse[0] = 2
  np.testing.assert_allclose(
    disturbances.reverberated(impulse, response),
    2 * response[:1000],
    atol=1e-12,
  )


def test_shift():
  """Equation: row t comes at t + by; zeros are before or after."""
  rows = np.arange(1, 6)
  assert disturbances.shifted(rows, 2).tolist() == [0, 0, 1, 2, 3]
  assert disturbances.shifted(rows, -2).tolist() == [3, 4, 5, 0, 0]
  assert disturbances.shifted(rows, 0).tolist() == rows.tolist()
  for far in (7, -7):
    assert not disturbances.shifted(rows, far).any()


@pytest.mark.parametrize(
  'lost', [disturbances.lost_at_random, disturbances.lost_in_bursts]
)
def test_lost_frames(lost):
  """Law: as many are lost as are asked for, in few bursts or in many."""
  for length in (1, 7, 100):
    for share in (0.1, 0.5, 0.9):
      for seed in range(20):
        found = lost(length, share, random(seed))
        assert found.sum() == round(share * length)
  found = [lost(100, 0.5, random(seed)) for seed in range(200)]
  bursts = [np.sum(np.diff(one, prepend=False) & one) for one in found]
  if lost is disturbances.lost_in_bursts:
    assert max(bursts) <= 4
  else:
    assert min(bursts) > 10
  where = np.mean(found, axis=0)
  assert where.min() > 0 and where.max() < 1
