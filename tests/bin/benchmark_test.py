"""bin/benchmark as a user starts it, on a shape of no interest."""

import json

import pytest

from tests.bin.programs import compiled, fails, run  # noqa: F401

TINY = '--batch=2', '--frames=4', '--cells=2', '--rounds=3', '--calls=1'


@pytest.mark.parametrize(
  'case, names',
  [
    ('train_step', ['avjax', 'flax']),
    ('lstm', ['fused', 'fused_hc', 'reference', 'flax']),
  ],
)
def test_lines(case, names, compiled, tmp_path):  # noqa: F811
  """Program: one JSON line for each implementation, ours first."""
  code, out, error = run(
    'benchmark', f'--case={case}', *TINY, compiled=compiled, cwd=tmp_path
  )
  assert (code, error) == (0, '')
  lines = [json.loads(line) for line in out.splitlines()]
  assert [line['implementation'] for line in lines] == names
  assert lines[0]['ratio'] == 1
  for line in lines:
    assert (line['case'], line['batch'], line['frames']) == (case, 2, 4)
    assert 0 < line['min_ms'] <= line['median_ms']
    assert {'jax', 'flax', 'numpy', 'python'} <= line['versions'].keys()


def test_wrong_case(compiled, tmp_path):  # noqa: F811
  """Program: a case that does not exist is one line that lists the cases."""
  error = fails(
    'benchmark', '--case=epoch', *TINY, compiled=compiled, cwd=tmp_path
  )
  assert '--case=epoch is not there; there is train_step, lstm' in error
