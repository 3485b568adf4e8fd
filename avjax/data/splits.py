"""Labels, speakers and splits of clips, and standardisation by speaker."""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from avjax.clips import EMOTIONS, Clip
from avjax.errors import DataError

_SPLITS = {
  'train': 'training',
  'training': 'training',
  'val': 'validation',
  'valid': 'validation',
  'validation': 'validation',
  'dev': 'validation',
  'test': 'test',
}
_LEAST_VARIATION = 1e-6


def emotions(clips: Sequence[Clip]) -> tuple[str, ...]:
  """Returns the labels of the clips: the paper's in its order, then others.

  Raises:
    DataError: there are fewer than two labels.
  """
  present = {clip.label for clip in clips if clip.label is not None}
  if len(present) < 2:
    raise DataError(
      f'the clips have {len(present)} different labels ({sorted(present)});'
      ' at least 2 are needed: correct the labels of the store'
    )
  ours = tuple(label for label in EMOTIONS if label in present)
  return ours + tuple(sorted(present - set(EMOTIONS)))


def standardise(clips: Sequence[Clip], how: str) -> list[Clip]:
  """Returns the clips with standardised streams.

  Ours: usual where speakers differ more than emotions. It uses no labels, so
  the statistics of test speakers may be used, but it needs all clips of a
  speaker at once.

  Args:
    clips: of one corpus, all splits together.
    how: 'none', or 'speaker': from every column of a stream the mean over all
      frames of the speaker is subtracted, and the result is divided by their
      standard deviation.

  Raises:
    DataError: `how` is 'speaker' and a clip has no speaker.
  """
  if how == 'none':
    return list(clips)
  speakers(clips)
  frames: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
  for clip in clips:
    for name, array in clip.streams.items():
      frames[clip.speaker, name].append(array)
  moments = {key: _moments(arrays) for key, arrays in frames.items()}
  standardised = []
  for clip in clips:
    streams = {}
    for name, array in clip.streams.items():
      mean, std = moments[clip.speaker, name]
      streams[name] = ((array - mean) / std).astype(np.float32)
    standardised.append(dataclasses.replace(clip, streams=streams))
  return standardised


def moments_of(
  clips: Sequence[Clip], stream: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Returns speaker -> mean and std of every column of a stream.

  Args:
    clips: whose speakers are known.
    stream: name of the stream.
  """
  frames: dict[str, list[np.ndarray]] = defaultdict(list)
  for clip in clips:
    frames[clip.speaker].append(clip.streams[stream])
  return {name: _moments(arrays) for name, arrays in frames.items()}


def _moments(arrays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
  """Returns mean and std of every column, float64; 1 for constant columns."""
  rows = np.concatenate(arrays).astype(np.float64)
  mean, std = rows.mean(axis=0), rows.std(axis=0)
  # Whether a column is constant depends on its magnitude: energies of 1e-9 may
  # vary, but around 1000 a std of 1e-4 is rounding (float32 numbers are 6e-5
  # apart there) and must not be scaled to noise of std 1.
  varies = std > _LEAST_VARIATION * np.abs(rows).max(axis=0)
  return mean, np.where(varies, std, 1.0)


def by_name(
  clips: Sequence[Clip], remedy: str = 'set data.protocol to loso'
) -> dict[str, list[Clip]]:
  """Returns split -> clips by the store's own splits, without empty splits.

  Args:
    clips: of a store.
    remedy: advice for the error message, besides correcting the store.

  Raises:
    DataError: the name of a split is unknown.
  """
  by_split: dict[str, list[Clip]] = {
    'training': [],
    'validation': [],
    'test': [],
  }
  unknown = []
  for clip in clips:
    name = _SPLITS.get(clip.split.strip().lower())
    if name is None:
      unknown.append(clip)
    else:
      by_split[name].append(clip)
  if unknown:
    found = ', '.join(sorted({repr(clip.split) for clip in unknown}))
    raise DataError(
      f'the split of {listed(unknown)} is {found}; it must be train,'
      f' validation or test, or {remedy}'
    )
  return {name: members for name, members in by_split.items() if members}


def speakers(clips: Sequence[Clip]) -> list[str]:
  """Returns the speakers in natural order.

  Raises:
    DataError: a clip has no speaker.
  """
  if unknown := [clip for clip in clips if not clip.speaker]:
    raise DataError(
      f'{listed(unknown)} have no speaker; name the speakers in the store, or'
      ' set data.protocol to store and data.standardise to none'
    )
  return sorted({clip.speaker for clip in clips}, key=natural)


def natural(name: str) -> tuple[list[str | int], str]:
  """Returns a key that sorts 'Actor_9' before 'Actor_10'."""
  parts = re.split('([0-9]+)', name)
  return [int(p) if i % 2 else p for i, p in enumerate(parts)], name


def listed(clips: Sequence[Clip]) -> str:
  """Returns 'N clips (the first few names)'."""
  names = ', '.join(clip.name for clip in clips[:5])
  return f'{len(clips)} clips ({names}{", ..." if len(clips) > 5 else ""})'
