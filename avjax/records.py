"""Reads the JSON and CSV that a program has left, against a type.

A dataclass, a TypedDict or a plain type says what a file holds. Whatever a file
holds instead, and however it is damaged, the error is one line: "FILE is
damaged: what, where; what to do". `seal` gives a JSON object a digest of
itself, so that no later change to it goes unseen.
"""

import collections
import csv
import dataclasses
import hashlib
import io
import itertools
import json
import math
import pathlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from avjax.errors import AvjaxError, CheckpointError, DataError

SEAL = 'sha256'
LIMIT = 1 << 28  # bytes of a file; the results of 100,000 clips are 1 << 24
_SCALARS = {str: 'text', bool: 'true or false', int: 'an integer'}
Kind = TypeVar('Kind')


class MismatchError(ValueError):
  """A value is not of the type that was wanted."""


@dataclasses.dataclass(frozen=True)
class Reader:
  """Reads the files of one kind of folder.

  Attributes:
    error: class of the errors.
    missing: what to do about a file that is missing.
    damaged: what to do about a file that is damaged.
  """

  error: type[AvjaxError]
  missing: str
  damaged: str

  def fault(self, path: pathlib.Path, what: object) -> AvjaxError:
    """Returns the error about a damaged file."""
    return self.error(f'{path} is damaged: {what}; {self.damaged}')

  def content(self, path: pathlib.Path) -> bytes:
    """Returns the bytes of a file."""
    try:
      if path.exists() and not path.is_file():
        raise self.fault(path, 'it is not a file')
      if path.stat().st_size > LIMIT:
        raise self.fault(path, f'it has more than {LIMIT} bytes')
      return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
      raise self.error(f'{path} does not exist; {self.missing}') from None
    except OSError as error:
      raise self.error(
        f'{path} cannot be read: {error.strerror}; make it readable'
      ) from None

  def text(self, path: pathlib.Path) -> str:
    """Returns the text of a file."""
    try:
      return self.content(path).decode('utf-8')
    except UnicodeDecodeError as error:
      raise self.fault(path, f'not UTF-8 at byte {error.start}') from None

  def json(self, path: pathlib.Path, kind: Callable[..., Kind]) -> Kind:
    """Returns the content of a JSON file, as `typed`; a seal is checked."""
    text = self.text(path)
    try:
      value = parse(text)
      if isinstance(value, dict) and SEAL in value and not sealed(value):
        raise MismatchError(f'it was changed (its {SEAL} differs)')
      return typed(kind, value)
    except MismatchError as error:
      raise self.fault(path, error) from None

  def lines(self, path: pathlib.Path, kind: Callable[..., Kind]) -> list[Kind]:
    """Returns the lines of a JSON Lines file, each as `typed`."""
    text = self.text(path)
    *lines, rest = text.split('\n')
    found = []
    for number, line in enumerate(lines, 1):
      try:
        found.append(typed(kind, parse(line)))
      except MismatchError as error:
        raise self.fault(path, f'line {number}: {error}') from None
    if rest:
      raise self.fault(path, f'line {len(lines) + 1} is cut')
    return found

  def table(
    self, path: pathlib.Path, columns: Sequence[str] = ()
  ) -> tuple[list[str], list[list[str]]]:
    """Returns the head and the rows of a CSV file; all have equal lengths.

    Args:
      path: of the file.
      columns: that the head must have.
    """
    text = self.text(path)
    if '\0' in text:
      raise self.fault(path, 'it holds a NUL character')
    try:
      head, *rows = list(csv.reader(io.StringIO(text, ''), strict=True)) or [[]]
    except csv.Error as error:
      raise self.fault(path, error) from None
    if text and not text.endswith('\n'):
      raise self.fault(path, f'row {len(rows) + 1} is cut')
    if absent := [name for name in columns if name not in head]:
      raise self.fault(path, f'it has no column {absent[0]}')
    for number, row in enumerate(rows, 2):
      if len(row) != len(head):
        raise self.fault(
          path, f'row {number} has {len(row)} fields and the head {len(head)}'
        )
    return head, rows


RUN = Reader(
  CheckpointError,
  missing='give a folder that bin/train has made',
  damaged='restore it, or train into another folder',
)
EXTRACTOR = Reader(
  DataError,
  missing='give the folder extractor of a store made by bin/extract',
  damaged='make the store again with bin/extract',
)


def digest(content: bytes) -> str:
  """Returns the SHA-256 of a file's bytes."""
  return hashlib.sha256(content).hexdigest()


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a JSON object with a digest of everything else in it."""
  return {**content, SEAL: _seal_of(content)}


def sealed(content: Mapping[str, Any]) -> bool:
  """Returns whether a JSON object is as `seal` made it."""
  return content.get(SEAL) == _seal_of(content)


def _seal_of(content: Mapping[str, Any]) -> str:
  """Returns the digest; the order of keys counts, as it does for readers."""
  rest = {key: value for key, value in content.items() if key != SEAL}
  try:
    return digest(json.dumps(rest).encode())
  except RecursionError:
    raise MismatchError('it is nested too deeply') from None


def parse(text: str | bytes) -> Any:
  """Returns the value of a JSON text: no NaN, no key twice in an object.

  Raises:
    MismatchError: the text is something else.
  """
  try:
    return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
  except MismatchError:
    raise
  except RecursionError:
    raise MismatchError('it is nested too deeply') from None
  except json.JSONDecodeError as error:
    raise MismatchError(
      f'not JSON at line {error.lineno}, column {error.colno} ({error.msg})'
    ) from None
  except ValueError as error:  # not UTF-8, or an integer of 4300 digits
    raise MismatchError(f'not JSON ({error!s:.60})') from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
  made = dict(pairs)
  if len(made) < len(pairs):
    (name, _), *_ = collections.Counter(k for k, _ in pairs).most_common(1)
    raise MismatchError(f'the key {name!r:.60} occurs twice')
  return made


def _constant(name: str) -> float:
  raise MismatchError(f'{name} is not a number')


def typed(kind: Any, value: Any, where: str = '') -> Any:
  """Returns a value from a JSON file as a type.

  Args:
    kind: a dataclass, a TypedDict, a list, tuple or dict of types, a union, or
      a plain type. A dataclass takes no other keys; a TypedDict keeps them.
    value: what the file holds.
    where: its place in the file, for the error.

  Raises:
    MismatchError: the value is of another type.
  """
  origin, arguments = typing.get_origin(kind), typing.get_args(kind)
  if kind is Any:
    return value
  if origin in (types.UnionType, typing.Union):
    return _any_of(arguments, value, where)
  if typing.is_typeddict(kind):
    return _fields(kind, kind.__required_keys__, value, where)
  if dataclasses.is_dataclass(kind):
    return _instance(kind, value, where)
  if origin in (list, tuple, Sequence):
    items = _wanted(list, 'a list', value, where)
    each = itertools.cycle(arguments[:1])
    made = [
      typed(one, item, f'{where}[{k}]')
      for k, (one, item) in enumerate(zip(each, items, strict=False))
    ]
    return tuple(made) if origin is tuple else made
  if origin in (dict, Mapping):
    items = _wanted(dict, 'an object', value, where)
    return {k: typed(arguments[1], v, _at(where, k)) for k, v in items.items()}
  return _scalar(kind, value, where)


def _scalar(kind: Any, value: Any, where: str) -> Any:
  """Returns a number, a text, true or false, or None."""
  if kind is type(None):
    return _wanted(type(None), 'null', value, where)
  if kind is float:
    if type(value) is int:
      # An integer of any size is JSON, and not every one is a float.
      value = float(value) if abs(value) < 2**1000 else math.inf
    if not math.isfinite(_wanted(float, 'a number', value, where)):
      raise MismatchError(_said(where, 'not a finite number'))
    return value
  value = _wanted(kind, _SCALARS[kind], value, where)
  if kind is int and abs(value) >= 2**63:
    raise MismatchError(_said(where, 'an integer of more than 64 bits'))
  if kind is str and not _is_text(value):
    raise MismatchError(_said(where, 'not a text'))
  return value


def _is_text(value: str) -> bool:
  """Returns whether a string can be printed, and be a path."""
  return '\0' not in value and not any('\ud800' <= c <= '\udfff' for c in value)


def _wanted(kind: type, name: str, value: Any, where: str) -> Any:
  """Returns a value of exactly this type."""
  if type(value) is not kind:
    plain = isinstance(value, str | int | float | bool | None)
    found = f'{value!r:.40}' if plain else f'a {type(value).__name__}'
    raise MismatchError(_said(where, f'{found} where {name} is wanted'))
  return value


def _any_of(kinds: Sequence[Any], value: Any, where: str) -> Any:
  """Returns the value as the first type that it has."""
  faults = []
  for kind in kinds:
    try:
      return typed(kind, value, where)
    except MismatchError as error:
      faults.append(str(error))
  raise MismatchError(faults[0])


def _fields(kind: Any, required: Any, value: Any, where: str) -> dict[str, Any]:
  """Returns an object with the fields of a class, each as its type."""
  items = _wanted(dict, 'an object', value, where)
  if absent := sorted(set(required) - set(items)):
    raise MismatchError(_said(where, f'{absent[0]} is missing'))
  hints = typing.get_type_hints(kind)
  return {
    key: typed(hints.get(key, Any), item, _at(where, key))
    for key, item in items.items()
  }


def _instance(kind: Any, value: Any, where: str) -> Any:
  """Returns an instance of a dataclass, which may refuse its values."""
  fields = dataclasses.fields(kind)
  required = [
    field.name
    for field in fields
    if field.default is dataclasses.MISSING
    and field.default_factory is dataclasses.MISSING
  ]
  items = _fields(kind, required, value, where)
  if unknown := sorted(set(items) - {field.name for field in fields}):
    raise MismatchError(_said(where, f'{unknown[0]!r:.60} is unknown'))
  try:
    return kind(**items)
  except AvjaxError as error:
    raise MismatchError(_said(where, str(error))) from None


def _at(where: str, key: str) -> str:
  return f'{where}.{key:.60}' if where else f'{key:.60}'


def _said(where: str, what: str) -> str:
  return f'{where}: {what}' if where else what
