"""The manifest of a store: the properties of its clips and their files.

  line 1   {"schema": 1, "streams": {name: width}, "emotions": [label, ...],
            "source": text, "avjax": version, "sha256": of all the rest}
            and, if made by bin/extract, "extractor": fingerprint
  others   {"name", "file", "split", "label", "speaker", "lengths": {stream:
            frames}, "truth": {name: shape}, "sha256": of the file}
            and, if known, "corpus", "take", "source": SHA-256 of the raw
            clip, "targets": {target: label}, "attributes": {column: text}

The manifest is checked before any clip's file is opened.
"""

import dataclasses
import hashlib
import io
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import avjax
from avjax.clips import Clip
from avjax.data import npy
from avjax.errors import DataError

SCHEMA = 1
NAME = 'manifest.jsonl'
AGAIN = 'make the store again with bin/ingest or bin/extract'
LIMIT = 1 << 26  # bytes of a manifest: some 150,000 clips
LISTED = 20  # bad clips named in one message
_FILE = re.compile(r'clips/[A-Za-z0-9._-]+\.npz')
_TEXT = ('name', 'file', 'split', 'speaker', 'sha256')
_FIELDS = {*_TEXT, 'label', 'lengths', 'truth'}
_MAPPINGS = ('targets', 'attributes')
FACTS = ('corpus', 'take', 'source', *_MAPPINGS)
"""Optional fields of a clip, written only if they are not empty."""


@dataclasses.dataclass(frozen=True)
class Origin:
  """The origin of the clips of a store.

  Attributes:
    source: a description for the user.
    extractor: fingerprint of the extractor of their features, or ''.
  """

  source: str
  extractor: str = ''


def dump(
  clips: Sequence[Clip],
  files: Sequence[str],
  hashes: Sequence[str],
  origin: Origin,
) -> bytes:
  """Returns the manifest of clips that are stored in `files`."""
  lines = [
    {
      'name': clip.name,
      'file': file,
      'split': clip.split,
      'label': clip.label,
      'speaker': clip.speaker,
      'lengths': {k: shape[0] for k, shape in clip.shapes.items()},
      'truth': {k: list(v.shape) for k, v in clip.truth.items()},
      'sha256': sha256,
    }
    | facts(clip)
    for clip, file, sha256 in zip(clips, files, hashes, strict=True)
  ]
  body = ''.join(f'{json.dumps(line)}\n' for line in lines).encode()
  header = {
    'schema': SCHEMA,
    'streams': {k: shape[1] for c in clips for k, shape in c.shapes.items()},
    'emotions': sorted({c.label for c in clips if c.label is not None}),
    'source': origin.source,
    'avjax': avjax.__version__,
  }
  if origin.extractor:
    header['extractor'] = origin.extractor
  header['sha256'] = _digest(header, body)
  return json.dumps(header).encode() + b'\n' + body


def facts(clip: Clip) -> dict[str, Any]:
  """Returns the FACTS of a clip that are not empty."""
  known = {key: getattr(clip, key) for key in FACTS}
  return {k: dict(v) if k in _MAPPINGS else v for k, v in known.items() if v}


def _open(folder: pathlib.Path) -> tuple[dict[str, Any], bytes]:
  """Returns the header, and the text after it.

  Raises:
    DataError: there is no manifest of this schema.
  """
  if not (folder / NAME).is_file():
    raise DataError(
      f'{folder} is not a feature store (it has no {NAME}); give the folder of'
      ' a store, or make one with bin/ingest or bin/extract'
    )
  try:
    head, _, body = file_bytes(folder / NAME, LIMIT).partition(b'\n')
    header = _parse(head)
  except DataError as error:
    raise DataError(f'{folder / NAME} line 1: {error}; {AGAIN}') from error
  if header.get('schema') != SCHEMA:
    raise DataError(
      f'{folder / NAME} has the schema {header.get("schema")!r:.50}; this'
      f' avjax {avjax.__version__} reads {SCHEMA}; {AGAIN}'
    )
  return header, body


def origin(folder: pathlib.Path) -> Origin:
  """Returns the origin of the clips, as `dump` recorded it.

  Raises:
    DataError: there is no manifest of this schema.
  """
  header, _ = _open(folder)
  text = str(header.get('source', ''))
  return Origin(text, str(header.get('extractor') or _extractor_in(text)))


def _extractor_in(source: str) -> str:
  """Returns the fingerprint of the extractor in a source's text, or ''.

  Only for stores and runs of version 0.1.0, which recorded it only there.
  """
  found = re.search('; extractor ([0-9a-f]{64})$', source)
  return found[1] if found else ''


def load(
  folder: pathlib.Path,
) -> tuple[dict[str, int], list[dict[str, Any]]]:
  """Returns the width of every stream, and one record per clip.

  Raises:
    DataError: there is no manifest, or it is damaged or was changed.
  """
  header, body = _open(folder)
  widths = header.get('streams')
  if not isinstance(widths, dict) or not all(map(_is_size, widths.values())):
    raise DataError(f'{folder / NAME} line 1 lists no streams; {AGAIN}')
  records, seen = [], set()
  for number, line in enumerate(io.BytesIO(body), 2):
    try:
      record = _parse(line)
      _check_record(record, widths)
      for key in ('name', 'file'):
        if (key, record[key]) in seen:
          raise DataError(f'the {key} {record[key]!r} occurs twice')
        seen.add((key, record[key]))
    except DataError as error:
      where = f'{folder / NAME} line {number}'
      raise DataError(f'{where}: {error}; {AGAIN}') from error
    records.append(record)
  if header.get('sha256') != _digest(header, body):
    raise DataError(
      f'{folder / NAME} was changed (its sha256 differs); {AGAIN}'
    )
  return widths, records


def raise_bad(
  folder: pathlib.Path, faults: list[tuple[str, str]], advice: str
) -> None:
  """Raises one DataError for all (clip, fault) pairs, if there are any."""
  if faults:
    listed = '; '.join(f'{name}: {why}' for name, why in faults[:LISTED])
    more = len(faults) - LISTED
    rest = f'; and {more} more' if more > 0 else ''
    raise DataError(
      f'{folder} has {len(faults)} bad clips: {listed}{rest}; {advice}'
    )


def file_bytes(path: pathlib.Path, limit: int) -> bytes:
  """Returns the bytes of a file.

  Raises:
    DataError: it is missing, cannot be read, or has more than `limit` bytes.
  """
  try:
    if not path.is_file():
      raise DataError(f'the file {path.name} is missing')
    if path.stat().st_size > limit:
      raise DataError(f'the file {path.name} has more than {limit} bytes')
    return path.read_bytes()
  except OSError as error:
    raise DataError(f'the file {path.name}: {error.strerror}') from error


def is_text(value: Any) -> bool:
  """Returns whether a value is a valid name: a short string on one line."""
  return isinstance(value, str) and len(value) <= 200 and value.isprintable()


def _digest(header: Mapping[str, Any], body: bytes) -> str:
  """Returns the SHA-256 of a manifest without its field sha256."""
  facts = {k: v for k, v in header.items() if k != 'sha256'}
  text = json.dumps(facts, sort_keys=True).encode()
  return hashlib.sha256(text + b'\n' + body).hexdigest()


def _parse(line: bytes) -> dict[str, Any]:
  try:
    value = json.loads(line.decode())
  except (ValueError, RecursionError) as error:
    raise DataError('not JSON') from error
  if not isinstance(value, dict):
    raise DataError('not a JSON object')
  return value


def _is_size(value: Any) -> bool:
  return type(value) is int and 0 <= value <= npy.MAX_BYTES


def _check_record(record: dict[str, Any], widths: Mapping[str, int]) -> None:
  """Raises DataError unless a line of the manifest is in `dump`'s format."""
  if wrong := sorted((set(record) - set(FACTS)) ^ _FIELDS):
    raise DataError(f'the fields {wrong!r:.100} are missing or unknown')
  for key in _MAPPINGS:
    words = record.get(key, {})
    if not isinstance(words, dict) or not all(map(is_text, words.values())):
      raise DataError(f'{key} does not map names to plain text')
  for key in (*_TEXT, *(set(record) & set(FACTS) - set(_MAPPINGS))):
    if not is_text(record[key]):
      raise DataError(f'{key} is not plain text')
  if record['label'] is not None and not is_text(record['label']):
    raise DataError('label is neither plain text nor null')
  if not _FILE.fullmatch(record['file']):
    raise DataError(f'file is {record["file"]!r}, not clips/<name>.npz')
  lengths, truth = record['lengths'], record['truth']
  if not isinstance(lengths, dict) or not set(lengths) <= set(widths):
    raise DataError('lengths does not agree with the streams of line 1')
  shapes = truth.values() if isinstance(truth, dict) else [None]
  if not all(isinstance(s, list) and all(map(_is_size, s)) for s in shapes):
    raise DataError('truth does not map names to shapes')
  if not all(map(_is_size, lengths.values())):
    raise DataError('lengths are not numbers of frames')
