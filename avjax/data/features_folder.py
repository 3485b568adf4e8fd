"""Arrays that a user already has -> clips, and a report of what was found.

  FOLDER/<clip>.npz            its keys are the streams, or
  FOLDER/<stream>/<clip>.npy   its sub-folders are, or
  streams={'action_units': 'takes/{clip}.npz:aus', ...}
  clips.csv                    clip,label and perhaps speaker,split,take

Every array is (frames, width). 'audio' has its own frames; the other streams
are visual and must agree in theirs up to SLACK, since decoders differ in the
last frames that they give: such clips are cut at the end, and the report says
so. A clip with any other fault is left out, with the reason in the report.
"""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from avjax.clips import AUDIO, Clip
from avjax.data import clip_table, npy, store
from avjax.errors import DataError

SLACK = 2  # video frames: 80 ms, half of the paper's alignment window
_FORMS = 'FOLDER/<clip>.npz or FOLDER/<stream>/<clip>.npy'


@dataclasses.dataclass(frozen=True)
class ReadingReport:
  """What was read, what was not, and why."""

  widths: Mapping[str, int]  # of every stream
  labels: Mapping[str, int]  # clips with it, as the next two
  speakers: Mapping[str, int]
  splits: Mapping[str, int]
  skipped: tuple[tuple[str, str], ...]  # clip, reason
  cut: tuple[tuple[str, int], ...]  # clip, most video frames taken off an end
  unlisted: tuple[str, ...]  # .npy and .npz files that no row names
  read: int  # clips

  def __str__(self) -> str:
    lines = [f'{self.read} clips read, {len(self.skipped)} left out']
    lines += [f'  left out {clip}: {why}' for clip, why in self.skipped]
    for name, counts in (
      ('streams (width)', self.widths),
      ('labels (clips)', self.labels),
      ('speakers (clips)', self.speakers),
      ('splits (clips)', self.splits),
    ):
      listed = ', '.join(f'{k or "none"} {n}' for k, n in counts.items())
      lines.append(f'{name}: {listed}')
    if self.cut:
      lines.append(
        f'{len(self.cut)} clips whose visual streams differed by up to {SLACK}'
        ' frames were cut at the end to the shortest:'
      )
      lines += [f'  cut {clip} by {frames}' for clip, frames in self.cut]
    if self.unlisted:
      few = ', '.join(self.unlisted[:5]) + ', ...' * (len(self.unlisted) > 5)
      lines.append(f'{len(self.unlisted)} files that no row names: {few}')
    return '\n'.join(lines) + '\n'


def read_folder(
  folder: str | os.PathLike,
  clips_csv: str | os.PathLike,
  columns: Mapping[str, str] | None = None,
  streams: Mapping[str, str] | None = None,
) -> tuple[list[Clip], ReadingReport]:
  """Returns the usable clips of a folder of arrays, and the report.

  Args:
    folder: where the arrays lie.
    clips_csv: a table with one row a clip. Without a label a clip is kept,
      for prediction; the columns speaker and split may be missing.
    columns: those of `table.COLUMNS` that the table calls otherwise -> their
      names there.
    streams: stream -> file within `folder`, '{clip}' standing for the clip's
      name, and ':key' after a .npz. Without any, what the folder holds.

  Raises:
    DataError: the folder or the table cannot be used at all.
  """
  if not os.path.isdir(folder):
    raise DataError(f'{folder} is not a folder; give the one with the arrays')
  return read_rows(folder, clip_table.read(clips_csv, columns or {}), streams)


def read_rows(
  folder: str | os.PathLike,
  rows: Sequence[Mapping[str, str]],
  streams: Mapping[str, str] | None = None,
) -> tuple[list[Clip], ReadingReport]:
  """Returns what `read_folder` does, for rows of another origin."""
  folder = pathlib.Path(folder)
  names = [row['clip'] for row in rows]
  patterns = streams or _discover(folder, names)
  places = {name: _place(name, where) for name, where in patterns.items()}
  arrays, skipped = _load(folder, names, places)
  widths = _usual_widths(arrays)
  clips, cut = [], []
  for row in (row for row in rows if row['clip'] in arrays):
    name = row['clip']
    kept, frames = _cut(arrays[name])
    if wrong := _wrong_width(kept, widths) or store.fault(kept):
      skipped[name] = wrong
      continue
    if frames:
      cut.append((name, frames))
    clips.append(clip_table.clip(row, kept))
  report = ReadingReport(
    widths=widths,
    labels=_count(clip.label or '' for clip in clips),
    speakers=_count(clip.speaker for clip in clips),
    splits=_count(clip.split for clip in clips),
    skipped=tuple((name, skipped[name]) for name in names if name in skipped),
    cut=tuple(cut),
    unlisted=_unlisted(folder, names, places),
    read=len(clips),
  )
  return clips, report


def _load(
  folder: pathlib.Path, names: list[str], places: dict[str, tuple[str, str]]
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, str]]:
  """Returns the streams of the readable clips, and why the others are not."""
  arrays: dict[str, dict[str, np.ndarray]] = {}
  skipped: dict[str, str] = {}
  for name in names:
    try:
      arrays[name] = {
        stream: _read(folder / file.replace('{clip}', name), key)
        for stream, (file, key) in places.items()
      }
    except DataError as error:
      skipped[name] = str(error)
  return arrays, skipped


def _count(values: Iterable[str]) -> dict[str, int]:
  return dict(sorted(collections.Counter(values).items()))


def _discover(folder: pathlib.Path, names: list[str]) -> dict[str, str]:
  """Returns stream -> pattern for what at least half of the clips have."""
  found: collections.Counter[tuple[str, str]] = collections.Counter()
  subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
  for name in names:
    for sub in subfolders:
      if os.path.isfile(sub / f'{name}.npy'):
        found[sub.name, f'{sub.name}/{{clip}}.npy'] += 1
    path = folder / f'{name}.npz'
    if os.path.isfile(path):
      try:
        with open(path, 'rb') as file, npy.archive(file) as archive:
          members = archive.namelist()
      except (DataError, OSError):
        continue  # `_read` says what is wrong with it
      for key in (m.removesuffix('.npy') for m in members):
        found[key, f'{{clip}}.npz:{key}'] += 1
  most = max(found.values(), default=0)
  streams: dict[str, str] = {}
  for (stream, pattern), count in sorted(found.items()):
    if 2 * count >= most:
      streams.setdefault(stream, pattern)
  if not streams:
    raise DataError(
      f'{folder} has no array of a clip of the table; wanted {_FORMS}, or say'
      ' with --stream=NAME=PATH where the arrays are'
    )
  return streams


def _place(stream: str, pattern: str) -> tuple[str, str]:
  """Returns the file ('{clip}' within) and the .npz key of a pattern."""
  file, _, key = pattern.partition(':')
  ending = pathlib.PurePath(file).suffix
  wanted = {'.npy': not key, '.npz': bool(key)}
  if '{clip}' not in file or not wanted.get(ending, False):
    raise DataError(
      f'the stream {stream!r} is given as {pattern!r}; wanted a file such as'
      " 'features/{clip}.npy' or 'takes/{clip}.npz:key'"
    )
  return file, key


def _read(path: pathlib.Path, key: str) -> np.ndarray:
  """Returns one array as float32, of any shape."""
  try:
    with open(path, 'rb') as file:
      if not key:
        array = npy.data(file, npy.header(file, path.stat().st_size))
      else:
        with npy.archive(file) as archive:
          if f'{key}.npy' not in archive.namelist():
            listed = ', '.join(
              m.removesuffix('.npy') for m in archive.namelist()
            )
            raise DataError(f'no array {key!r} among {listed:.100}')
          info = archive.getinfo(f'{key}.npy')
          with archive.open(info) as member:
            array = npy.data(member, npy.header(member, info.file_size))
  except DataError as error:
    raise DataError(f'{path.name}: {error}') from error
  except OSError as error:
    raise DataError(f'{path}: {error.strerror}') from error
  except Exception as error:
    # zipfile has no closed list of what it raises on damaged members.
    raise DataError(f'{path.name} cannot be read: {error!r:.100}') from error
  with np.errstate(over='ignore'):  # what overflows is found as infinite
    return array.astype(np.float32)


def _cut(
  streams: dict[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], int]:
  """Returns the streams without the SLACK, and the most frames cut."""
  visual = [array for name, array in streams.items() if name != AUDIO]
  if not visual or any(array.ndim != 2 for array in visual):
    return streams, 0
  end = min(map(len, visual))
  excess = max(map(len, visual)) - end
  if not 0 < excess <= SLACK:
    return streams, 0
  return {k: v if k == AUDIO else v[:end] for k, v in streams.items()}, excess


def _usual_widths(arrays: dict[str, dict[str, np.ndarray]]) -> dict[str, int]:
  """Returns the width that most clips have, of every stream."""
  seen: dict[str, collections.Counter[int]] = {}
  for streams in arrays.values():
    for name, array in streams.items():
      if array.ndim == 2:
        seen.setdefault(name, collections.Counter())[array.shape[1]] += 1
  return {name: count.most_common(1)[0][0] for name, count in seen.items()}


def _wrong_width(streams: dict[str, np.ndarray], widths: dict[str, int]) -> str:
  for name, array in streams.items():
    if array.ndim == 2 and array.shape[1] != widths[name]:
      return f'{name} is {array.shape[1]} wide; most are {widths[name]}'
  return ''


def _unlisted(
  folder: pathlib.Path, names: list[str], places: dict[str, tuple[str, str]]
) -> tuple[str, ...]:
  """Returns the .npy and .npz files of the folder that belong to no row."""
  files = {file for file, _ in places.values()}
  known = {file.replace('{clip}', name) for file in files for name in names}
  there = (
    path.relative_to(folder).as_posix()
    for path in folder.rglob('*.np[yz]')
    if path.is_file()
  )
  return tuple(sorted(set(there) - known))
