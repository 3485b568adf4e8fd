"""Which clips are trained on, which choose the epoch and which are reported.

  store, afew/official, meld/official   the corpus's own division
  loso, savee/loso, enterface/loso      one speaker out in turn
  ravdess/6fold-4actors, ravdess/5fold-luna, cremad/5fold-actors
                                        a group of actors out in turn
  random                                whoever speaks: never a fair figure

Where a part is left out in turn, the next one chooses the epoch and the rest is
trained on. Those who published the groups train on that part too and mostly
report the best epoch of the tested one; ours is the smaller and honest share.
"""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Sequence

from avjax.clips import Clip
from avjax.data import splits
from avjax.errors import DataError
from avjax.settings import DIVIDED

Groups = tuple[tuple[int, ...], ...]

GROUPS: dict[str, Groups] = {
  # Consecutive actors, four each, as in the lists of HiCMAE.
  'ravdess/6fold-4actors': tuple(
    tuple(range(first, first + 4)) for first in range(1, 25, 4)
  ),
  # Luna-Jimenez et al. (2021): balanced by gender and emotion.
  'ravdess/5fold-luna': (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
  ),
  # Consecutive actors, 18 each and one more in the last, as in HiCMAE.
  'cremad/5fold-actors': (
    *(tuple(range(first, first + 18)) for first in range(1001, 1073, 18)),
    tuple(range(1073, 1092)),
  ),
}
"""Protocol -> the actors that each fold tests, by the number in their name."""

RANDOM_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class _Division:
  """The parts that are left out in turn.

  Attributes:
    names: what each part is called, for people.
    part: the number of every clip's part.
  """

  names: Sequence[str]
  part: Sequence[int]


_Divide = Callable[[Sequence[Clip]], _Division]


def split(
  clips: Sequence[Clip], protocol: str, fold: int = 0
) -> dict[str, list[Clip]]:
  """Returns the clips of 'training', 'validation' and, if any, 'test'.

  Args:
    clips: all clips of a corpus.
    protocol: one of `settings.PROTOCOLS`.
    fold: from 0: the part of this number is tested on and the next validates;
      a corpus's own division has no folds.

  Raises:
    DataError: the clips do not have what the protocol needs.
  """
  _check_corpus(clips, protocol)
  if protocol in DIVIDED:
    parts = splits.by_name(clips)
  else:
    parts = _left_out(clips, protocol, fold)
  for name in ('training', 'validation'):
    if not parts.get(name):
      raise DataError(
        f'no clip is in the {name} split; name one in the store, or set'
        ' data.protocol to loso'
      )
    if unlabelled := [clip for clip in parts[name] if clip.label is None]:
      raise DataError(
        f'{splits.listed(unlabelled)} of the {name} split have no label; give'
        ' them one or leave them out of the store'
      )
  splits.emotions(parts['training'])  # fails here, if there are too few
  return parts


def folds(clips: Sequence[Clip], protocol: str) -> int:
  """Returns how many folds a protocol has that leaves parts out in turn.

  Raises:
    DataError: the clips do not have what the protocol needs.
  """
  _check_corpus(clips, protocol)
  return len(_DIVIDE[protocol](clips).names)


def _left_out(
  clips: Sequence[Clip], protocol: str, fold: int
) -> dict[str, list[Clip]]:
  """Returns a fold: the part of this number tests, the next one validates."""
  division = _DIVIDE[protocol](clips)
  count = len(division.names)
  if not 0 <= fold < count:
    raise DataError(
      f'data.fold is {fold}; {protocol} has {count} folds here, so it must be'
      f' from 0 to {count - 1}'
    )
  present = set(division.part)
  for k, name in enumerate(division.names):
    if k not in present:
      raise DataError(
        f'there is no clip of {name}, which {protocol} leaves out together;'
        ' complete the store, or set data.protocol to loso'
      )
  held = {fold: 'test', (fold + 1) % count: 'validation'}
  parts: dict[str, list[Clip]] = {'training': [], 'validation': [], 'test': []}
  for clip, k in zip(clips, division.part, strict=True):
    parts[held.get(k, 'training')].append(clip)
  return parts


def _by_speaker(clips: Sequence[Clip]) -> _Division:
  """Returns a part a speaker, in natural order: 9 before 10."""
  speakers = splits.speakers(clips)
  if len(speakers) < 3:
    raise DataError(
      'leaving one speaker out needs at least 3 speakers; the clips have'
      f' {len(speakers)} ({", ".join(speakers)}): set data.protocol to store'
    )
  number = {speaker: k for k, speaker in enumerate(speakers)}
  return _Division(speakers, [number[clip.speaker] for clip in clips])


def _by_group(protocol: str) -> _Divide:
  """Returns what divides clips by the groups of actors of a protocol."""
  groups = GROUPS[protocol]
  group_of = {actor: k for k, group in enumerate(groups) for actor in group}
  names = ['the actors ' + ', '.join(map(str, group)) for group in groups]

  def divide(clips: Sequence[Clip]) -> _Division:
    group: dict[str, int] = {}
    strangers = []
    for speaker in splits.speakers(clips):
      number = re.search('[0-9]+$', speaker)
      if number and int(number[0]) in group_of:
        group[speaker] = group_of[int(number[0])]
      else:
        strangers.append(speaker)
    if strangers:
      raise DataError(
        f'{protocol} has the actors {min(group_of)} to {max(group_of)}, and'
        f' {len(strangers)} speakers are none of them'
        f' ({", ".join(strangers[:5])}); name them so in the store, or set'
        ' data.protocol to loso'
      )
    return _Division(names, [group[clip.speaker] for clip in clips])

  return divide


def _at_random(clips: Sequence[Clip]) -> _Division:
  """Returns parts that are dealt out by chance, the same for the same takes.

  By a hash and not by a generator: neither the order of the clips nor one that
  is left out changes the place of another. A take stays together.
  """
  part = []
  for clip in clips:
    identity = f'{clip.corpus} {clip.take or clip.name}'
    digest = hashlib.sha256(identity.encode()).digest()
    part.append(int.from_bytes(digest[:8], 'big') % RANDOM_FOLDS)
  return _Division([f'part {k}' for k in range(RANDOM_FOLDS)], part)


def _check_corpus(clips: Sequence[Clip], protocol: str) -> None:
  """Raises DataError for the clips of another corpus than the protocol's."""
  corpus, _, rest = protocol.partition('/')
  if not rest:
    return
  others = sorted({clip.corpus for clip in clips} - {corpus, ''})
  if others:
    raise DataError(
      f'{protocol} is for {corpus} and the clips are of {", ".join(others)};'
      ' set data.protocol to loso or store'
    )


_DIVIDE: dict[str, _Divide] = {
  'loso': _by_speaker,
  'savee/loso': _by_speaker,
  'enterface/loso': _by_speaker,
  'random': _at_random,
  **{protocol: _by_group(protocol) for protocol in GROUPS},
}
