"""The memory that this process can still take."""

import os
import pathlib

_PROCESSES = pathlib.Path('/proc')
_GROUPS = pathlib.Path('/sys/fs/cgroup')
_NAMES = {
  '': ('', 'memory.max', 'memory.current', 'inactive_file'),
  'memory': (
    'memory',
    'memory.limit_in_bytes',
    'memory.usage_in_bytes',
    'total_inactive_file',
  ),
}
"""Controller of Linux's control groups, of version 2 and 1 -> folder, files
with limit and use, and the entry of memory.stat that can be freed."""


def share() -> float:
  """Returns the bytes that the streams of a store may fill: a third.

  Standardised clips take as much again.
  """
  return available() / 3


def available() -> int:
  """Returns the bytes that are free, or may be freed without swapping.

  On Linux the limits of a container or of a cluster's job count too. Elsewhere
  half of the machine's memory is returned.
  """
  try:
    text = (_PROCESSES / 'meminfo').read_text()
    lines = dict(line.split(':', 1) for line in text.splitlines())
    free = 1024 * int(lines['MemAvailable'].split()[0])
  except (OSError, KeyError, ValueError):
    return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2
  return min([free, *_left_in_groups()])


def _left_in_groups() -> list[int]:
  """Returns the bytes left in each control group that limits this process."""
  try:
    lines = (_PROCESSES / 'self/cgroup').read_text().splitlines()
  except OSError:
    return []
  left = []
  for line in lines:  # such as '0::/job' or '4:memory:/job'
    _, controllers, path = line.split(':', 2)
    for name in _NAMES.keys() & {*controllers.split(',')}:
      folder, limit, use, freed = _NAMES[name]
      own = _GROUPS / folder / path.lstrip('/')
      for group in (own, *own.parents):
        try:
          most = int((group / limit).read_text())
          used = int((group / use).read_text())
          stat = (group / 'memory.stat').read_text().splitlines()
          counts = dict(entry.split() for entry in stat)
          left.append(max(0, most - used + int(counts[freed])))
        except (OSError, ValueError, KeyError):
          continue  # without a limit, or above all groups
  return left
