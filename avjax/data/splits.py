"""Which clips are trained on, which choose the epoch and which are reported.

'store' is the corpus's own division, as AFEW has it (Section 4.1); 'loso'
leaves one speaker out in turn, for corpora that have none (ours).
"""

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


def split(
  clips: Sequence[Clip], protocol: str, fold: int = 0
) -> dict[str, list[Clip]]:
  """Returns the clips of 'training', 'validation' and, if any, 'test'.

  Args:
    clips: all clips of a corpus.
    protocol: 'store' or 'loso'.
    fold: of 'loso', from 0: the speaker of this number (sorted, 9 before 10)
      is tested on and the next one validates; 'store' has no folds.

  Raises:
    DataError: the clips do not have what the protocol needs, or a label is to
      be recognised that no training clip has.
  """
  parts = by_name(clips) if protocol == 'store' else _by_speaker(clips, fold)
  for name in ('training', 'validation'):
    if not parts.get(name):
      raise DataError(
        f'no clip is in the {name} split; name one in the store, or set'
        ' data.protocol to loso'
      )
    if unlabelled := [clip for clip in parts[name] if clip.label is None]:
      raise DataError(
        f'{_listed(unlabelled)} of the {name} split have no label; give them'
        ' one or leave them out of the store'
      )
  known = set(emotions(parts['training']))
  for name, part in parts.items():
    strange = [c for c in part if c.label is not None and c.label not in known]
    if strange:
      label = strange[0].label
      these = [clip for clip in strange if clip.label == label]
      raise DataError(
        f'no training clip has the label {label!r} of {_listed(these)} in the'
        f' {name} split; the labels are {", ".join(sorted(known))}: correct'
        ' the label or leave the clips out'
      )
  return parts


def folds(clips: Sequence[Clip]) -> int:
  """Returns how many folds 'loso' has: one a speaker."""
  return len(_speakers(clips))


def emotions(clips: Sequence[Clip]) -> tuple[str, ...]:
  """Returns the labels of the clips: the paper's in its order, then others.

  Raises:
    DataError: there are fewer than two.
  """
  present = {clip.label for clip in clips if clip.label is not None}
  if len(present) < 2:
    raise DataError(
      f'the clips have {len(present)} different labels ({sorted(present)});'
      ' at least 2 are needed to tell emotions apart'
    )
  ours = tuple(label for label in EMOTIONS if label in present)
  return ours + tuple(sorted(present - set(EMOTIONS)))


def standardise(clips: Sequence[Clip], how: str) -> list[Clip]:
  """Returns the clips with their streams standardised.

  Ours: a known remedy where speakers differ more than emotions. No label is
  looked at, so the statistics of a test speaker may be used; they do want all
  clips of a speaker at once.

  Args:
    clips: of one corpus, all splits together.
    how: 'none', or 'speaker': every column of a stream loses the mean and is
      divided by the deviation that it has over all frames of the speaker.

  Raises:
    DataError: 'speaker', and a clip has none.
  """
  if how == 'none':
    return list(clips)
  _speakers(clips)
  frames: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
  for clip in clips:
    for name, array in clip.streams.items():
      frames[clip.speaker, name].append(array)
  moments = {key: _moments(arrays) for key, arrays in frames.items()}
  standardised = []
  for clip in clips:
    streams = {}
    for name, array in clip.streams.items():
      mean, deviation = moments[clip.speaker, name]
      streams[name] = ((array - mean) / deviation).astype(np.float32)
    standardised.append(dataclasses.replace(clip, streams=streams))
  return standardised


def _moments(arrays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
  """Returns mean and divisor of every column, float64."""
  rows = np.concatenate(arrays).astype(np.float64)
  mean, deviation = rows.mean(axis=0), rows.std(axis=0)
  # A column counts as constant by its own magnitude, not by a fixed bound:
  # energies of 1e-9 may well vary, while around 1000 a deviation of 1e-4 is
  # rounding (float32 has a step of 6e-5 there) and must not become noise of 1.
  varies = deviation > _LEAST_VARIATION * np.abs(rows).max(axis=0)
  return mean, np.where(varies, deviation, 1.0)


def by_name(clips: Sequence[Clip]) -> dict[str, list[Clip]]:
  """Returns the clips by the store's own splits, those that have clips.

  Raises:
    DataError: the name of a split is none of the usual ones.
  """
  parts: dict[str, list[Clip]] = {'training': [], 'validation': [], 'test': []}
  unknown = []
  for clip in clips:
    name = _SPLITS.get(clip.split.strip().lower())
    if name is None:
      unknown.append(clip)
    else:
      parts[name].append(clip)
  if unknown:
    found = ', '.join(sorted({repr(clip.split) for clip in unknown}))
    raise DataError(
      f'the split of {_listed(unknown)} is {found}; it must be train,'
      ' validation or test, or set data.protocol to loso'
    )
  return {name: part for name, part in parts.items() if part}


def _by_speaker(clips: Sequence[Clip], fold: int) -> dict[str, list[Clip]]:
  speakers = _speakers(clips)
  if len(speakers) < 3:
    raise DataError(
      f'data.protocol loso needs at least 3 speakers; the clips have'
      f' {len(speakers)} ({", ".join(speakers)}): set data.protocol to store'
    )
  if not 0 <= fold < len(speakers):
    raise DataError(
      f'data.fold is {fold}; there are {len(speakers)} speakers, so it must be'
      f' from 0 to {len(speakers) - 1}'
    )
  held = {
    speakers[fold]: 'test',
    speakers[(fold + 1) % len(speakers)]: 'validation',
  }
  parts: dict[str, list[Clip]] = {'training': [], 'validation': [], 'test': []}
  for clip in clips:
    parts[held.get(clip.speaker, 'training')].append(clip)
  return parts


def _speakers(clips: Sequence[Clip]) -> list[str]:
  """Returns the speakers in natural order; every clip must have one."""
  if nobody := [clip for clip in clips if not clip.speaker]:
    raise DataError(
      f'{_listed(nobody)} have no speaker; name the speakers in the store, or'
      ' set data.protocol to store and data.standardise to none'
    )
  return sorted({clip.speaker for clip in clips}, key=_natural)


def _natural(name: str) -> tuple[list[str | int], str]:
  """Returns a key that sorts 'Actor_9' before 'Actor_10'."""
  parts = re.split('([0-9]+)', name)
  return [int(p) if i % 2 else p for i, p in enumerate(parts)], name


def _listed(clips: Sequence[Clip]) -> str:
  """Returns 'N clips (the first few names)'."""
  names = ', '.join(clip.name for clip in clips[:5])
  return f'{len(clips)} clips ({names}{", ..." if len(clips) > 5 else ""})'
