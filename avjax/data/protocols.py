"""Evaluation protocols: divide the clips into training, validation and test.

  store, afew/official, meld/official   the corpus's own splits
  loso, savee/loso, enterface/loso      leave one speaker out, in turn
  ravdess/6fold-4actors, ravdess/5fold-luna, cremad/5fold-actors
                                        leave a group of actors out, in turn
  random                                regardless of speakers: results are
                                        too optimistic

In cross-validation each fold is tested once; the next fold is the validation
split, and the rest is the training split. The authors of the groups have no
validation split: they train on that fold too, and most report the best epoch on
the test fold. Ours trains on less data, but does not select on the test fold.
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
"""Protocol -> the actors of each fold, by the number in their name."""

RANDOM_FOLDS = 5


@dataclasses.dataclass(frozen=True)
class _Folds:
  """The folds of a cross-validation.

  Attributes:
    names: a name of each fold for error messages.
    fold_of: the fold of each clip.
  """

  names: Sequence[str]
  fold_of: Sequence[int]


_Divide = Callable[[Sequence[Clip]], _Folds]


def split(
  clips: Sequence[Clip], protocol: str, fold: int = 0
) -> dict[str, list[Clip]]:
  """Returns the clips of 'training', 'validation' and, if any, 'test'.

  Args:
    clips: all clips of a corpus.
    protocol: one of `settings.PROTOCOLS`.
    fold: number of the fold to test on, from 0; the next fold validates.
      Ignored for a corpus's own splits.

  Raises:
    DataError: the clips lack something that the protocol needs.
  """
  _check_corpus(clips, protocol)
  if protocol in DIVIDED:
    by_split = splits.by_name(clips)
  else:
    by_split = _cross_validation(clips, protocol, fold)
  for name in ('training', 'validation'):
    if not by_split.get(name):
      raise DataError(
        f'no clip is in the {name} split; assign clips to it in the store, or'
        ' set data.protocol to loso'
      )
    if unlabelled := [clip for clip in by_split[name] if clip.label is None]:
      raise DataError(
        f'{splits.listed(unlabelled)} of the {name} split have no label; give'
        ' them a label or leave them out of the store'
      )
  splits.emotions(by_split['training'])  # raises if there are fewer than two
  return by_split


def folds(clips: Sequence[Clip], protocol: str) -> int:
  """Returns the number of folds of a cross-validation protocol.

  Raises:
    DataError: the clips lack something that the protocol needs.
  """
  _check_corpus(clips, protocol)
  return len(_DIVIDE[protocol](clips).names)


def _cross_validation(
  clips: Sequence[Clip], protocol: str, fold: int
) -> dict[str, list[Clip]]:
  """Returns the splits that test on a fold and validate on the next one."""
  folds = _DIVIDE[protocol](clips)
  count = len(folds.names)
  if not 0 <= fold < count:
    raise DataError(
      f'data.fold is {fold}; {protocol} has {count} folds here, so it must be'
      f' from 0 to {count - 1}'
    )
  present = set(folds.fold_of)
  for k, name in enumerate(folds.names):
    if k not in present:
      raise DataError(
        f'there is no clip of {name}, a fold of {protocol}; complete the store,'
        ' or set data.protocol to loso'
      )
  split_of = {fold: 'test', (fold + 1) % count: 'validation'}
  by_split: dict[str, list[Clip]] = {
    'training': [],
    'validation': [],
    'test': [],
  }
  for clip, k in zip(clips, folds.fold_of, strict=True):
    by_split[split_of.get(k, 'training')].append(clip)
  return by_split


def _by_speaker(clips: Sequence[Clip]) -> _Folds:
  """Returns one fold per speaker, in natural order: 9 before 10."""
  speakers = splits.speakers(clips)
  if len(speakers) < 3:
    raise DataError(
      'leaving one speaker out needs at least 3 speakers; the clips have'
      f' {len(speakers)} ({", ".join(speakers)}): set data.protocol to store'
    )
  number = {speaker: k for k, speaker in enumerate(speakers)}
  return _Folds(speakers, [number[clip.speaker] for clip in clips])


def _by_group(protocol: str) -> _Divide:
  """Returns a function that divides clips by a protocol's groups of actors."""
  groups = GROUPS[protocol]
  group_of = {actor: k for k, group in enumerate(groups) for actor in group}
  names = ['the actors ' + ', '.join(map(str, group)) for group in groups]

  def divide(clips: Sequence[Clip]) -> _Folds:
    group: dict[str, int] = {}
    unknown = []
    for speaker in splits.speakers(clips):
      number = re.search('[0-9]+$', speaker)
      if number and int(number[0]) in group_of:
        group[speaker] = group_of[int(number[0])]
      else:
        unknown.append(speaker)
    if unknown:
      raise DataError(
        f'{protocol} has the actors {min(group_of)} to {max(group_of)}, and'
        f' {len(unknown)} speakers are none of them'
        f' ({", ".join(unknown[:5])}); end the names of the speakers in the'
        ' store in these numbers, or set data.protocol to loso'
      )
    return _Folds(names, [group[clip.speaker] for clip in clips])

  return divide


def _at_random(clips: Sequence[Clip]) -> _Folds:
  """Returns folds chosen by a hash of the take.

  Because of the hash, the fold of a clip depends neither on the order of the
  clips nor on the other clips. All clips of a take are in one fold.
  """
  fold_of = []
  for clip in clips:
    identity = f'{clip.corpus} {clip.take or clip.name}'
    digest = hashlib.sha256(identity.encode()).digest()
    fold_of.append(int.from_bytes(digest[:8], 'big') % RANDOM_FOLDS)
  return _Folds([f'fold {k}' for k in range(RANDOM_FOLDS)], fold_of)


def _check_corpus(clips: Sequence[Clip], protocol: str) -> None:
  """Raises DataError for clips of another corpus than the protocol's."""
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
