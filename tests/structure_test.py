"""How the project is put together: layers, names, public functions."""

import ast
import importlib.metadata
import os
import pathlib
import subprocess
import sys
from collections import Counter

import pytest

import avjax
from avjax.runs import registry

ROOT = pathlib.Path(__file__).parents[1]
BASE = {'errors', 'shapes'}
PLAIN = {
  *('files', 'clips', 'settings', 'records', 'interrupts', 'processes'),
  *('freed_memory', 'onnx_stream'),
  *BASE,
}
BELOW = {
  'errors': set(),
  'shapes': set(),
  'clips': {'shapes'},
  'onnx_stream': {'errors'},
  'settings': {'errors', 'onnx_stream'},
  'files': {'errors'},
  'records': {'errors'},
  'interrupts': set(),
  'freed_memory': set(),
  'processes': set(),
  'host_flags': {'processes'},
  'begin': {'interrupts'},
  'command_line': {'errors'},
  'table_flags': set(),
  'metrics': {'clips', 'shapes'},
  'kernels': {'shapes'},
  'models': {'kernels', 'clips', 'settings', *BASE},
  'data': PLAIN,
  'features': {'data', *PLAIN},
  'synthesis': {'features', 'data', *PLAIN},
  'training': {'models', 'metrics', 'data', *PLAIN},
  'runs': {'training', 'models', 'metrics', 'data', *PLAIN},
  'reporting': {'runs', 'training', 'metrics', 'data', *PLAIN},
  'pretrained': {'errors'},
  'recognition': {
    *('pretrained', 'reporting', 'runs', 'training', 'features', 'metrics'),
    *('data', *PLAIN),
  },
  'export': {'recognition', 'models', 'kernels', *PLAIN},
  'streaming': {'recognition', 'features', 'models', 'kernels', 'data', *PLAIN},
  'robustness': {'reporting', 'runs', 'features', 'metrics', 'data', *PLAIN},
  'reproduction': {'reporting', 'runs', 'features', 'data', *PLAIN},
  'benchmarks': {'runs', 'training', 'kernels', 'models', 'data', *PLAIN},
}
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


def test_programs_answer_signals_first():
  """Law: the first that a program imports is what answers Ctrl-C."""
  for path in (ROOT / 'bin').iterdir():
    code = ast.parse(path.read_text())
    first = next(
      node
      for node in code.body
      if isinstance(node, ast.Import | ast.ImportFrom)
    )
    assert ast.unparse(first) == 'import avjax.begin', path


def test_flags_come_before_jax():
  """Law: what a program imports at its head does not load JAX."""
  code = (
    'import sys, avjax.command_line, avjax.settings;'
    'sys.exit("jax" in sys.modules)'
  )
  assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_import_above_a_clone(tmp_path):
  """Program: in the folder above a clone, `import avjax` is the package."""
  found = importlib.metadata.distributions(name='avjax')
  texts = [one.read_text('direct_url.json') for one in found]
  if not any('"editable": true' in text for text in texts if text):
    pytest.skip('avjax is not installed with pip install -e')
  (tmp_path / 'avjax').symlink_to(ROOT)
  environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
  found = subprocess.run(
    [sys.executable, '-c', 'import avjax; print(avjax.__version__)'],
    cwd=tmp_path,
    env=environment,
    capture_output=True,
    text=True,
  )
  assert (found.stdout, found.stderr) == (f'{avjax.__version__}\n', '')


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


def test_one_name_for_one_thing():
  """Law: no two modules and no two classes have the same name."""
  modules, classes = [], []
  for path in (ROOT / 'avjax').rglob('*.py'):
    if path.stem != '__init__':
      modules.append(path.stem)
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.ClassDef):
        classes.append(node.name)
  for names in (modules, classes):
    assert [name for name, n in Counter(names).items() if n > 1] == []


def test_nobody_asks_for_a_variant():
  """Law: no code compares the name of a model with anything."""
  wrong = []
  for path in [*(ROOT / 'avjax').rglob('*.py'), *(ROOT / 'bin').iterdir()]:
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Compare | ast.MatchValue):
        names = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
        if names & set(registry.MODELS):
          wrong.append(f'{path.relative_to(ROOT)}:{node.lineno}')
  assert not wrong
