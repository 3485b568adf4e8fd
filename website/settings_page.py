"""The reference of the settings, from the source of avjax/settings.py."""

import ast
import dataclasses
import io
import pathlib
import re
import tokenize
from collections.abc import Iterator

from website import links

_HEAD = """\
# Settings

Every setting of a run, as it stands in `avjax/settings.py`.
`--config.SECTION.NAME=VALUE` sets one on the command line of `bin/train`,
`bin/sweep` and `bin/benchmark`, as in `--config.training.epochs=10`; a file of
`configs/` has only what differs. A wrong name or an impossible value is an
error before anything runs. Names in capitals are [lists of values](#values).

The last column says where a setting, or its default, is from: a section of the
paper, another publication, or *ours*, where the paper is silent
([what we chose](../choices.md)).
"""
_LISTED = """
## Values

The lists that settings above refer to.
"""
_SOURCE = re.compile(
  r'; ((?:Section|Eqs?\.|Figure|Table|[A-Z][a-z]+ )[^;]*|ours)$'
)
_QUOTED = re.compile(r"(?<!\w)'[^' ]*'(?!\w)")
_LIST = re.compile(r'(?<=of )[A-Z]{5,}\b')


@dataclasses.dataclass(frozen=True)
class _Comment:
  """A comment: its text, and whether it has a line of its own."""

  text: str
  alone: bool


def page(root: pathlib.Path) -> str:
  """Returns the page of all settings, as Markdown.

  Args:
    root: of the project.
  """
  source = (root / 'avjax/settings.py').read_text(encoding='utf-8')
  registry = (root / 'avjax/runs/registry.py').read_text(encoding='utf-8')
  tree, comments = ast.parse(source), _comments(source)
  kinds = {
    node.name: node
    for node in tree.body
    if isinstance(node, ast.ClassDef) and _fields(node)
  }
  lines = [_HEAD]
  for name, kind in _sections(kinds, 'Settings', ''):
    lines += _section(name, kind, set(kinds), comments)
  lines += _section('features', kinds['FeaturesConfig'], set(kinds), comments)
  values = (*_values(ast.parse(registry)), *_values(tree))
  return '\n'.join([*lines, _LISTED, *values])


def _fields(kind: ast.ClassDef) -> list[ast.AnnAssign]:
  return [node for node in kind.body if isinstance(node, ast.AnnAssign)]


def _sections(
  kinds: dict[str, ast.ClassDef], kind: str, name: str
) -> Iterator[tuple[str, ast.ClassDef]]:
  """Yields a section and those in it, with their names."""
  yield name, kinds[kind]
  for field in _fields(kinds[kind]):
    of, own = ast.unparse(field.annotation), ast.unparse(field.target)
    if of in kinds:
      yield from _sections(kinds, of, f'{name}.{own}' if name else own)


def _section(
  name: str,
  kind: ast.ClassDef,
  kinds: set[str],
  comments: dict[int, _Comment],
) -> list[str]:
  about = ast.get_docstring(kind) or ''
  lines = [f'\n## {name or "The run"}\n', f'{about}\n']
  lines += [
    '| setting | type | default | what it does | from |',
    '|---|---|---|---|---|',
  ]
  for field in _fields(kind):
    of = ast.unparse(field.annotation)
    if of in kinds:
      continue
    own = ast.unparse(field.target)
    full = f'{name}.{own}' if name and name != 'features' else own
    value = ast.unparse(field.value) if field.value else ''
    said, source = _said(field, comments)
    lines.append(
      f'| `{full}` | `{_type(of)}` | `{value}` | {said} | {source} |'
    )
  return lines


def _type(of: str) -> str:
  """Returns a type in words that a table takes: its cells end at a bar."""
  return of.replace(' | ', ' or ')


def _said(
  field: ast.AnnAssign, comments: dict[int, _Comment]
) -> tuple[str, str]:
  """Returns what is said of a field, beside it or above; and its source."""
  first = field.lineno
  while (above := comments.get(first - 1)) and above.alone:
    first -= 1
  said = ' '.join(
    comments[line].text
    for line in range(first, field.lineno + 1)
    if line in comments
  )
  found = _SOURCE.search(said)
  about = said[: found.start()] if found else said
  about = _QUOTED.sub(r'`\g<0>`', about)
  about = _LIST.sub(lambda word: f'[{word[0]}](#{word[0].lower()})', about)
  return about, found[1] if found else ''


def _values(tree: ast.Module) -> Iterator[str]:
  """Yields the lists of values that have a name, with what is said of them."""
  for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
    if not isinstance(node, ast.Assign | ast.AnnAssign):
      continue
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    name = ast.unparse(target)
    if not re.fullmatch('[A-Z]+', name):
      continue
    if isinstance(node.value, ast.Dict):
      listed = [key for key in node.value.keys if key]
    else:
      assert isinstance(node.value, ast.Tuple)
      listed = node.value.elts
    yield f'### {name}\n'
    yield f'{", ".join(map(_value, listed))}\n'
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
      yield f'{_about(str(after.value.value))}\n'


def _value(node: ast.expr) -> str:
  if isinstance(node, ast.Starred):
    name = ast.unparse(node.value)
    return f'those of [{name}](#{name.lower()})'
  return f'`{ast.literal_eval(node)}`'


def _about(text: str) -> str:
  """Returns a docstring, of which indented lines become a block."""
  parts = [
    f'```text\n{part.rstrip()}\n```'
    if part.startswith('  ')
    else links.pointed(part)
    for part in text.split('\n\n')
  ]
  return '\n\n'.join(parts)


def _comments(source: str) -> dict[int, _Comment]:
  """Returns line -> the comment on it."""
  return {
    token.start[0]: _Comment(
      token.string.lstrip('# '), token.line.lstrip().startswith('#')
    )
    for token in tokenize.generate_tokens(io.StringIO(source).readline)
    if token.type == tokenize.COMMENT
  }
