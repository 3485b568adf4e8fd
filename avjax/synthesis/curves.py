"""Random numbers and curves over time, for the voice and the face."""

import numpy as np

RATE = 100
"""Values per second of every curve."""


def generator(seed: int, *key: int) -> np.random.Generator:
  """Returns a generator of random numbers that depend only on seed and key."""
  sequence = np.random.SeedSequence((seed, *key))
  return np.random.Generator(np.random.Philox(sequence))


def smooth(curve: np.ndarray, width: int) -> np.ndarray:
  """Returns the moving mean over `width` values of a curve, (n, ...)."""
  before = width // 2
  pad = [(before, width - 1 - before)] + [(0, 0)] * (curve.ndim - 1)
  total = np.cumsum(np.pad(curve, pad, mode='edge'), axis=0)
  total = np.concatenate([np.zeros_like(total[:1]), total])
  return (total[width:] - total[:-width]) / width


def slow_noise(
  random: np.random.Generator, count: int, width: int, spacing: int
) -> np.ndarray:
  """Returns smooth random curves (count, width) of mean 0 and std 1.

  Args:
    random: generator of random numbers.
    count: number of values.
    width: number of curves.
    spacing: number of values between two independent random numbers.
  """
  knots = random.standard_normal((count // spacing + 3, width))
  position = np.arange(count) / spacing + random.random()
  left = position.astype(int)
  weight = (position - left)[:, None]
  weight = weight * weight * (3 - 2 * weight)
  mixed = knots[left] * (1 - weight) + knots[left + 1] * weight
  return mixed / np.sqrt((1 - weight) ** 2 + weight**2)
