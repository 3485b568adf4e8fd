"""Evaluation protocols: divide the clips into training, validation and test.

  store, afew/official, meld/official   the corpus's own splits
  loso, savee/loso, enterface/loso      leave one speaker out, in turn
  ravdess/6fold-4actors, ravdess/5fold-luna, cremad/5fold-actors
                                        leave a group of actors out, in turn
  speakers/K                            the same with K groups of any speakers
  held_out                              test on the speakers that are named
  all                                   everybody trains but those who validate;
                                        nobody is tested
  random                                regardless of speakers: results are
                                        too optimistic

In cross-validation each fold is tested once; the next fold is the validation
split, and the rest is the training split. With `data.validation` 'speakers', or
where no fold follows, a share of the other speakers validates.

The authors of the groups of actors have no validation split: they train on that
fold too, and most report the best epoch on the test fold. Ours trains on less
data, but does not select on the test fold.
"""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Sequence

from avjax.clips import Clip
from avjax.data import grouping, splits
from avjax.errors import DataError
from avjax.settings import DIVIDED, DataConfig

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
  clips: Sequence[Clip], data: DataConfig, fold: int = 0
) -> dict[str, list[Clip]]:
  """Returns the clips of 'training', 'validation' and, if any, 'test'.

  Args:
    clips: all clips of a corpus.
    data: the settings, with the protocol.
    fold: number of the fold to test on, from 0; the next fold validates.
      Ignored without folds.

  Raises:
    DataError: the clips lack something that the protocol needs.
  """
  _check_corpus(clips, data.protocol)
  if data.protocol in DIVIDED:
    by_split = splits.by_name(clips)
  elif data.protocol == 'held_out':
    by_split = _held_out(clips, data.tested)
  elif data.protocol == 'all':
    by_split = {'training': list(clips)}
  else:
    by_split = _cross_validation(clips, data, fold)
  if data.chooses_validation and not by_split.get('validation'):
    by_split |= _some_validate(by_split.get('training', []), data)
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


def folds(clips: Sequence[Clip], data: DataConfig) -> int:
  """Returns the number of folds of a cross-validation protocol.

  Raises:
    DataError: the clips lack something that the protocol needs.
  """
  _check_corpus(clips, data.protocol)
  return len(_divide(clips, data).names)


def _divide(clips: Sequence[Clip], data: DataConfig) -> _Folds:
  """Returns the folds of a cross-validation protocol."""
  if not data.groups:
    return _DIVIDE[data.protocol](clips)
  if data.grouping == 'balanced':
    groups = grouping.balanced(clips, data.groups, data.grouping_seed)
  else:
    groups = grouping.natural(clips, data.groups)
  group_of = {name: k for k, group in enumerate(groups) for name in group}
  names = ['the speakers ' + ', '.join(group) for group in groups]
  return _Folds(names, [group_of[clip.speaker] for clip in clips])


def _cross_validation(
  clips: Sequence[Clip], data: DataConfig, fold: int
) -> dict[str, list[Clip]]:
  """Returns the splits that test on a fold and validate on the next one."""
  protocol, folds = data.protocol, _divide(clips, data)
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
  split_of = {fold: 'test'}
  if data.validation == 'fold':
    split_of[(fold + 1) % count] = 'validation'
  by_split: dict[str, list[Clip]] = {
    'training': [],
    'validation': [],
    'test': [],
  }
  for clip, k in zip(clips, folds.fold_of, strict=True):
    by_split[split_of.get(k, 'training')].append(clip)
  return by_split


def _held_out(
  clips: Sequence[Clip], tested: Sequence[str]
) -> dict[str, list[Clip]]:
  """Returns the splits that test on some speakers; nobody validates yet."""
  known = splits.speakers(clips)
  if unknown := [name for name in tested if name not in known]:
    raise DataError(
      f'data.held_out names {", ".join(unknown)}, of whom there is no clip; the'
      f' speakers are {", ".join(known)}'
    )
  return {
    'training': [clip for clip in clips if clip.speaker not in tested],
    'validation': [],
    'test': [clip for clip in clips if clip.speaker in tested],
  }


def _some_validate(
  training: Sequence[Clip], data: DataConfig
) -> dict[str, list[Clip]]:
  """Returns training and validation, where some training speakers validate."""
  names = grouping.chosen(training, data.validation_share, data.grouping_seed)
  return {
    'training': [clip for clip in training if clip.speaker not in names],
    'validation': [clip for clip in training if clip.speaker in names],
  }


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
  if not rest or corpus == 'speakers':
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
