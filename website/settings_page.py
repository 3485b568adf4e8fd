"""The reference of the settings, from the source of avjax/settings.py."""

import ast
import io
import pathlib
import tokenize
from collections.abc import Iterator

_HEAD = """\
# Settings

Every setting of a run, with its default and its source, as they stand in
`avjax/settings.py`. `--config.SECTION.NAME=VALUE` sets one on the command line
of `bin/train`, `bin/sweep` and `bin/benchmark`; a file of `configs/` has only
what differs. "ours" marks what the paper leaves open; [choices](../choices.md)
has the reasons. A wrong name or an impossible value is an error before anything
runs.
"""
_LISTED = """
## Values

The names that settings above refer to.
"""


def page(root: pathlib.Path) -> str:
  """Returns the page of all settings, as Markdown.

  Args:
    root: of the project.
  """
  source = (root / 'avjax/settings.py').read_text(encoding='utf-8')
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
  return '\n'.join([*lines, _LISTED, *_values(tree)])


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
  name: str, kind: ast.ClassDef, kinds: set[str], comments: dict[int, str]
) -> list[str]:
  about = (ast.get_docstring(kind) or '').replace('\n\n', '\n\n')
  lines = [f'\n## {name or "The run"}\n', f'{about}\n']
  lines += ['| setting | type | default | |', '|---|---|---|---|']
  for field in _fields(kind):
    of = ast.unparse(field.annotation)
    if of in kinds:
      continue
    own = ast.unparse(field.target)
    full = f'{name}.{own}' if name and name != 'features' else own
    value = ast.unparse(field.value) if field.value else ''
    said = ' '.join(
      comments[line]
      for line in range(field.lineno, (field.end_lineno or 0) + 1)
      if line in comments
    )
    of = of.replace('|', '\\|')
    lines.append(f'| `{full}` | `{of}` | `{value}` | {_plain(said)} |')
  return lines


def _values(tree: ast.Module) -> Iterator[str]:
  """Yields the lists of values that have a name, with what is said of them."""
  body = tree.body
  for node, after in zip(body, [*body[1:], None], strict=True):
    if not isinstance(node, ast.Assign) or not isinstance(
      node.value, ast.Tuple
    ):
      continue
    name = ast.unparse(node.targets[0])
    if name.startswith('_'):
      continue
    yield f'`{name}` = `{ast.unparse(node.value)}`\n'
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
      yield f'{_about(str(after.value.value))}\n'


def _about(text: str) -> str:
  """Returns a docstring, of which indented lines become a block."""
  parts = [
    f'```text\n{part}\n```' if part.startswith('  ') else part
    for part in text.split('\n\n')
  ]
  return '\n\n'.join(parts)


def _comments(source: str) -> dict[int, str]:
  """Returns line -> the comment on it."""
  return {
    token.start[0]: token.string.lstrip('# ')
    for token in tokenize.generate_tokens(io.StringIO(source).readline)
    if token.type == tokenize.COMMENT
  }


def _plain(text: str) -> str:
  return text.replace('|', '\\|').replace('<', '&lt;')
