"""A suite for a GPU, rehearsed on this machine."""

from avjax.benchmarks import rehearsal, suites
from avjax.benchmarks.suites import Effort
from avjax.kernels.lstm import IMPLEMENTATIONS


def test_every_case_is_rehearsed_once():
  """Law: all cases of the suite, in shapes that an interpreter can do."""
  small = rehearsal.entries(suites.SUITES['gpu'])
  assert len(set(small)) == len(small)
  assert {e.case for e in small} == {e.case for e in suites.SUITES['gpu']}
  assert all(e.shape.frames <= 4 and e.shape.batch <= 2 for e in small)
  peers, kernels = rehearsal.divided(['flax', 'cudnn', 'pallas_gpu'])
  assert (peers, kernels) == (['flax'], ['pallas_gpu'])


def test_kernels_are_interpreted():
  """Agreement: a Pallas kernel is timed, and checked, without its device."""
  kept = dict(IMPLEMENTATIONS)
  entry = rehearsal.entries([suites.BenchmarkEntry('lstm', suites.Shape())])[0]
  effort = Effort(rounds=3, calls=1, turn=0.0)
  with rehearsal.interpreted():
    lines = list(suites.time_suite([entry], ['pallas_gpu'], effort, 60.0))
  assert [line['implementation'] for line in lines] == ['avjax', 'pallas_gpu']
  assert not any('failed' in line for line in lines)
  assert kept == IMPLEMENTATIONS
