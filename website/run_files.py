"""The reference of the files that programs leave: `FOLDERS`, as a page.

The fields of a file are those of a class of the package, where it is read as
one, or written here; tests/site_test.py compares both with files of real runs.
"""

import ast
import dataclasses
import fnmatch
import pathlib
import re
from collections.abc import Iterator, Mapping

from website.kinds_of_files import FOLDERS, FileKind

_HEAD = """\
# Files

What the programs leave behind, file by file. JSON is UTF-8 without NaN; tables
are CSV with a comma and one line for the head. A field that may be missing is
marked *optional*; records below are objects within these files. `object[text,
number]` has texts as keys and numbers as values.
"""
_SECTION = re.compile(r'^Attributes:\n((?:  .*\n?|\n)+)', re.MULTILINE)
_ITEM = re.compile(r'^  (\w[\w, ]*): (.*(?:\n    .*)*)', re.MULTILINE)
_WORDS = {
  'str': 'text',
  'int': 'integer',
  'float': 'number',
  'bool': 'true or false',
  'tuple': 'list',
  'Sequence': 'list',
  'dict': 'object',
  'Mapping': 'object',
  'None': 'null',
  'Any': 'anything',
}
_SETTINGS = re.compile('Settings|[A-Z][A-Za-z]+Config')


@dataclasses.dataclass(frozen=True)
class Field:
  """A field of a record.

  Attributes:
    name: as it stands in the file.
    kind: its type.
    optional: whether it may be missing.
    about: what it is.
  """

  name: str
  kind: str
  optional: bool
  about: str


class Classes:
  """The classes of the package; no two have the same name."""

  def __init__(self, root: pathlib.Path):
    self._found: dict[str, tuple[ast.ClassDef, list[str]]] = {}
    for path in (root / 'avjax').rglob('*.py'):
      text = path.read_text(encoding='utf-8')
      for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
          self._found[node.name] = node, text.splitlines()

  def __contains__(self, name: str) -> bool:
    return name in self._found

  def about(self, name: str) -> str:
    """Returns the first paragraph of the docstring of a class."""
    text = ast.get_docstring(self._found[name][0]) or ''
    return ' '.join(text.split('\n\n')[0].split())

  def fields(self, name: str) -> list[Field]:
    """Returns the fields of a dataclass or a TypedDict."""
    node, lines = self._found[name]
    known = _attributes(ast.get_docstring(node) or '')
    partial = any(
      word.arg == 'total' and ast.unparse(word.value) == 'False'
      for word in node.keywords
    )
    return [
      _field(item, lines, known, partial)
      for item in node.body
      if isinstance(item, ast.AnnAssign)
    ]


def _attributes(docstring: str) -> dict[str, str]:
  """Returns name -> text of the section of a docstring on attributes."""
  section = _SECTION.search(docstring + '\n')
  return {
    name.strip(): ' '.join(text.split())
    for names, text in _ITEM.findall(section[1] if section else '')
    for name in names.split(',')
  }


def _field(
  item: ast.AnnAssign, lines: list[str], known: dict[str, str], partial: bool
) -> Field:
  name, kind = ast.unparse(item.target), ast.unparse(item.annotation)
  inner = re.fullmatch(r'NotRequired\[(.*)\]', kind)
  comment = lines[(item.end_lineno or item.lineno) - 1].partition('  # ')[2]
  return Field(
    name,
    (inner[1] if inner else kind).replace("'", ''),
    bool(inner) or partial or item.value is not None,
    known.get(name, comment),
  )


def of(kind: FileKind, classes: Classes) -> list[Field]:
  """Returns the fields of a file; none for one without fields."""
  if isinstance(kind.fields, str):
    names = kind.renamed
    found = [
      dataclasses.replace(field, name=names.get(field.name, field.name))
      for field in classes.fields(kind.fields)
    ]
  else:
    found = []
  return found + _written(
    kind.fields if isinstance(kind.fields, Mapping) else kind.more
  )


def _written(fields: Mapping[str, str]) -> list[Field]:
  """Returns fields that are described in a word; `?` marks optional ones."""
  return [
    Field(name.rstrip('?'), '', name.endswith('?'), about)
    for name, about in fields.items()
  ]


def kind_of(path: pathlib.PurePath) -> FileKind | None:
  """Returns the kind of a file by its path; None for one not described."""
  found = [
    (len(pattern), kind)
    for folder in FOLDERS
    for kind in folder.files
    for pattern in kind.patterns
    if fnmatch.fnmatchcase(f'/{path.as_posix()}', f'*/{pattern}')
  ]
  # The longest pattern says most.
  return max(found, key=lambda each: each[0])[1] if found else None


def page(root: pathlib.Path) -> str:
  """Returns the page of all files, as Markdown.

  Args:
    root: of the project.
  """
  classes = Classes(root)
  lines, wanted = [_HEAD], []
  for folder in FOLDERS:
    lines += [f'\n## {folder.title}\n', f'{folder.about}\n']
    lines += ['| file | content |', '|---|---|']
    for kind in folder.files:
      names = ', '.join(f'`{one}`' for one in kind.shown)
      lines.append(f'| {names} | {kind.about} |')
    for kind in folder.files:
      fields = of(kind, classes)
      if fields:
        lines += [f'\n### {kind.shown[0]}\n', *_table(fields, classes)]
        wanted += _records(fields, classes)
  return '\n'.join([*lines, '\n## Records\n', *_all(wanted, classes), ''])


def _all(wanted: list[str], classes: Classes) -> Iterator[str]:
  """Yields the tables of records, and of those within them."""
  done: set[str] = set()
  while wanted:
    name, *wanted = wanted
    if name in done:
      continue
    done.add(name)
    fields = classes.fields(name)
    yield f'\n### {name.strip("_")}\n\n{classes.about(name)}\n'
    yield from _table(fields, classes)
    wanted += _records(fields, classes)


def _records(fields: list[Field], classes: Classes) -> list[str]:
  """Returns the classes that fields are of, without those of settings."""
  return [
    word
    for field in fields
    for word in re.findall(r'\w+', field.kind)
    if word in classes and not _SETTINGS.fullmatch(word)
  ]


def _table(fields: list[Field], classes: Classes) -> Iterator[str]:
  typed = any(field.kind for field in fields)
  yield '| field | type | what it is |' if typed else '| field | what it is |'
  yield '|---|---|---|' if typed else '|---|---|'
  for field in fields:
    optional = '*optional* ' if field.optional else ''
    about = field.about.replace('|', '\\|')
    kind = f' {_kind(field.kind, classes)} |' if typed else ''
    yield f'| `{field.name}` |{kind} {optional}{about} |'


def _kind(kind: str, classes: Classes) -> str:
  """Returns a type in the words of JSON, with links to records."""
  made = re.sub(
    r'\w+', lambda found: _linked(found[0], classes), kind.replace(', ...', '')
  )
  return made.replace('|', 'or').replace('][', ']\\[')


def _linked(word: str, classes: Classes) -> str:
  if word not in classes:
    return _WORDS.get(word, word)
  if _SETTINGS.fullmatch(word):
    return f'[{word}](settings.md)'
  name = word.strip('_')
  return f'[{name}](#{name.lower()})'
