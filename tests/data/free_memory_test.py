"""The memory that is free."""

import pytest

from avjax.data import free_memory

LIMITS = {  # line of /proc/self/cgroup -> files with limit, use and freeable
  '0::/slurm/job': {
    'slurm/memory.max': '6000',
    'slurm/memory.current': '1000',
    'slurm/memory.stat': 'anon 900\ninactive_file 50\n',
    'slurm/job/memory.max': 'max',
  },
  '4:cpu,memory:/job': {
    'memory/job/memory.limit_in_bytes': '6000',
    'memory/job/memory.usage_in_bytes': '1000',
    'memory/job/memory.stat': 'cache 60\ntotal_inactive_file 50\n',
  },
}


@pytest.mark.parametrize('line', LIMITS)
def test_the_least_limit_counts(line, tmp_path, monkeypatch):
  """Law: a job's limit counts where it is below the memory of the machine."""
  processes, groups = tmp_path / 'proc', tmp_path / 'cgroup'
  for path, text in {
    processes / 'meminfo': 'MemTotal: 99 kB\nMemAvailable: 8 kB\n',
    processes / 'self/cgroup': f'1:name=systemd:/\n{line}\n',
    **{groups / name: text for name, text in LIMITS[line].items()},
  }.items():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  monkeypatch.setattr(free_memory, '_PROCESSES', processes)
  monkeypatch.setattr(free_memory, '_GROUPS', groups)
  assert free_memory.available() == 6000 - 1000 + 50
  (processes / 'meminfo').write_text('MemTotal: 99 kB\nMemAvailable: 3 kB\n')
  assert free_memory.available() == 3 * 1024
  assert free_memory.share() == 1024
  (processes / 'meminfo').unlink()  # another system
  assert free_memory.available() > 10**8
