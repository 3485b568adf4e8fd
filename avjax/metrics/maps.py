"""Measures of the alignment, attention and embeddings of Figures 2 to 4."""

import numpy as np

from avjax.clips import centre
from avjax.shapes import Array, Bool, Float, Int

_ROUNDING = 1e-9  # a map with a smaller norm about its mean is constant


def window(
  frames: int, positions: int, audio_length: int
) -> tuple[Int[np.ndarray, 'T W'], Bool[np.ndarray, 'T W']]:
  """Returns the audio frame of every window position, and whether it exists.

  Args:
    frames: video frames T of a clip, without padding.
    positions: of the window, W (Section 2.1).
    audio_length: audio frames of the clip, without padding.
  """
  first = centre(np.arange(frames), frames, audio_length) - positions // 2
  frame = first[:, None] + np.arange(positions)
  return frame, (frame >= 0) & (frame < audio_length)


def entropy(weights: Float[Array, 'T W'], audio_length: int) -> float:
  """Returns the entropy of the alignment over that of uniform weights.

  It is averaged over the video frames with two or more existing positions: 1
  for uniform weights, 0 if each frame has all weight at one position, NaN if
  there is no such frame.

  Args:
    weights: l_t (Eq. 4) of the unpadded frames of a clip.
    audio_length: unpadded audio frames.
  """
  frames, positions = weights.shape
  _, exists = window(frames, positions, audio_length)
  count = exists.sum(1)
  weights = np.asarray(weights, np.float64)[count > 1]
  if not len(weights):
    return float('nan')
  logs = np.log(np.where(weights > 0, weights, 1))
  entropies = -(weights * logs).sum(1)
  return float(np.mean(entropies / np.log(count[count > 1])))


def slope(weights: Float[Array, 'T W'], audio_length: int) -> float:
  """Returns the slope of the alignment over that of the ideal line, Ta / T.

  A straight line is fitted to the expected audio frame of every video frame.
  The window moves along the ideal line, so uniform weights have a slope of 1 as
  well; `offset` tells them apart. NaN for a single frame.

  Args:
    weights: l_t (Eq. 4) of the unpadded frames of a clip.
    audio_length: unpadded audio frames Ta.
  """
  frames, positions = weights.shape
  if frames < 2:
    return float('nan')
  frame, _ = window(frames, positions, audio_length)
  expected = (np.asarray(weights, np.float64) * frame).sum(1)
  fitted = np.polyfit(np.arange(frames), expected, 1)[0]
  return float(fitted * frames / audio_length)


def offset(
  weights: Float[Array, 'T W'], audio_length: int
) -> tuple[float, float]:
  """Returns mean and standard deviation of the expected audio frame less p_t.

  Both are in audio frames, over the video frames of the clip. Uniform weights
  over four positions have a mean of -0.5 and a standard deviation near 0. It is
  larger for weights that follow the content of a clip.

  Args:
    weights: l_t (Eq. 4) of the unpadded frames of a clip.
    audio_length: unpadded audio frames.
  """
  frames, positions = weights.shape
  frame, _ = window(frames, positions, audio_length)
  relative = frame - frame[:, [positions // 2]]
  expected = (np.asarray(weights, np.float64) * relative).sum(1)
  return float(expected.mean()), float(expected.std())


def correlation(maps: Float[Array, 'N T']) -> Float[np.ndarray, 'N N']:
  """Returns the correlation over time between the emotions' attention maps.

  If all maps are correlated, attention does not depend on the emotion. NaN for
  a constant map.

  Args:
    maps: f^n (Eq. 10) of the emotions over the unpadded frames of a clip.
  """
  maps = np.asarray(maps, np.float64)
  centred = maps - maps.mean(1, keepdims=True)
  norm = np.sqrt((centred**2).sum(1))
  norm = np.where(norm > _ROUNDING, norm, np.nan)
  return (centred / norm[:, None]) @ (centred / norm[:, None]).T


def movement(
  before: Float[Array, 'N K'], after: Float[Array, 'N K']
) -> Float[np.ndarray, ' N']:
  """Returns the distance that training has moved each embedding.

  The unit is the mean distance between two embeddings before training. Values
  well below 1 mean that the embeddings hardly changed.

  Args:
    before: emotion embeddings before training.
    after: emotion embeddings after training.
  """
  before = np.asarray(before, np.float64)
  moved = np.linalg.norm(np.asarray(after, np.float64) - before, axis=1)
  return moved / distance(before)


def distance(embeddings: Float[Array, 'N K']) -> float:
  """Returns the mean Euclidean distance between two different embeddings."""
  embeddings = np.asarray(embeddings, np.float64)
  gaps = embeddings[:, None] - embeddings[None]
  upper = np.triu_indices(len(embeddings), 1)
  return float(np.linalg.norm(gaps, axis=2)[upper].mean())


def plane(
  before: Float[Array, 'N K'], after: Float[Array, 'N K']
) -> tuple[Float[np.ndarray, 'N 2'], Float[np.ndarray, 'N 2'], float]:
  """Returns the embeddings in the plane of their first two components.

  The principal components are those of all embeddings, before and after.

  Args:
    before: emotion embeddings before training.
    after: emotion embeddings after training.

  Returns:
    The points before and after training, and the fraction of the variance that
    lies in the plane.
  """
  both = np.concatenate([before, after]).astype(np.float64)
  both = both - both.mean(0)
  _, scale, rows = np.linalg.svd(both, full_matrices=False)
  rows = rows[:2]
  # The sign of a component is arbitrary; its largest entry is made positive.
  largest = np.abs(rows).argmax(1)
  rows = rows * np.sign(rows[np.arange(len(rows)), largest])[:, None]
  points = both @ rows.T
  if points.shape[1] < 2:  # embeddings with one dimension
    points = np.concatenate([points, 0 * points], axis=1)
  total = (scale**2).sum()
  share = (scale[:2] ** 2).sum() / total if total > 0 else 1.0
  return points[: len(before)], points[len(before) :], float(share)
