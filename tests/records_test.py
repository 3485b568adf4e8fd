"""The one reader of JSON and CSV, beside everything that such files may be."""

import dataclasses
import json
import os
import sys
from typing import NotRequired, TypedDict

import pytest

from avjax import command_line, records
from avjax.errors import CheckpointError, DataError
from avjax.records import RUN, MismatchError


@dataclasses.dataclass(frozen=True)
class Inner:
  """A part of `Outer`."""

  share: float
  names: tuple[str, ...] = ()


class Entry(TypedDict):
  """Another part."""

  count: int
  note: NotRequired[str | None]


@dataclasses.dataclass(frozen=True)
class Outer:
  """What a file of these tests holds."""

  inner: Inner
  entries: dict[str, list[Entry]]
  done: bool = False


GOOD = {
  'inner': {'share': 1, 'names': ['a', 'b']},
  'entries': {'x': [{'count': 2, 'note': None, 'more': [1]}]},
}


def test_typed():
  """Law: a value of the type comes back, as that type."""
  made = records.typed(Outer, json.loads(json.dumps(GOOD)))
  assert made == Outer(Inner(1.0, ('a', 'b')), GOOD['entries'])
  assert type(made.inner.share) is float


BAD = {
  'no such file': (None, 'does not exist; give a folder'),
  'nothing': (b'', 'not JSON at line 1, column 1'),
  'cut': (b'{"inner": {"sha', 'not JSON at line 1'),
  'deep': (b'[' * 200_000, 'nested too deeply'),
  'deep and whole': (b'[' * 900 + b']' * 900, 'where an object is wanted'),
  'not UTF-8': (b'{"a": "\xff"}', 'not UTF-8 at byte 7'),
  'NaN': (b'{"inner": NaN}', 'NaN is not a number'),
  'a key twice': (b'{"a": 1, "a": 2}', "the key 'a' occurs twice"),
  'a list': (b'[]', 'a list where an object is wanted'),
  'digits': (b'{"done": ' + b'9' * 5000 + b'}', 'not JSON'),
}
INSTEAD = {
  'missing': ({'entries': {}}, 'inner is missing'),
  'unknown': (GOOD | {'innr': 1}, "'innr' is unknown"),
  'type': (GOOD | {'inner': {'share': 'x'}}, "inner.share: 'x' where a number"),
  'bool': (GOOD | {'inner': {'share': True}}, 'inner.share: True where'),
  'infinite': (GOOD | {'inner': {'share': 10**400}}, 'not a finite number'),
  'long': (GOOD | {'entries': {'x': [{'count': 2**63}]}}, 'x[0].count: an int'),
  'NUL': (GOOD | {'inner': {'share': 0, 'names': ['\0']}}, 'names[0]: not a'),
  'surrogate': (GOOD | {'inner': {'share': 0, 'names': ['\ud800']}}, 'a text'),
  'seal': (GOOD | {'sha256': '0'}, 'it was changed'),
}  # fmt: skip


@pytest.mark.parametrize('name', [*BAD, *INSTEAD])
def test_damaged_json(name, tmp_path):
  """Law: one error that names the file, what is wrong, and where."""
  content, wanted = {**BAD, **INSTEAD}[name]
  path = tmp_path / 'a.json'
  if isinstance(content, dict):
    content = json.dumps(content).encode()
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(CheckpointError) as caught:
    RUN.json(path, Outer)
  assert wanted in str(caught.value) and str(path) in str(caught.value)
  assert content is None or f'{path} is damaged: ' in str(caught.value)


def test_seal():
  """Law: any other content, or another order, breaks the seal."""
  sealed = records.seal(GOOD)
  assert records.sealed(json.loads(json.dumps(sealed)))
  assert not records.sealed(sealed | {'done': True})
  assert not records.sealed(dict(reversed(sealed.items())))


@pytest.mark.parametrize(
  'content, wanted',
  [
    (b'a,b\n1,' + b'x' * 140_000 + b'\n', 'field larger than'),
    (b'a,b\n1\n', 'row 2 has 1 fields and the head 2'),
    (b'a,b\n1,2', 'row 2 is cut'),
    (b'a,b\n1,"2\n', 'unexpected end'),
    (b'a,b\n1,\0\n', 'a NUL'),
    (b'a\n1\n', 'no column b'),
    (b'', 'no column a'),
  ],
)
def test_damaged_table(content, wanted, tmp_path):
  """Law: a CSV file that is not a whole table is refused."""
  path = tmp_path / 'a.csv'
  path.write_bytes(content)
  with pytest.raises(CheckpointError, match=wanted):
    RUN.table(path, ('a', 'b'))


def test_lines(tmp_path):
  """Law: a damaged line of JSON Lines is named by its number."""
  path = tmp_path / 'a.jsonl'
  path.write_text('{"count": 1}\n{"count": 2}\n')
  assert RUN.lines(path, Entry) == [{'count': 1}, {'count': 2}]
  for text, wanted in (
    ('{"count": 1}\n{"count": 2}', 'line 2 is cut'),
    ('{"count": 1}\n\n', 'line 2: not JSON'),
    ('{"count": 1}\n{"cout": 2}\n', 'line 2: count is missing'),
  ):
    path.write_text(text)
    with pytest.raises(CheckpointError, match=wanted):
      RUN.lines(path, Entry)


def test_not_a_file(tmp_path):
  """Law: a folder or a FIFO is refused at once; another reader's own error."""
  os.mkfifo(tmp_path / 'fifo')
  for path in (tmp_path, tmp_path / 'fifo'):
    with pytest.raises(DataError, match=r'not a file; make the store again'):
      records.EXTRACTOR.content(path)


def test_nested_too_deeply_to_seal():
  """Law: JSON that can be read but not be written is damaged, too."""
  value: list = []
  for _ in range(5000):
    value = [value]
  with pytest.raises(MismatchError, match='too deeply'):
    records.sealed({'a': value})


def test_nul_in_an_argument(monkeypatch, capsys):
  """Program: one line, exit code 2, whatever the program does with it."""
  monkeypatch.setattr(sys, 'argv', ['bin/tables', 'runs/a\0b'])
  with pytest.raises(SystemExit) as ended:
    command_line.run(lambda arguments: 0)
  assert ended.value.code == 2
  error = capsys.readouterr().err
  assert 'holds a NUL character' in error and error.count('\n') == 1
