"""Where the C++ kernels are tested."""

import pytest

from avjax.kernels import compiled

ABSENT = 'no C++ compiler', 'brings no headers', 'JAX runs on'
"""Of what a machine lacks; any other reason is a fault of the kernels."""


def skip_without_compiler() -> None:
  """Skips a test without a compiler; fails it if the kernels are refused."""
  reason = compiled.missing()
  if reason and not any(words in reason for words in ABSENT):
    pytest.fail(reason)
  if reason:
    pytest.skip(reason)
