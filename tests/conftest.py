"""Shapes are checked, ranks are never promoted, warnings are errors.

Four virtual devices stand for a machine with several. Most of the suite's time
is compiling, so code is compiled without optimisation, and what one test or
program has compiled is there for the others, in both processes of xdist: the
folder is made by the first process and named in the environment, which all
others inherit. Whoever names a folder there keeps it from one session to the
next.
"""

import importlib.metadata
import os
import pathlib
import tempfile

FAST = '--xla_backend_optimization_level=0'
if importlib.metadata.version('jaxlib').startswith('0.10.'):
  # Emits fusions in a third of the time; JAX 0.12 no longer has the choice.
  FAST += ' --xla_cpu_use_fusion_emitters=false'
  FAST += ' --xla_cpu_parallel_codegen_split_count=1'

os.environ['XLA_FLAGS'] = f'--xla_force_host_platform_device_count=4 {FAST}'
os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
COMPILED = None
if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
  COMPILED = tempfile.TemporaryDirectory(prefix='avjax-compiled-')
  os.environ['JAX_COMPILATION_CACHE_DIR'] = COMPILED.name

import jax  # noqa: E402
import jaxtyping  # noqa: E402
import pytest  # noqa: E402

jax.config.update('jax_numpy_rank_promotion', 'raise')
jaxtyping.install_import_hook('avjax', 'beartype.beartype')


TESTS = pathlib.Path(__file__).parent
PROGRAMS = ('bin/', 'docs_test.py', 'golden_runs_test.py')
SLOW = (
  *PROGRAMS,
  'site_test.py',
  'training/loop_test.py',
  'training/replicas_test.py',
  'training/resident_test.py',
  'training/steps_test.py',
  'training/checkpoints_test.py',
  'reporting/figures_test.py',
  'features/identities_test.py',
  'features/random_forest_test.py',
  'kernels/pallas_test.py',
  'kernels/lowering_test.py',
  'data/corpora_test.py',
  'benchmarks/peers_test.py',
)
"""What starts programs, trains networks or compiles much. The rest is quick."""


def pytest_collection_modifyitems(items):
  """Marks what `pytest -m quick` runs, and puts what takes long first.

  Quick is every test but those of SLOW. A long file at the end would leave one
  of two processes idle.
  """

  def path_of(item):
    return item.path.relative_to(TESTS).as_posix()

  for item in items:
    if not path_of(item).startswith(SLOW):
      item.add_marker(pytest.mark.quick)
  items.sort(
    key=lambda item: (
      not path_of(item).startswith(PROGRAMS),
      not path_of(item).startswith(SLOW),
    )
  )


def pytest_unconfigure():
  """Removes the compiled code of the session."""
  if COMPILED is not None:
    COMPILED.cleanup()
