"""A store of which every fold has an extractor of its own.

  FOLDER/folds.json          the division into folds, and the clips that the
                             extractor of each was fitted on
  FOLDER/fold-0, fold-1 ...  ordinary stores of the same clips

Fitted on the training clips of its fold alone, an extractor has seen no clip
that the fold validates or tests on.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from avjax import files, records
from avjax.clips import Clip, Splits
from avjax.data import manifest, store
from avjax.errors import DataError
from avjax.settings import DataConfig

NAME = 'folds.json'
DIVISION = (
  'protocol',
  'grouping',
  'grouping_seed',
  'held_out',
  'validation',
  'validation_share',
)
"""The settings of `DataConfig` that say which clips a fold trains on."""

_FORMAT = 1
_READER = records.Reader(
  DataError,
  missing='give the folder of a store',
  damaged='make the store again with bin/extract',
)


@dataclasses.dataclass(frozen=True)
class FoldStore:
  """The store of one fold.

  Attributes:
    manifest: SHA-256 of its manifest.
    contents: `store.fingerprint` of its clips.
    fitted_on: names of the clips that its extractor was fitted on.
  """

  manifest: str
  contents: str
  fitted_on: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class FoldStores:
  """The content of folds.json."""

  format: int
  division: Mapping[str, Any]  # the settings of DIVISION
  folds: tuple[FoldStore, ...]  # the store of each fold
  sha256: str  # of all else in this file

  @property
  def contents(self) -> str:
    """Text that is equal for equal clips in all folds."""
    return ' '.join(one.contents for one in self.folds)


def division(data: DataConfig) -> dict[str, Any]:
  """Returns the settings that say which clips a fold trains on."""
  return {name: getattr(data, name) for name in DIVISION}


def count(folder: str | os.PathLike) -> int:
  """Returns the number of folds; 0 for an ordinary store, or none."""
  made = read(folder)
  return len(made.folds) if made else 0


def read(folder: str | os.PathLike) -> FoldStores | None:
  """Returns the content of folds.json, or None for an ordinary store.

  Raises:
    DataError: it is damaged.
  """
  path = pathlib.Path(folder) / NAME
  if not path.is_file():
    return None
  made = _READER.json(path, FoldStores)
  if made.format != _FORMAT:
    raise _READER.fault(path, f'format is {made.format}, not {_FORMAT}')
  return made


def described(
  folder: pathlib.Path, clips: Sequence[Clip], fitted_on: Sequence[str]
) -> FoldStore:
  """Returns what folds.json says of the store of a fold.

  Args:
    folder: of the store, which is written.
    clips: in the store.
    fitted_on: names of the clips that its extractor was fitted on.
  """
  return FoldStore(_digest(folder), store.fingerprint(clips), tuple(fitted_on))


def write(
  folder: pathlib.Path, data: DataConfig, folds: Sequence[FoldStore]
) -> None:
  """Writes folds.json, when the stores of all folds are written.

  Args:
    folder: of the folds.
    data: with the division into folds.
    folds: the store of each.
  """
  content = {
    'format': _FORMAT,
    'division': division(data),
    'folds': [dataclasses.asdict(one) for one in folds],
  }
  files.write_json(folder / NAME, records.seal(content))


def fold(folder: str | os.PathLike, number: int) -> pathlib.Path:
  """Returns the folder of the store of one fold."""
  return pathlib.Path(folder) / f'fold-{number}'


def checked(folder: str | os.PathLike, data: DataConfig) -> str:
  """Returns the folder of the store that a run reads.

  It is that of the first fold that the run asks for, or the folder itself if
  it is an ordinary store.

  Args:
    folder: of the store.
    data: the settings of the run.

  Raises:
    DataError: the extractors were fitted for other folds.
  """
  made = read(folder)
  if made is None:
    return str(folder)
  wanted, given = dict(made.division), division(data)
  if different := [
    f'data.{name}={wanted.get(name)!r} and not {given[name]!r}'
    for name in DIVISION
    if wanted.get(name) != given[name]
  ]:
    raise DataError(
      f'{folder} has an extractor for each fold of {wanted.get("protocol")},'
      f' fitted with {", ".join(different)}; train with those settings, or on a'
      ' store that was made without --fit_on=folds'
    )
  if data.first_fold >= len(made.folds):
    raise DataError(
      f'data.fold is {data.first_fold}; {folder} has the folds 0 to'
      f' {len(made.folds) - 1}'
    )
  own = fold(folder, data.first_fold)
  if _digest(own) != made.folds[data.first_fold].manifest:
    raise _READER.fault(own / manifest.NAME, 'it is not that of this fold')
  return str(own)


def check_fitted(
  folder: str | os.PathLike, number: int, splits: Splits
) -> None:
  """Raises DataError if an extractor was fitted on clips that evaluate it."""
  made = read(folder)
  if made is None:
    return
  fitted_on = set(made.folds[number].fitted_on)
  evaluated = [c for s in ('validation', 'test') for c in splits.get(s, ())]
  if seen := [clip.name for clip in evaluated if clip.name in fitted_on]:
    raise DataError(
      f'the extractor of {fold(folder, number)} was fitted on {len(seen)} clips'
      f' that this run evaluates ({", ".join(seen[:3])}): its folds differ;'
      ' extract with the labels and speakers that the run has'
    )


def _digest(folder: pathlib.Path) -> str:
  return records.digest(_READER.content(folder / manifest.NAME))
