"""Groups of speakers, for protocols on one's own data."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from avjax.clips import Clip
from avjax.data import splits
from avjax.errors import DataError


def natural(clips: Sequence[Clip], count: int) -> list[list[str]]:
  """Returns groups of consecutive speakers, in natural order: 9 before 10.

  Args:
    clips: whose speakers are known.
    count: of groups, whose sizes differ by one speaker at most.

  Raises:
    DataError: there are fewer speakers than groups.
  """
  names = splits.speakers(clips)
  stops = np.cumsum([0, *_sizes(len(names), count)])
  return [names[first:stop] for first, stop in itertools.pairwise(stops)]


def balanced(clips: Sequence[Clip], count: int, seed: int) -> list[list[str]]:
  """Returns groups of speakers with nearly the same share of every label.

  Ours: greedy, see `_divided`.

  Args:
    clips: whose speakers are known.
    count: of groups, whose sizes differ by one speaker at most.
    seed: another one gives other groups.

  Raises:
    DataError: there are fewer speakers than groups.
  """
  return _divided(clips, _sizes(len(splits.speakers(clips)), count), seed)


def chosen(clips: Sequence[Clip], share: float, seed: int) -> set[str]:
  """Returns a share of the speakers, with nearly the labels of all.

  Args:
    clips: whose speakers are known.
    share: of the speakers, rounded to one at least.
    seed: another one gives other speakers.

  Raises:
    DataError: no speaker would be left.
  """
  names = splits.speakers(clips)
  size = max(1, round(share * len(names)))
  if size >= len(names):
    raise DataError(
      f'data.validation_share {share} of {len(names)} speakers leaves none to'
      ' train on; lower it, or name more speakers in the store'
    )
  return set(_divided(clips, [size, len(names) - size], seed)[0])


def _sizes(speakers: int, count: int) -> list[int]:
  """Returns the number of speakers in each group."""
  if speakers < count:
    raise DataError(
      f'data.protocol speakers/{count} needs {count} speakers or more, and the'
      f' clips have {speakers}; lower the number'
    )
  return [speakers // count + (k < speakers % count) for k in range(count)]


def _divided(
  clips: Sequence[Clip], sizes: Sequence[int], seed: int
) -> list[list[str]]:
  """Returns groups of speakers of given sizes.

  The speaker with the most clips comes first, those with equally many in an
  order by the seed. Each goes where the labels then differ least from the
  group's share of them, as a sum of squares over the groups.
  """
  counts = _label_counts(clips)
  total = np.sum(list(counts.values()), axis=0)
  wanted = [size / len(counts) * total for size in sizes]
  order = sorted(
    counts, key=lambda name: (-counts[name].sum(), _shuffled(seed, name))
  )
  groups: list[list[str]] = [[] for _ in sizes]
  have = [np.zeros(len(total)) for _ in sizes]
  for name in order:
    free = [k for k, size in enumerate(sizes) if len(groups[k]) < size]

    def worse(k: int, own: np.ndarray = counts[name]) -> float:
      after, before = have[k] + own - wanted[k], have[k] - wanted[k]
      return float((after @ after - before @ before) / max(wanted[k].sum(), 1))

    best = min(free, key=worse)
    groups[best].append(name)
    have[best] += counts[name]
  return groups


def _label_counts(clips: Sequence[Clip]) -> Mapping[str, np.ndarray]:
  """Returns speaker -> number of clips of each label."""
  labels = sorted({clip.label for clip in clips if clip.label is not None})
  counts = {name: np.zeros(len(labels)) for name in splits.speakers(clips)}
  for clip in clips:
    if clip.label is not None:
      counts[clip.speaker][labels.index(clip.label)] += 1
  return counts


def _shuffled(seed: int, name: str) -> str:
  """Returns a key that sorts names in an order by the seed."""
  return hashlib.sha256(f'{seed} {name}'.encode()).hexdigest()
