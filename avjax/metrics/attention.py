"""Attention and alignment scored against what a corpus knows of its clips."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from avjax.clips import centre
from avjax.shapes import Array, Float


def salience(
  attention: Float[Array, ' T'], truth: Mapping[str, Any]
) -> float | None:
  """Returns the attention inside the salient segment, over uniform attention.

  Args:
    attention: f^n of one emotion over a clip's true frames.
    truth: `Clip.truth`; 'salient' is the segment.

  Returns:
    1 for uniform attention; None for a clip without a known segment.
  """
  if 'salient' not in truth:
    return None
  start, stop = truth['salient']
  return float(attention[start:stop].sum() * len(attention) / (stop - start))


def placement(
  weights: Float[Array, 'T W'], audio_length: int, truth: Mapping[str, Any]
) -> dict[str, np.ndarray] | None:
  """Returns how well the alignment points at the true place, on event frames.

  Args:
    weights: l_t of one clip's true frames.
    audio_length: true audio frames.
    truth: `Clip.truth`; 'events' are rows of (video frame, audio frame).

  Returns:
    One number an event: 'weight' on the true place, 'error' between the
    expected and the true place in places, and both again for weights that are
    uniform over the places that exist. None where no event is known.
  """
  events = truth.get('events')
  if events is None or not len(events):
    return None
  frames, places = weights.shape
  t, j = np.asarray(events).T
  first = centre(t, frames, audio_length) - places // 2  # may not exist
  place = first[:, None] + np.arange(places)
  exists = (place >= 0) & (place < audio_length)
  true = j - first

  def scored(shares):
    expected = shares @ np.arange(places)
    return shares[np.arange(len(t)), true], np.abs(expected - true)

  weight, error = scored(np.asarray(weights)[t])
  weight_uniform, error_uniform = scored(exists / exists.sum(1, keepdims=True))
  return {
    'weight': weight,
    'error': error,
    'weight_uniform': weight_uniform,
    'error_uniform': error_uniform,
  }


def summary(
  clips, predicted, attention, alignment
) -> dict[str, dict[str, float]]:
  """Returns the scores over the clips whose truth is known; {} for none.

  Args:
    clips: with their `truth`.
    predicted: index of each clip's predicted emotion.
    attention: each clip's (N, T) attention, or None.
    alignment: each clip's (T, W) weights, or None.

  Returns:
    'attention': 'mass_over_uniform' of the predicted emotion's map, mean over
    clips. 'alignment': 'weight' and 'error' beside those of uniform weights,
    mean over events.
  """
  masses, placements = [], []
  for clip, n, maps, weights in zip(
    clips, predicted, attention, alignment, strict=True
  ):
    mass = place = None
    if maps is not None:
      mass = salience(maps[n], clip.truth)
    if weights is not None:
      place = placement(weights, clip.audio_length, clip.truth)
    if mass is not None:
      masses.append(mass)
    if place is not None:
      placements.append(place)
  scores = {}
  if masses:
    scores['attention'] = {'mass_over_uniform': float(np.mean(masses))}
  if placements:
    scores['alignment'] = {
      key: float(np.mean(np.concatenate([p[key] for p in placements])))
      for key in placements[0]
    }
  return scores
