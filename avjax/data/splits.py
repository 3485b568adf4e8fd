"""Labels, speakers and splits of clips."""

import re
from collections.abc import Sequence

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
