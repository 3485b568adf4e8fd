"""A feature store: a corpus on disk, an uncompressed .npz per clip.

  FOLDER/manifest.jsonl        a header, then one line per clip
  FOLDER/clips/000000-NAME.npz the streams, and `truth.<name>` if known

The manifest is written last, so a folder without it is not a store. It has the
SHA-256 of every clip's file, and its header the SHA-256 of the rest: a damaged
store is refused, never read wrongly. Identical clips give a bit-identical
store.
"""

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import math
import os
import pathlib
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.clips import Clip, UnreadStreams, is_sound
from avjax.data import manifest, npy
from avjax.data.manifest import Origin
from avjax.errors import DataError

TRUTH = 'truth.'
_MOST = npy.MAX_BYTES - (1 << 20)  # bytes without the headers and the truth
_WRITTEN = re.compile(r'clips/\d{6}-[^/]*\.npz|(clips/)?\.\d+\.part')
_STREAM = re.compile(r'(?!truth\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}')


def fault(streams: Mapping[str, np.ndarray]) -> str:
  """Returns why these streams, of float32, are not valid, or ''."""
  for name, array in streams.items():
    if array.ndim != 2:
      return f'{name} has the shape {array.shape}, not (frames, width)'
    if not array.size:
      return f'{name} is empty, of shape {array.shape}'
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
      return f'{name} has a NaN or infinite value in frame {finite.argmin()}'
  visual = {k: len(v) for k, v in streams.items() if not is_sound(k)}
  if len(set(visual.values())) > 1:
    listed = ', '.join(f'{k} {n}' for k, n in visual.items())
    return f'the visual streams differ in length: {listed}'
  if sum(array.nbytes for array in streams.values()) > _MOST:
    return f'it has more than {npy.MAX_BYTES} bytes, over 40 minutes'
  return '' if streams else 'has no streams'


def check_new(folder: str | os.PathLike) -> None:
  """Raises DataError unless the folder is new or empty."""
  folder = pathlib.Path(folder)
  if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
    raise DataError(
      f'{folder} exists and is not an empty folder; choose another folder for'
      ' the store, or remove it'
    )


def clear_interrupted(folder: str | os.PathLike) -> None:
  """Removes what an interrupted `write` has left in a folder, if only that."""
  folder = pathlib.Path(folder)
  if not folder.is_dir():
    return
  written = [path for path in folder.rglob('*') if path != folder / 'clips']
  if (folder / 'clips').is_dir() and all(
    _WRITTEN.fullmatch(path.relative_to(folder).as_posix()) for path in written
  ):
    shutil.rmtree(folder)


def write(
  folder: str | os.PathLike,
  clips: Iterable[Clip],
  source: str = '',
  extractor: str = '',
) -> list[Clip]:
  """Writes the clips as a store into a new folder, one after another.

  Args:
    folder: new or empty.
    clips: at least one; each stream has the same width in all clips.
    source: description of the origin of the clips.
    extractor: fingerprint of the extractor of their features, or ''.

  Returns:
    The clips; their streams are in the store alone.

  Raises:
    DataError: the folder is not empty, a clip is not valid, or the disk is
      full or not writable.
  """
  folder = pathlib.Path(folder)
  check_new(folder)
  checks, faults = _Checks(), []
  written, names, hashes = [], [], []
  try:
    (folder / 'clips').mkdir(parents=True)
    for i, clip in enumerate(clips):
      clip, wrong = checks.checked(clip)
      if wrong:
        faults.append((repr(clip.name), wrong))
      if faults:
        continue
      # The number makes the file unique, the name helps to find it.
      slug = re.sub('[^A-Za-z0-9._-]+', '_', clip.name)[:80]
      file, data = f'clips/{i:06d}-{slug}.npz', _pack(clip)
      files.put(folder / file, data)
      written.append(_unread(clip, folder / file, data))
      names.append(file)
      hashes.append(hashlib.sha256(data).hexdigest())
    if faults or not written:
      shutil.rmtree(folder)
      manifest.raise_bad(folder, faults, 'correct or leave out these clips')
      raise DataError(f'there are no clips to write to {folder}')
    _sync(folder / 'clips')
    text = manifest.dump(written, names, hashes, Origin(source, extractor))
    files.put(folder / manifest.NAME, text)
    _sync(folder)
  except OSError as error:
    raise DataError(
      f'cannot write the store {folder}: {error.strerror}; remove the'
      ' incomplete folder, and write the store where there is space'
    ) from error
  return written


def read(folder: str | os.PathLike, most: int | float = math.inf) -> list[Clip]:
  """Reads all clips of a store, in its order.

  Args:
    folder: of the store.
    most: bytes of streams that may stay in memory. The streams of a larger
      store are checked, and read again whenever one is asked for.

  Raises:
    DataError: there is no store, or it is damaged or was changed; the message
      lists the bad clips.
  """
  folder = pathlib.Path(folder)
  widths, records = manifest.load(folder)
  size = sum(
    4 * length * widths[name]
    for record in records
    for name, length in record['lengths'].items()
  )
  clips, faults = [], []
  for record in records:
    try:
      path = folder / record['file']
      data = manifest.file_bytes(path, npy.MAX_BYTES)
      clip = _read_clip(data, record, widths)
      clips.append(_unread(clip, path, data) if size > most else clip)
    except DataError as error:
      faults.append((repr(record['name']), str(error)))
    except Exception as error:
      # zipfile does not document all the errors of malformed files.
      faults.append((repr(record['name']), f'cannot be read: {error!r:.100}'))
  manifest.raise_bad(folder, faults, manifest.AGAIN)
  return clips


def origin(folder: str | os.PathLike) -> Origin:
  """Returns the recorded origin of the clips of a store.

  Raises:
    DataError: there is no store.
  """
  return manifest.origin(pathlib.Path(folder))


def fingerprint(clips: Sequence[Clip]) -> str:
  """Returns the SHA-256 of all that training uses of the clips, in order.

  It does not depend on their attributes.
  """
  digest = hashlib.sha256()
  for clip in clips:
    names = sorted(clip.streams)
    shapes = [clip.shapes[k] for k in names]
    facts: list[Any] = [clip.name, clip.label, clip.speaker, clip.split]
    facts += [names, shapes]
    more = manifest.facts(dataclasses.replace(clip, attributes={}))
    if more:
      facts.append(more)
    digest.update(json.dumps(facts).encode() + b'\n')
    for name in names:
      digest.update(np.ascontiguousarray(clip.streams[name], '<f4').data)
  return digest.hexdigest()


class _Checks:
  """Finds clips that `read` would refuse, one after another."""

  def __init__(self) -> None:
    self._widths: dict[str, int] = {}
    self._seen: set[str] = set()

  def checked(self, clip: Clip) -> tuple[Clip, str]:
    """Returns the clip with its streams in memory, and its fault or ''."""
    texts = [clip.name, clip.label or '', clip.speaker, clip.split]
    texts += [clip.corpus, clip.take, clip.source]
    for words in (clip.targets, clip.attributes):
      texts += [word for pair in words.items() for word in pair]
    with np.errstate(over='ignore'):  # an overflow is refused as infinite
      streams = {k: np.asarray(v, np.float32) for k, v in clip.streams.items()}
    wrong = fault(streams)
    if not clip.name or not all(map(manifest.is_text, texts)):
      wrong = 'its name, label, speaker, split or take is not plain text'
    elif clip.name in self._seen:
      wrong = 'there are two clips of this name'
    elif bad := [name for name in streams if not _STREAM.fullmatch(name)]:
      wrong = f'{bad[0]!r} is not a valid name of a stream (letters, digits, _)'
    elif not wrong:
      for name, array in streams.items():
        wanted = self._widths.setdefault(name, array.shape[1])
        if array.shape[1] != wanted:
          wrong = f'{name} is {array.shape[1]} wide, in other clips {wanted}'
    self._seen.add(clip.name)
    return dataclasses.replace(clip, streams=streams), wrong


def _pack(clip: Clip) -> bytes:
  """Returns the bytes of the .npz file of a clip."""
  arrays = {k: np.asarray(v, '<f4') for k, v in clip.streams.items()}
  for name, value in clip.truth.items():
    arrays[TRUTH + name] = np.asarray(value).astype('<i8', casting='safe')
  return npy.pack(arrays)


def _sync(folder: pathlib.Path) -> None:
  """Writes the folder's entries to disk, as `files.put` does the contents."""
  descriptor = os.open(folder, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)


def _read_clip(
  data: bytes, record: dict[str, Any], widths: Mapping[str, int]
) -> Clip:
  """Returns a clip, after checking the bytes of its file."""
  if hashlib.sha256(data).hexdigest() != record['sha256']:
    raise DataError('its file was changed (sha256 differs)')
  wanted: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}
  for name, length in record['lengths'].items():
    wanted[f'{name}.npy'] = np.dtype('<f4'), (length, widths[name])
  for name, shape in record['truth'].items():
    wanted[f'{TRUTH}{name}.npy'] = np.dtype('<i8'), tuple(shape)
  arrays = {}
  with npy.archive(io.BytesIO(data)) as archive:
    names = [member.filename for member in archive.infolist()]
    if sorted(names) != sorted(wanted):
      raise DataError(f'has {names!r:.200}; wanted {sorted(wanted)}')
    for member in archive.infolist():
      name = member.filename
      # Uncompressed members cannot be larger than the file: no zip bombs.
      if member.compress_type != zipfile.ZIP_STORED:
        raise DataError(f'{name} is compressed; wanted uncompressed')
      with archive.open(member) as file:
        head = npy.header(file, member.file_size)
        if (head.dtype, head.shape) != wanted[name] or head.fortran:
          raise DataError(
            f'{name} is {head.dtype} of shape {head.shape}'
            f'{" in Fortran order" * head.fortran}; wanted {wanted[name][0]} of'
            f' {wanted[name][1]}'
          )
        native = head.dtype.newbyteorder('=')
        arrays[name.removesuffix('.npy')] = npy.data(file, head).astype(native)
  streams = {name: arrays[name] for name in record['lengths']}
  if wrong := fault(streams):
    raise DataError(wrong)
  truth = {name: arrays[TRUTH + name] for name in record['truth']}
  fields = {key: record[key] for key in ('name', 'label', 'speaker', 'split')}
  fields |= {key: record[key] for key in manifest.FACTS if key in record}
  return Clip(streams=streams, truth=truth, **fields)


def _unread(clip: Clip, path: pathlib.Path, data: bytes) -> Clip:
  """Returns a clip whose streams are in its file alone.

  Args:
    clip: as it was read or written.
    path: of its file.
    data: all of the file.
  """
  shapes, members = clip.shapes, {}
  with npy.archive(io.BytesIO(data)) as archive:
    for name in shapes:
      info = archive.getinfo(f'{name}.npy')
      # A header of 30 bytes that ends with the lengths of two texts after it.
      start = info.header_offset + 30
      start += sum(struct.unpack_from('<2H', data, start - 4))
      members[name] = start, info.file_size, info.CRC
  read = functools.partial(_read_stream, os.path.abspath(path), shapes, members)
  return dataclasses.replace(clip, streams=UnreadStreams(shapes, read))


def _read_stream(
  path: str,
  shapes: Mapping[str, tuple[int, ...]],
  members: Mapping[str, tuple[int, int, int]],
  name: str,
) -> np.ndarray:
  """Returns a stream of a clip's file, which `read` has checked.

  Raises:
    DataError: the file has been changed since.
  """
  start, size, crc = members[name]
  content = b''
  with contextlib.suppress(OSError), npy.opened(path) as file:
    file.seek(start)
    content = file.read(size)
  if zlib.crc32(content) != crc:
    raise DataError(
      f'{path} has changed since the program began; {manifest.AGAIN}'
    )
  # The array follows its header.
  at = size - 4 * math.prod(shapes[name])
  array = np.frombuffer(content, '<f4', offset=at).reshape(shapes[name])
  return array.astype(np.float32, copy=False)
