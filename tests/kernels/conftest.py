"""Kernels of devices that are not here, run as XLA's own operations."""

import functools

import pytest

from avjax.kernels.lstm import IMPLEMENTATIONS


@pytest.fixture
def interpreted(monkeypatch):
  """Makes the Pallas implementations run on a CPU."""
  for name in [n for n in IMPLEMENTATIONS if n.startswith('pallas')]:
    scan = functools.partial(IMPLEMENTATIONS[name], interpret=True)
    monkeypatch.setitem(IMPLEMENTATIONS, name, scan)
