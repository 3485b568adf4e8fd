"""The reference of the programs: docstrings and flags, as they are in bin/."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

from website import links

_HEAD = """\
# Programs

What `bin/PROGRAM --help` prints, with the defaults. Flags are written
`--flag=value`; `--flag` and `--noflag` switch those that are true or false.
Exit codes are the same everywhere: 0 all is done, 1 a training failed, 2 an
error that you can mend, 3 something was left out and the rest is done, 130 and
143 for Ctrl-C and SIGTERM. `--config.KEY=VALUE` sets any of the
[settings](settings.md) where there is a `--config`; what a program writes is
listed under [files](files.md).

| program | what it does |
|---|---|
"""
_FIRST = ('predict', 'extract', 'train', 'evaluate', 'report')
"""Programs that most people need, in the order in which they need them."""
_REPEATED = re.compile(r';\s+repeat this option to specify a list of values')


def page(root: pathlib.Path) -> str:
  """Returns the page of all programs, as Markdown.

  Args:
    root: of the project.
  """
  paths = sorted(
    (path for path in (root / 'bin').iterdir() if path.is_file()),
    key=lambda path: ([*_FIRST, path.name].index(path.name), path.name),
  )
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    found = list(pool.map(lambda path: _described(root, path), paths))
  listed, sections = [], []
  for path, told in zip(paths, found, strict=True):
    first, _, rest = told['about'].strip().partition('\n\n')
    name = f'bin/{path.name}'
    listed.append(f'| [{name}](#bin{path.name}) | {_plain(first)} |\n')
    sections.append(_section(name, first, rest, told['flags']))
  return _HEAD + ''.join([*listed, *sections])


def _described(root: pathlib.Path, path: pathlib.Path) -> dict[str, Any]:
  done = subprocess.run(
    [sys.executable, '-m', 'website.flags_of', f'bin/{path.name}'],
    cwd=root,
    stdout=subprocess.PIPE,
    check=True,
    text=True,
  )
  return json.loads(done.stdout)


def _section(
  name: str, first: str, rest: str, flags: list[dict[str, Any]]
) -> str:
  lines = [f'\n## {name}\n', f'{_plain(first)}\n']
  if rest:
    lines.append(_blocks(rest))
  lines += ['| flag | default | what it does |', '|---|---|---|']
  lines += [
    f'| `--{flag["name"]}` | {_default(flag)} | {_help(flag["help"])} |'
    for flag in flags
  ]
  return '\n'.join([*lines, ''])


def _help(text: str) -> str:
  """Returns the help of a flag in one line, with links to pages it names."""
  text = _REPEATED.sub('; may be given several times', text)
  return links.pointed(_plain(' '.join(text.split())))


def _blocks(text: str) -> str:
  """Returns the paragraphs of a docstring; commands become blocks of code."""
  made = []
  for part in text.split('\n\n'):
    if part.startswith('bin/'):
      made.append(f'```text\n{part}\n```\n')
    else:
      made.append(f'{_plain(part)}\n')
  return '\n'.join(made)


def _default(flag: dict[str, Any]) -> str:
  value = flag['default']
  if value is None or value in ('', []):
    return ''
  if isinstance(value, bool):
    return f'`{str(value).lower()}`'
  if isinstance(value, list):
    value = ','.join(map(str, value))
  return f'`{value}`'


def _plain(text: str) -> str:
  """Returns text that Markdown leaves as it is."""
  for mark in '\\|*_[]`':
    text = text.replace(mark, f'\\{mark}')
  return text.replace('<', '&lt;')
