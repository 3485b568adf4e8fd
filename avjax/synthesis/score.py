"""Curves over time that the voice and the face share."""

import numpy as np

RATE = 100
"""Values a second of every curve."""


def generator(seed: int, *key: int) -> np.random.Generator:
  """Returns the random numbers of one key, whatever else is drawn."""
  sequence = np.random.SeedSequence((seed, *key))
  return np.random.Generator(np.random.Philox(sequence))


def smooth(curve: np.ndarray, width: int) -> np.ndarray:
  """Returns (n, ...): the curve under a moving mean that is `width` wide."""
  before = width // 2
  pad = [(before, width - 1 - before)] + [(0, 0)] * (curve.ndim - 1)
  total = np.cumsum(np.pad(curve, pad, mode='edge'), axis=0)
  total = np.concatenate([np.zeros_like(total[:1]), total])
  return (total[width:] - total[:-width]) / width


def wander(
  random: np.random.Generator, count: int, width: int, slow: int
) -> np.ndarray:
  """Returns (count, width): slow noise of deviation one about zero.

  Args:
    random: random numbers.
    count: values in time.
    width: curves side by side.
    slow: values in time after which a curve has another value.
  """
  knots = random.standard_normal((count // slow + 3, width))
  place = np.arange(count) / slow + random.random()
  left = place.astype(int)
  part = (place - left)[:, None]
  part = part * part * (3 - 2 * part)
  mixed = knots[left] * (1 - part) + knots[left + 1] * part
  return mixed / np.sqrt((1 - part) ** 2 + part**2)
