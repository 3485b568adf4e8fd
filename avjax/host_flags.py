"""The flags of a program that is started in several processes at once."""

import dataclasses

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
  if index >= count:
    raise flags.Error(
      f'--process={index} is none of --processes={count}, which are numbered'
      f' from 0 to {count - 1}'
    )
  return Meeting(coordinator, Process(index, count), heartbeat)
