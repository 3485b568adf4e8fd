"""Scores of attention and alignment on clips whose truth is known.

The attention mass of some frames is the sum of an emotion's attention over
them; over all frames of a clip it is 1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from avjax.clips import centre
from avjax.shapes import Array, Float


def salient_mass(
  attention: Float[Array, ' T'], truth: Mapping[str, Any]
) -> float | None:
  """Returns the attention mass of the salient segment over the uniform mass.

  Args:
    attention: f^n of one emotion (Eq. 10) over the unpadded frames of a clip.
    truth: `Clip.truth`; 'salient' is the segment.

  Returns:
    The ratio: 1 for uniform attention, at most T / (frames of the segment).
    None for a clip without a known segment.
  """
  if 'salient' not in truth:
    return None
  start, stop = truth['salient']
  return float(attention[start:stop].sum() * len(attention) / (stop - start))


def event_alignment(
  weights: Float[Array, 'T W'], audio_length: int, truth: Mapping[str, Any]
) -> dict[str, np.ndarray] | None:
  """Returns weight and error of the alignment at the true window position.

  Args:
    weights: l_t (Eq. 4) of the unpadded frames of a clip.
    audio_length: unpadded audio frames.
    truth: `Clip.truth`; 'events' are rows of (video frame, audio frame).

  Returns:
    One number per event: 'weight' at the true position, and 'error', the
    distance of the expected from the true position in audio frames.
    'weight_uniform' and 'error_uniform' are the same for weights that are
    uniform over the existing positions. None without a known event.
  """
  events = truth.get('events')
  if events is None or not len(events):
    return None
  frames, positions = weights.shape
  t, j = np.asarray(events).T
  first = centre(t, frames, audio_length) - positions // 2  # may be < 0
  frame = first[:, None] + np.arange(positions)
  exists = (frame >= 0) & (frame < audio_length)
  true = j - first

  def scored(shares):
    expected = shares @ np.arange(positions)
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
  """Returns the mean scores over the clips whose truth is known.

  Args:
    clips: with their `truth`.
    predicted: (clips,) index of the predicted emotion.
    attention: each clip's (N, T) attention, or None.
    alignment: each clip's (T, W) weights, or None.

  Returns:
    'attention': {'mass_over_uniform': `salient_mass` of the predicted emotion,
    mean over clips}. 'alignment': the entries of `event_alignment`, means over
    events. An entry is missing if no clip has it.
  """
  masses, events = [], []
  for clip, n, maps, weights in zip(
    clips, predicted, attention, alignment, strict=True
  ):
    mass = event = None
    if maps is not None:
      mass = salient_mass(maps[n], clip.truth)
    if weights is not None:
      event = event_alignment(weights, clip.audio_length, clip.truth)
    if mass is not None:
      masses.append(mass)
    if event is not None:
      events.append(event)
  scores = {}
  if masses:
    scores['attention'] = {'mass_over_uniform': float(np.mean(masses))}
  if events:
    scores['alignment'] = {
      key: float(np.mean(np.concatenate([one[key] for one in events])))
      for key in events[0]
    }
  return scores
