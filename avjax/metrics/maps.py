"""Numbers for what the paper's Figures 2 to 4 leave to the eye."""

import numpy as np

from avjax.clips import centre
from avjax.shapes import Array, Bool, Float, Int

_FLAT = 1e-9  # a deviation of less, of shares, is that of rounding


def window(
  frames: int, places: int, audio_length: int
) -> tuple[Int[np.ndarray, 'T W'], Bool[np.ndarray, 'T W']]:
  """Returns the audio frame of every place (Section 2.1), and which exist."""
  first = centre(np.arange(frames), frames, audio_length) - places // 2
  frame = first[:, None] + np.arange(places)
  return frame, (frame >= 0) & (frame < audio_length)


def entropy(weights: Float[Array, 'T W'], audio_length: int) -> float:
  """Returns the alignment's entropy over that of uniform weights.

  The mean over the frames that have a choice: 1 where the weights are uniform,
  0 where each looks at one place alone; NaN where no frame has a choice.

  Args:
    weights: l_t of a clip's true frames.
    audio_length: true audio frames.
  """
  frames, places = weights.shape
  _, exists = window(frames, places, audio_length)
  choice = exists.sum(1)
  weights = np.asarray(weights, np.float64)[choice > 1]
  if not len(weights):
    return float('nan')
  logs = np.log(np.where(weights > 0, weights, 1))
  bits = -(weights * logs).sum(1)
  return float(np.mean(bits / np.log(choice[choice > 1])))


def slope(weights: Float[Array, 'T W'], audio_length: int) -> float:
  """Returns the alignment's slope over that of the ideal line, Ta / T.

  The slope is that of the straight line that fits the expected audio frame
  of every video frame best. The window moves along the ideal line, so that
  uniform weights have 1 as well: see `offset`. NaN for a single frame.
  """
  frames, places = weights.shape
  if frames < 2:
    return float('nan')
  place, _ = window(frames, places, audio_length)
  expected = (np.asarray(weights, np.float64) * place).sum(1)
  fitted = np.polyfit(np.arange(frames), expected, 1)[0]
  return float(fitted * frames / audio_length)


def offset(
  weights: Float[Array, 'T W'], audio_length: int
) -> tuple[float, float]:
  """Returns mean and deviation of the expected audio frame less p_t.

  Uniform weights over four places have -0.5 and nearly no deviation; weights
  that follow the content of a clip move about.
  """
  frames, places = weights.shape
  place, _ = window(frames, places, audio_length)
  moved = place - place[:, [places // 2]]
  expected = (np.asarray(weights, np.float64) * moved).sum(1)
  return float(expected.mean()), float(expected.std())


def correlation(maps: Float[Array, 'N T']) -> Float[np.ndarray, 'N N']:
  """Returns the correlation between the emotions' attention over time.

  Where all maps are alike, an emotion's map says nothing of the emotion. NaN
  for a map without deviation.
  """
  maps = np.asarray(maps, np.float64)
  away = maps - maps.mean(1, keepdims=True)
  size = np.sqrt((away**2).sum(1))
  size = np.where(size > _FLAT, size, np.nan)
  return (away / size[:, None]) @ (away / size[:, None]).T


def movement(
  before: Float[Array, 'N K'], after: Float[Array, 'N K']
) -> Float[np.ndarray, ' N']:
  """Returns how far training has moved each embedding.

  In units of the mean distance between two embeddings before it: well below 1
  says that they stayed where they began.
  """
  before = np.asarray(before, np.float64)
  moved = np.linalg.norm(np.asarray(after, np.float64) - before, axis=1)
  return moved / distance(before)


def distance(embeddings: Float[Array, 'N K']) -> float:
  """Returns the mean distance between two different embeddings."""
  embeddings = np.asarray(embeddings, np.float64)
  gaps = embeddings[:, None] - embeddings[None]
  upper = np.triu_indices(len(embeddings), 1)
  return float(np.linalg.norm(gaps, axis=2)[upper].mean())


def plane(
  before: Float[Array, 'N K'], after: Float[Array, 'N K']
) -> tuple[Float[np.ndarray, 'N 2'], Float[np.ndarray, 'N 2'], float]:
  """Returns both in the plane of their first two principal components.

  Returns:
    the points before and after training, and the share of the variance of all
    of them that the plane holds.
  """
  both = np.concatenate([before, after]).astype(np.float64)
  both = both - both.mean(0)
  _, size, rows = np.linalg.svd(both, full_matrices=False)
  rows = rows[:2]
  # The sign of a component is arbitrary: its largest entry shall be positive.
  largest = np.abs(rows).argmax(1)
  rows = rows * np.sign(rows[np.arange(len(rows)), largest])[:, None]
  points = both @ rows.T
  if points.shape[1] < 2:  # embeddings of one number
    points = np.concatenate([points, 0 * points], axis=1)
  total = (size**2).sum()
  share = (size[:2] ** 2).sum() / total if total > 0 else 1.0
  return points[: len(before)], points[len(before) :], float(share)
