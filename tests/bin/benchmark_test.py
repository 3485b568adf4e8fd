"""bin/benchmark as a user starts it, on a shape of no interest."""

import json
import subprocess
import sys

import pytest

from tests.bin.programs import ROOT, environment, fails, forked

TINY = (
  *('--batch=2', '--frames=4', '--cells=2'),
  *('--rounds=3', '--calls=1', '--turn=0'),
)


def lines_of(out):
  return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
  'case, peers, names',
  [
    ('train_step', 'flax', ['avjax', 'flax']),
    ('inference', '', ['avjax']),
    ('lstm', 'fused_hc', ['avjax', 'fused_hc']),
  ],
)
def test_lines(case, peers, names, tmp_path):
  """Program: one JSON line for each implementation, ours first."""
  code, out, error = forked(
    'benchmark',
    f'--case={case}',
    f'--peers={peers}',
    *TINY,
    cwd=tmp_path,
  )
  assert (code, error) == (0, '')
  lines = lines_of(out)
  assert [line['implementation'] for line in lines] == names
  assert lines[0]['ratio'] == 1
  for line in lines:
    assert (line['case'], line['batch'], line['frames']) == (case, 2, 4)
    assert 0 < line['min_ms'] <= line['median_ms']
    assert line['value_error'] < 1e-5 and line['gradient_error'] < 1e-4
    assert {'jax', 'flax', 'numpy', 'python'} <= line['versions'].keys()
    assert ('cells' in line) == (case == 'lstm')


def test_torch(tmp_path):
  """Program: PyTorch's peers, dense and packed, where PyTorch is installed."""
  pytest.importorskip('torch')
  flags = '--case=train_step', '--peers=torch', *TINY
  code, out, error = forked('benchmark', *flags, cwd=tmp_path)
  assert (code, error) == (0, '')
  names = [line['implementation'] for line in lines_of(out)]
  assert names == ['avjax', 'torch', 'torch_packed']


def test_files_and_table(tmp_path):
  """Program: lines are added to a file, and a table is made of it.

  Without the packages that only configs and the tests need.
  """
  pytest.importorskip('matplotlib')
  program = f"""
import runpy, sys
class Missing:
  def find_spec(self, name, path=None, target=None):
    if name in ('ml_collections', 'jaxtyping', 'beartype', 'torch'):
      raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
sys.argv[0] = {str(ROOT / 'bin/benchmark')!r}
runpy.run_path(sys.argv[0], run_name='__main__')
"""

  def start(*flags):
    return subprocess.run(
      [sys.executable, '-c', program, *flags],
      env=environment(),
      cwd=tmp_path,
      capture_output=True,
      text=True,
    )

  for _ in range(2):
    done = start('--case=lstm_forward', '--output=b/a.jsonl', *TINY)
    assert (done.returncode, done.stderr) == (0, '')
  written = (tmp_path / 'b/a.jsonl').read_text()
  assert written.endswith(done.stdout)
  assert len(written.splitlines()) == 2 * len(done.stdout.splitlines())
  done = start('--table', 'b/a.jsonl')
  assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
  text = (tmp_path / 'BENCHMARKS.md').read_text()
  assert '| 2 x 4, hidden size 2, ragged |' in text
  assert (tmp_path / 'BENCHMARKS.png').exists()


def test_no_time(tmp_path):
  """Program: a suite without any time says so of each entry."""
  code, out, error = forked(
    'benchmark', '--suite=cpu', '--budget=0', cwd=tmp_path
  )
  assert (code, error) == (0, '')
  assert all('budget of 0 s' in line['left_out'] for line in lines_of(out))
  assert len(out.splitlines()) > 5


@pytest.mark.parametrize(
  'flags, message',
  [
    (['--case=layer'], 'from train_step, inference, epoch, seeds, lstm'),
    (['--peers=keras'], "no peer 'keras'; choose from flax, torch, cudnn"),
    (['--peers=cudnn'], 'cudnn needs a GPU, and the backend is cpu; leave it'),
    (['--precision=half'], 'must be one of float32, tf32, bfloat16'),
    (['--table', 'none.jsonl'], 'none.jsonl: No such file'),
  ],
)
def test_wrong_flags(flags, message, tmp_path):
  """Program: what is not to be had is one line that says what is."""
  error = fails('benchmark', *flags, *TINY, cwd=tmp_path)
  assert message in error
