"""Shapes are checked, ranks are never promoted, warnings are errors.

Four virtual devices stand for a machine with several; the code is compiled
without optimisation, since most of the suite's time is compiling.
"""

import os

os.environ['XLA_FLAGS'] = (
  '--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0'
)
os.environ['JAX_PLATFORMS'] = 'cpu'

import jax
import jaxtyping

jax.config.update('jax_numpy_rank_promotion', 'raise')
jaxtyping.install_import_hook('avjax', 'beartype.beartype')
