"""Shapes are checked, ranks are never promoted, warnings are errors."""

import os

os.environ.setdefault('XLA_FLAGS', '--xla_force_host_platform_device_count=4')

import jax
import jaxtyping

jax.config.update('jax_platforms', 'cpu')
jax.config.update('jax_numpy_rank_promotion', 'raise')
jaxtyping.install_import_hook('avjax', 'beartype.beartype')
