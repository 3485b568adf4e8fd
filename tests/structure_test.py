"""How the project is put together: layers, names, public functions."""

import ast
import pathlib
import subprocess
import sys

import pytest

import avjax

ROOT = pathlib.Path(__file__).parents[1]
BASE = {'errors', 'shapes'}
BELOW = {
  'errors': set(),
  'shapes': set(),
  'clips': {'shapes'},
  'settings': {'errors'},
  'command_line': {'errors'},
  'kernels': {*BASE},
  'models': {'kernels', 'clips', 'settings', *BASE},
  'data': {'clips', 'settings', *BASE},
  'features': {'data', 'clips', 'settings', *BASE},
  'synthesis': {'features', 'data', 'clips', *BASE},
  'analysis': {'clips', *BASE},
  'training': {'analysis', 'data', 'models', 'clips', 'settings', *BASE},
  'benchmarks': {
    'training', 'data', 'kernels', 'models', 'clips', 'settings', *BASE,
  },
  'reporting': {
    'training', 'analysis', 'data', 'clips', 'settings', *BASE,
  },
  'reproduction': {
    'reporting', 'training', 'features', 'analysis', 'data', 'settings',
    *BASE,
  },
  'prediction': {
    'training', 'features', 'analysis', 'data', 'clips', 'settings', *BASE,
  },
}  # fmt: skip
"""Layer -> the layers that it may import: all of them further down."""

KINDS = ('Equation', 'Law', 'Gradient', 'Golden', 'Agreement', 'Program')


def imported(path):
  """Yields the names below `avjax` that a file imports."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      names = [f'{node.module}.{alias.name}' for alias in node.names]
    else:
      continue
    for name in names:
      if name.startswith('avjax.'):
        yield name.split('.')[1]


def test_imports_point_downwards():
  """Law: a layer imports only the layers below it; see BUILD.md."""
  wrong = []
  for path in sorted((ROOT / 'avjax').rglob('*.py')):
    layer = path.relative_to(ROOT / 'avjax').parts[0].removesuffix('.py')
    if layer == '__init__':
      continue
    allowed = BELOW[layer] | {layer}
    wrong += [
      f'{path.relative_to(ROOT)} imports avjax.{name}'
      for name in imported(path)
      if name not in allowed and not name.startswith('__')
    ]
  assert not wrong


def test_flags_come_before_jax():
  """Law: what a program imports at its head does not load JAX."""
  code = (
    'import sys, avjax.command_line, avjax.settings;'
    'sys.exit("jax" in sys.modules)'
  )
  assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_public_names():
  """Law: every name of `avjax.__all__` is there, and has a docstring."""
  for name in avjax.__all__:
    assert name in dir(avjax)
    assert getattr(avjax, name).__doc__
  with pytest.raises(AttributeError, match='no attribute'):
    _ = avjax.allign


def test_every_test_says_its_kind():
  """Law: the docstring of a test begins with what kind of test it is."""
  wrong = []
  for path in sorted((ROOT / 'tests').rglob('*_test.py')):
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.FunctionDef) and node.name.startswith('test_'):
        first = (ast.get_docstring(node) or '').split(' ')[0].rstrip(':')
        if first not in KINDS:
          wrong.append(f'{path.relative_to(ROOT)}: {node.name}')
  assert not wrong
