"""A user's own feature arrays -> clips, and a report.

  FOLDER/<clip>.npz            one array per stream, or
  FOLDER/<stream>/<clip>.npy   one folder per stream, or
  streams={'action_units': 'takes/{clip}.npz:aus', ...}
  clips.csv                    clip,label, optionally speaker,split,take

Every array is (frames, width). 'audio', and each 'audio.NAME', has its own
number of frames. All other streams are visual. Their lengths may differ by up
to SLACK frames, since decoders disagree about the last frames: such clips are
cut to the shortest stream and listed in the report. A clip with any other fault
is left out; the report has the reason.
"""

import collections
import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from avjax.clips import Clip, UnreadStreams, is_sound
from avjax.data import clip_table, npy, store
from avjax.data.clip_files import ClipFiles
from avjax.errors import DataError

SLACK = 2  # video frames: 80 ms, half of the paper's alignment window
_Shapes = Mapping[str, tuple[int, ...]]
_LAYOUTS = 'FOLDER/<clip>.npz or FOLDER/<stream>/<clip>.npy'


@dataclasses.dataclass(frozen=True)
class ReadingReport:
  """The clips that were read, those that were not, and why.

  Attributes:
    widths: stream -> its width.
    labels, speakers, splits: value -> number of clips.
    skipped: (clip, reason) of clips that were left out.
    cut: (clip, frames) of clips with shortened streams; the most frames cut.
    unlisted: .npy and .npz files that no row of the table names.
    read: number of clips that were read.
  """

  widths: Mapping[str, int]
  labels: Mapping[str, int]
  speakers: Mapping[str, int]
  splits: Mapping[str, int]
  skipped: tuple[tuple[str, str], ...]
  cut: tuple[tuple[str, int], ...]
  unlisted: tuple[str, ...]
  read: int

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
        ' frames were cut to the shortest stream:'
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
  merge: bool = False,
  labels: str = '',
  most: int | float = math.inf,
) -> tuple[list[Clip], ReadingReport]:
  """Returns the usable clips of a folder of arrays, and the report.

  Args:
    folder: of the arrays.
    clips_csv: a table with one row per clip. Clips without a label are kept,
      for prediction.
    columns: one of `clip_table.COLUMNS` -> its name in the table, if it
      differs.
    streams: stream -> file within `folder`, with '{clip}' for the name of the
      clip, and ':key' after a .npz file. By default all streams of the folder.
    merge, labels: see `clip_table.read`.
    most: bytes of arrays that may stay in memory; the streams of further clips
      are read again whenever one is asked for.

  Raises:
    DataError: the folder or the table cannot be used at all.
  """
  if not os.path.isdir(folder):
    raise DataError(
      f'{folder} is not a folder; give the folder with the arrays'
    )
  rows = clip_table.read(clips_csv, columns or {}, merge, labels)
  return read_rows(folder, rows, streams, most)


def read_rows(
  folder: str | os.PathLike,
  rows: Sequence[Mapping[str, str]],
  streams: Mapping[str, str] | None = None,
  most: int | float = math.inf,
) -> tuple[list[Clip], ReadingReport]:
  """Returns the clips and the report for given rows; see `read_folder`."""
  folder = pathlib.Path(folder)
  names = [row['clip'] for row in rows]
  files = ClipFiles(folder)
  patterns = streams or _discover(folder, files, names)
  sources = {
    name: _file_and_key(name, pattern) for name, pattern in patterns.items()
  }
  loaded, skipped = _load(files, names, sources, most)
  widths = _usual_widths([one.shapes for one in loaded.values()])
  clips, cut = [], []
  for row in (row for row in rows if row['clip'] in loaded):
    name = row['clip']
    one = loaded[name]
    if wrong := _wrong_width(one.shapes, widths) or one.fault:
      skipped[name] = wrong
      continue
    if one.cut:
      cut.append((name, one.cut))
    clips.append(clip_table.clip(row, one.streams))
  report = ReadingReport(
    widths=widths,
    labels=_count(clip.label or '' for clip in clips),
    speakers=_count(clip.speaker for clip in clips),
    splits=_count(clip.split for clip in clips),
    skipped=tuple((name, skipped[name]) for name in names if name in skipped),
    cut=tuple(cut),
    unlisted=_unlisted(folder, files, names, sources),
    read=len(clips),
  )
  return clips, report


@dataclasses.dataclass(frozen=True)
class _Loaded:
  """The streams of a clip, cut to one length.

  Attributes:
    streams: in memory, or unread.
    shapes: of the streams, of any number of axes.
    cut: frames by which they were cut.
    fault: why they are not valid, or ''.
  """

  streams: Mapping[str, np.ndarray]
  shapes: _Shapes
  cut: int
  fault: str


def _load(
  files: ClipFiles,
  names: list[str],
  sources: dict[str, tuple[str, str]],
  most: int | float,
) -> tuple[dict[str, _Loaded], dict[str, str]]:
  """Returns the readable clips, and the faults of the others.

  Args:
    files: of the folder.
    names: of the clips.
    sources: stream -> its file and key.
    most: bytes of streams that may stay in memory.
  """
  loaded: dict[str, _Loaded] = {}
  skipped: dict[str, str] = {}

  def load(name: str) -> tuple[dict[str, np.ndarray], int]:
    return _cut(
      {
        stream: _read(files.path(file.replace('{clip}', name)), key)
        for stream, (file, key) in sources.items()
      }
    )

  def stream_of(name: str, stream: str) -> np.ndarray:
    return load(name)[0][stream]

  for name in names:
    try:
      arrays, cut = load(name)
    except DataError as error:
      skipped[name] = str(error)
      continue
    shapes = {stream: array.shape for stream, array in arrays.items()}
    most -= sum(array.nbytes for array in arrays.values())
    streams: Mapping[str, np.ndarray] = arrays
    if most < 0:
      streams = UnreadStreams(shapes, functools.partial(stream_of, name))
    loaded[name] = _Loaded(streams, shapes, cut, store.fault(arrays))
  return loaded, skipped


def _count(values: Iterable[str]) -> dict[str, int]:
  return dict(sorted(collections.Counter(values).items()))


def _discover(
  folder: pathlib.Path, files: ClipFiles, names: list[str]
) -> dict[str, str]:
  """Returns stream -> pattern, for streams that at least half the clips have.

  Half of the number of clips that have the most frequent stream.
  """
  found: collections.Counter[tuple[str, str]] = collections.Counter()
  subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
  for name in names:
    for sub in subfolders:
      if files.path(f'{sub.name}/{name}.npy').is_file():
        found[sub.name, f'{sub.name}/{{clip}}.npy'] += 1
    path = files.path(f'{name}.npz')
    if path.is_file():
      try:
        with open(path, 'rb') as file, npy.archive(file) as archive:
          members = archive.namelist()
      except (DataError, OSError):
        continue  # `_read` raises the error
      for key in (m.removesuffix('.npy') for m in members):
        found[key, f'{{clip}}.npz:{key}'] += 1
  most = max(found.values(), default=0)
  streams: dict[str, str] = {}
  for (stream, pattern), count in sorted(found.items()):
    if 2 * count >= most:
      streams.setdefault(stream, pattern)
  if not streams:
    raise DataError(
      f'{folder} has no array of any clip of the table; wanted {_LAYOUTS}, or'
      ' give the paths of the arrays with --stream=NAME=PATH'
    )
  return streams


def _file_and_key(stream: str, pattern: str) -> tuple[str, str]:
  """Returns the file (with '{clip}') and the .npz key of a pattern."""
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
    with npy.opened(path) as file:
      if not key:
        array = npy.data(file, npy.header(file, path.stat().st_size))
      else:
        with npy.archive(file) as archive:
          array = npy.member(archive, key)
  except DataError as error:
    raise DataError(f'{path.name}: {error}') from error
  except OSError as error:
    raise DataError(f'{path}: {error.strerror}') from error
  except Exception as error:
    # zipfile does not document all the errors of damaged members.
    raise DataError(f'{path.name} cannot be read: {error!r:.100}') from error
  with np.errstate(over='ignore'):  # an overflow is refused as infinite
    return array.astype(np.float32)


def _cut(
  streams: dict[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], int]:
  """Returns the streams with visual lengths made equal, and the frames cut.

  Nothing is cut if the lengths are equal or differ by more than SLACK.
  """
  visual = [array for name, array in streams.items() if not is_sound(name)]
  if not visual or any(array.ndim != 2 for array in visual):
    return streams, 0
  end = min(map(len, visual))
  excess = max(map(len, visual)) - end
  if not 0 < excess <= SLACK:
    return streams, 0
  cut = {k: v if is_sound(k) else v[:end] for k, v in streams.items()}
  return cut, excess


def _usual_widths(clips: Iterable[_Shapes]) -> dict[str, int]:
  """Returns the most frequent width of every stream."""
  counts: dict[str, collections.Counter[int]] = {}
  for shapes in clips:
    for name, shape in shapes.items():
      if len(shape) == 2:
        counts.setdefault(name, collections.Counter())[shape[1]] += 1
  return {name: count.most_common(1)[0][0] for name, count in counts.items()}


def _wrong_width(shapes: _Shapes, widths: dict[str, int]) -> str:
  """Returns the fault of a stream with another width, or ''."""
  for name, shape in shapes.items():
    if len(shape) == 2 and shape[1] != widths[name]:
      return f'{name} is {shape[1]} wide; most are {widths[name]}'
  return ''


def _unlisted(
  folder: pathlib.Path,
  files: ClipFiles,
  names: list[str],
  sources: dict[str, tuple[str, str]],
) -> tuple[str, ...]:
  """Returns the .npy and .npz files of the folder that belong to no row."""
  patterns = {file for file, _ in sources.values()}
  listed = {files.path(p.replace('{clip}', n)) for p in patterns for n in names}
  present = {path for path in folder.rglob('*.np[yz]') if path.is_file()}
  return tuple(
    sorted(path.relative_to(folder).as_posix() for path in present - listed)
  )
