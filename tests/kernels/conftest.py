"""Kernels of devices that are not here, run as XLA's own operations.

What is compiled for the machine is skipped where it cannot be.
"""

import functools

import pytest

from avjax.kernels.lstm import IMPLEMENTATIONS
from tests.kernels.here import skip_without_compiler


@pytest.fixture
def interpreted(monkeypatch, request):
  """Makes the Pallas implementations run on a CPU."""
  asked = getattr(request.node, 'callspec', None)
  if asked and str(asked.params.get('name')).startswith('cpu'):
    skip_without_compiler()
  for name in [n for n in IMPLEMENTATIONS if n.startswith('pallas')]:
    scan = functools.partial(IMPLEMENTATIONS[name], interpret=True)
    monkeypatch.setitem(IMPLEMENTATIONS, name, scan)
