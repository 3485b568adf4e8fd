"""The lines of bin/benchmark: one per timing, with everything it depends on."""

import dataclasses
import datetime
import importlib.metadata
import os
import pathlib
import platform
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from avjax.benchmarks.agreement import Errors
from avjax.benchmarks.inputs import Shape
from avjax.benchmarks.timing import Implementation, Timing
from avjax.kernels.lstm import picked
from avjax.runs import folder


def environment(
  revision: str | None = None, torch: bool = False
) -> dict[str, Any]:
  """Returns the device, the versions and the revision of the source.

  Args:
    revision: of the source, if it has no git history; None: ask git.
    torch: whether to add the version of PyTorch.
  """
  about = folder.environment()
  about['versions']['numpy'] = np.__version__
  if torch:
    about['versions']['torch'] = importlib.metadata.version('torch')
  device = jax.devices()[0].device_kind
  if jax.default_backend() == 'cpu':
    device = f'{_processor()}, {len(os.sched_getaffinity(0))} cores'
  return {
    'device': device,
    'backend': jax.default_backend(),
    'xla_flags': os.environ.get('XLA_FLAGS', ''),
    'lstm': picked(),
    **about,
    'git_revision': revision or about['git_revision'],
  }


def head(case: str, shape: Shape, layer: bool) -> dict[str, Any]:
  """Returns the fields that all lines of one entry share."""
  fields = dataclasses.asdict(shape)
  if not layer:
    del fields['cells']  # a network has its own sizes
  bfloat16 = fields.pop('precision') == 'bfloat16'
  return {
    'case': case,
    **fields,
    'dtype': 'bfloat16' if bfloat16 else 'float32',
    'tf32': shape.precision == 'tf32',
    'started': datetime.datetime.now(datetime.UTC).isoformat(
      timespec='seconds'
    ),
  }


def timed(
  made: Mapping[str, Implementation],
  timings: Mapping[str, Timing],
  errors: Mapping[str, Errors],
  ours: str,
) -> list[dict[str, Any]]:
  """Returns a line for each implementation.

  `ratio` and `throughput_ratio` are its time relative to ours: above 1 if ours
  is faster.

  Args:
    made: name -> the implementation.
    timings: name -> its times.
    errors: name -> its errors against float64.
    ours: the name of our implementation, which may have failed.
  """
  base = timings.get(ours)
  lines = []
  for name, timing in timings.items():
    seconds = made[name].compile_seconds + timing.compilation
    line = {
      'implementation': name,
      'compile_seconds': round(seconds, 3),
      'median_ms': _ms(timing.median),
      'min_ms': _ms(timing.least),
      'spread': round(timing.spread, 3),
      'calls': len(timing.calls),
      'throughput_ms': _ms(timing.throughput),
      'throughput_spread': round(timing.throughput_spread, 3),
      'peak_bytes': made[name].peak_bytes(),
      'value_error': float(f'{errors[name].value:.1e}'),
      'gradient_error': float(f'{errors[name].gradient:.1e}'),
    }
    if base:
      line['ratio'] = round(timing.median / base.median, 3)
      ratio = timing.throughput / base.throughput
      line['throughput_ratio'] = round(ratio, 3)
    lines.append(line)
  return lines


def _ms(seconds: float) -> float:
  """Returns a time in milliseconds, with four digits."""
  return float(f'{1e3 * seconds:.4g}')


def _processor() -> str:
  """Returns the name of the processor, or its architecture."""
  try:
    for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
      if line.startswith('model name'):
        return line.partition(':')[2].strip()
  except OSError:
    pass  # not Linux
  return platform.processor() or platform.machine()
