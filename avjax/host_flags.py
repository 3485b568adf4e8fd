"""The flags of a program that is started in several processes at once."""

import dataclasses
import os
from collections.abc import Mapping

from absl import flags

from avjax.processes import Process

_DISTRIBUTED = flags.DEFINE_bool(
  'distributed',
  False,
  'this is one process of several, as SLURM, Open MPI, Kubernetes or a TPU pod'
  ' started them; elsewhere give --coordinator, --processes and --process',
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator', None, 'HOST:PORT of process 0, at which the processes meet'
)
_PROCESSES = flags.DEFINE_integer(
  'processes', None, 'how many processes there are', lower_bound=1
)
_PROCESS = flags.DEFINE_integer(
  'process', None, 'which of them this is, from 0', lower_bound=0
)
_HEARTBEAT = flags.DEFINE_integer(
  'heartbeat',
  100,
  'seconds without a sign of life after which a process counts as dead, and'
  ' the others end',
  lower_bound=5,
)


@dataclasses.dataclass(frozen=True)
class Meeting:
  """How the processes of one command find each other.

  Attributes:
    coordinator: 'HOST:PORT' of process 0, or None if JAX finds it.
    process: which process this is, or None if JAX finds it.
    heartbeat: seconds after which a silent process counts as dead.
  """

  coordinator: str | None = None
  process: Process | None = None
  heartbeat: int = 100


def given() -> Meeting | None:
  """Returns how the processes meet, or None for a process on its own.

  Raises:
    flags.Error: some of the flags are missing, or contradict each other.
  """
  coordinator, index = _COORDINATOR.value, _PROCESS.value
  count, heartbeat = _PROCESSES.value, _HEARTBEAT.value
  named = {'coordinator': coordinator, 'processes': count, 'process': index}
  missing = [f'--{name}' for name, value in named.items() if value is None]
  if len(missing) == len(named):
    return Meeting(heartbeat=heartbeat) if _DISTRIBUTED.value else None
  if coordinator is None or count is None or index is None:
    raise flags.Error(
      f'{" and ".join(missing)} is missing beside the other flags of a process;'
      ' give --coordinator=HOST:PORT, --processes=N and --process=I'
    )
  host, colon, port = coordinator.rpartition(':')
  if not (host and colon and port.isdecimal() and 0 < int(port) < 2**16):
    raise flags.Error(
      f'--coordinator={coordinator} is not HOST:PORT; give the name or address'
      ' of the host of process 0 and a free port there'
    )
  return Meeting(coordinator, _numbered(index, count), heartbeat)


def share() -> Process | None:
  """Returns which share of several runs is this process's; None for all.

  Runs that are independent are divided among processes that never meet. So
  they need no coordinator, and their number may change from one start to the
  next.

  Raises:
    flags.Error: one flag is missing, or the system tells nothing.
  """
  index, count = _PROCESS.value, _PROCESSES.value
  if _COORDINATOR.value is not None:
    raise flags.Error(
      'several seeds or folds are divided among processes that do not meet;'
      ' leave out --coordinator'
    )
  if index is None and count is None:
    return _told(os.environ) if _DISTRIBUTED.value else None
  if index is None or count is None:
    missing = '--process' if index is None else '--processes'
    raise flags.Error(f'{missing} is missing; give --processes=N --process=I')
  return _numbered(index, count)


def _numbered(index: int, count: int) -> Process:
  """Returns a process; raises flags.Error for a number that there is not."""
  if index >= count:
    raise flags.Error(
      f'--process={index} is none of --processes={count}, which are numbered'
      f' from 0 to {count - 1}'
    )
  return Process(index, count)


def _told(variables: Mapping[str, str]) -> Process:
  """Returns the number of this process by the variables of the environment.

  In a job array of SLURM each job has its processes.

  Raises:
    flags.Error: there are none, or the numbers of the array have gaps.
  """

  def number(*names: str) -> int | None:
    found = [variables[name] for name in names if variables.get(name)]
    return int(found[0]) if found and found[0].isdecimal() else None

  # mpirun may itself have been started by SLURM, once a machine.
  index = number('OMPI_COMM_WORLD_RANK', 'SLURM_PROCID')
  count = number('OMPI_COMM_WORLD_SIZE', 'SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS')
  job, jobs = number('SLURM_ARRAY_TASK_ID'), number('SLURM_ARRAY_TASK_COUNT')
  if job is not None and jobs is not None:
    first = number('SLURM_ARRAY_TASK_MIN') or 0
    job = (job - first) // (number('SLURM_ARRAY_TASK_STEP') or 1)
    if job >= jobs:
      raise flags.Error(
        f'the job array has {jobs} jobs with gaps between their numbers; give'
        ' all of them, such as --array=0-11: what is finished is left as it is'
      )
    index, count = job * (count or 1) + (index or 0), jobs * (count or 1)
  if index is None or count is None:
    raise flags.Error(
      '--distributed finds neither a job of SLURM nor of Open MPI; give'
      ' --processes=N --process=I'
    )
  return Process(index, count)
