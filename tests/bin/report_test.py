"""bin/tables, bin/figures and bin/report as a user meets them."""

import json
import subprocess
import sys

import pytest

from tests.bin.programs import ROOT, environment, fails, forked, run
from tests.bin.train_test import SMALL, make_store


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A folder with two finished runs, `proposed` and `linear`."""
  folder = tmp_path_factory.mktemp('trained')
  made = make_store(folder / 'store')
  for variant in ('proposed', 'linear'):
    arguments = (
      *SMALL,
      f'--config.model.variant={variant}',
      f'--config.data.store={made}',
      f'--workdir={variant}',
    )
    code, _, error = forked('train', *arguments, cwd=folder)
    assert code == 0, error
  return folder


def test_tables(trained):
  """Program: Markdown on the terminal, and each table in three formats."""
  code, out, error = run(
    'tables',
    'proposed',
    'linear',
    '--output=tables',
    cwd=trained,
  )
  following = 'next: bin/report proposed linear --output=report.html\n'
  assert (code, error) == (0, following)
  assert '| proposed | 58.23 [54.6, 61.8]' in out
  own = out.index('| linear |')
  assert own < out.index('As the paper gives it')
  assert '- All rows: streams=audio,face' in out
  files = sorted(path.name for path in (trained / 'tables').iterdir())
  assert files == [
    f'{name}{suffix}'
    for name in ('comparisons', 'paper', 'table-1')
    for suffix in ('.csv', '.md', '.tex')
  ]
  assert (trained / 'tables/table-1.md').read_text() in out


def test_figures(trained):
  """Program: every figure as PNG and PDF, its caption and its numbers."""
  code, out, error = run(
    'figures',
    'proposed',
    '--output=figures',
    '--clips=test-3',
    '--width=7',
    '--scale_rows',
    cwd=trained,
  )
  assert code == 0, error
  numbers = json.loads((trained / 'figures/figures.json').read_text())
  names = [*(f'figure-{k}' for k in (2, 3, 4, 5)), 'reliability']
  assert list(numbers) == names
  for name in numbers:
    for suffix, head in (
      ('.png', b'\x89PNG'),
      ('.pdf', b'%PDF'),
      ('.tex', b'\\begin{figure}'),
    ):
      path = trained / 'figures' / f'{name}{suffix}'
      assert path.read_bytes().startswith(head)
    assert (trained / f'figures/{name}.txt').read_text() in out
  assert (
    b'/MediaBox [ 0 0 504 ' in (trained / 'figures/figure-5.pdf').read_bytes()
  )
  assert 'Over all 7 test clips: the weights are' in out
  assert 'scaled to its own maximum of 1' in out


def test_report(trained):
  """Program: one file, with a section for each run."""
  code, _, error = run(
    'report',
    'proposed',
    'linear',
    '--output=page.html',
    '--clips=3',
    '--base=proposed',
    '--names=ours,simple',
    '--title=A & B',
    cwd=trained,
  )
  assert (code, error) == (0, 'output: page.html\n')
  text = (trained / 'page.html').read_text()
  assert text.count('<section') == 5 and text.count('<details') == 6
  assert 'linear --output=page.html --clips=3 --base=proposed' in text
  assert 'each row less ours' in text and '<h1>A &amp; B</h1>' in text


BAD = [
  ('tables', [], 'no run is given'),
  ('tables', ['nowhere'], 'bin/train has made'),
  ('figures', ['--output=f'], '0 runs are given'),
  ('figures', ['{}/proposed'], '--output is missing'),
  (
    'figures',
    ['{}/proposed', '--output=f', '--clips=x'],
    "'x' is no test clip",
  ),
  ('report', [], 'no run is given'),
  ('report', ['{}/proposed', '--clips=0'], 'clips'),
  (
    'report',
    ['{}/linear', '--robustness=x'],
    'that bin/robustness has written',
  ),
  ('report', ['{}/linear', '--base={}/proposed'], 'none of the runs'),
  ('tables', ['{}/linear', '--names=a,b'], '2 names for 1 runs'),
  ('figures', ['{}/proposed', '--output=f', '--width=2'], 'width'),
]


@pytest.mark.parametrize('number', range(len(BAD)))
def test_what_is_wrong(number, trained, tmp_path):
  """Program: one line that names it, exit code 2, nothing written."""
  name, arguments, wanted = BAD[number]
  arguments = [text.format(trained) for text in arguments]
  assert wanted in fails(name, *arguments, cwd=tmp_path)


def test_a_full_disk():
  """Program: output that cannot be written is one line, and exit code 2."""
  with open('/dev/full', 'w') as full:
    done = subprocess.run(
      [sys.executable, ROOT / 'bin/tables', '--help'],
      stdout=full,
      stderr=subprocess.PIPE,
      text=True,
      env=environment(),
    )
  assert (done.returncode, done.stderr.count('\n')) == (2, 1), done.stderr
  assert 'No space left on device; make room' in done.stderr
