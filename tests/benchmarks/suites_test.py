"""The suites: their entries, failures and the time budget."""

import jax
import numpy as np
import pytest

from avjax.benchmarks import cases, suites
from avjax.benchmarks.case import Case
from avjax.benchmarks.inputs import Shape
from avjax.benchmarks.suites import BenchmarkEntry, Effort
from avjax.benchmarks.timing import Implementation
from avjax.errors import AvjaxError

QUICK = Effort(rounds=3, calls=1, turn=0.0)


def test_suites():
  """Law: every entry has an existing case, and none occurs twice."""
  for entries in suites.SUITES.values():
    assert len(set(entries)) == len(entries)
    assert {entry.case for entry in entries} <= cases.CASES.keys()
  cases.check_here([entry.shape for entry in suites.SUITES['cpu']], ['flax'])
  shapes = [entry.shape for entry in suites.SUITES['gpu']]
  with pytest.raises(AvjaxError, match='tf32 needs a GPU, and the backend'):
    cases.check_here(shapes, [])


def case(shape, peers):
  """Returns a case of ours and three peers: correct, wrong, and failing."""

  def make(value):
    return Implementation(lambda: value, lambda: (np.float32(value), {}))

  def broken():
    raise MemoryError('no\nroom')

  return Case(
    (np.float64(1), {}),
    {
      'avjax': lambda: make(1.0),
      'good': lambda: make(1.000001),
      'wrong': lambda: make(1.1),
      'broken': broken,
    },
  )


def test_failures(monkeypatch):
  """Law: wrong or failing implementations are reported, others are timed."""
  monkeypatch.setitem(cases.CASES, 'lstm', case)
  entry = BenchmarkEntry('lstm', Shape(2, 4, 3))
  lines = list(
    suites.time_suite([entry], [], QUICK, budget=60.0, revision='r1')
  )
  assert [line['implementation'] for line in lines] == [
    'avjax',
    'good',
    'wrong',
    'broken',
  ]
  assert [('failed' in line, 'median_ms' in line) for line in lines] == [
    (False, True),
    (False, True),
    (True, False),
    (True, False),
  ]
  assert 'wrong differs by 1.0e-01' in lines[2]['failed']
  assert lines[3]['failed'] == 'MemoryError: no room'
  for line in lines:
    assert (line['batch'], line['cells'], line['tf32']) == (2, 3, False)
    assert line['git_revision'] == 'r1'


def test_whole_case_fails(monkeypatch):
  """Law: a case that fails at the start gives one line; the next one runs."""

  def none(shape, peers):
    raise RuntimeError('no reference')

  monkeypatch.setitem(cases.CASES, 'lstm', none)
  monkeypatch.setitem(cases.CASES, 'inference', case)
  entries = (
    BenchmarkEntry('lstm', Shape()),
    BenchmarkEntry('inference', Shape()),
  )
  lines = list(suites.time_suite(entries, [], QUICK, budget=60.0))
  assert lines[0]['failed'] == 'RuntimeError: no reference'
  assert [line['case'] for line in lines[1:]] == 4 * ['inference']
  assert 'cells' not in lines[1]


@pytest.mark.parametrize(
  'budget, run', [(0.0, 0), (9.0, 1), (20.0, 1), (21.0, 2)]
)
def test_budget(monkeypatch, budget, run):
  """Law: an entry starts only if one as long as the longest would fit.

  Each entry takes 10 seconds.
  """
  now = [0.0]

  def slow(shape, peers):
    now[0] += 10
    return case(shape, peers)

  monkeypatch.setitem(cases.CASES, 'lstm', slow)
  entries = [BenchmarkEntry('lstm', Shape(batch)) for batch in (1, 2, 3)]
  lines = list(
    suites.time_suite(entries, [], QUICK, budget, clock=lambda: now[0])
  )
  timed = {line['batch'] for line in lines if 'median_ms' in line}
  late = [line['batch'] for line in lines if 'left_out' in line]
  assert timed == set(range(1, run + 1))
  assert late == list(range(run + 1, 4))


@pytest.mark.parametrize(
  'name, shape',
  [
    ('lstm', Shape(3, 6, 4)),
    ('lstm', Shape(3, 6, 4, ragged=False)),
    ('lstm_forward', Shape(3, 6, 4)),
  ],
)
def test_cases(name, shape):
  """Agreement: ours and Flax's agree with the equations in float64."""
  with jax.numpy_rank_promotion('allow'):
    lines = list(
      suites.time_suite(
        [BenchmarkEntry(name, shape)], ['fused_hc', 'flax'], QUICK, 60.0
      )
    )
  names = ['avjax', 'fused_hc', 'flax', 'flax_unroll8']
  assert [line['implementation'] for line in lines] == names
  assert not [line['failed'] for line in lines if 'failed' in line]
  assert lines[0]['ratio'] == lines[0]['throughput_ratio'] == 1
  for line in lines:
    assert 0 < line['min_ms'] <= line['median_ms']
    assert line['value_error'] < 1e-5 and line['gradient_error'] < 1e-4
    assert (line['gradient_error'] > 0) == (name == 'lstm')
    assert line['peak_bytes'] > 0
