"""A trace of a few steps of a training, for Perfetto or XProf.

It is of the second epoch that the program trains: by then all is compiled.
"""

import contextlib
import pathlib
from collections.abc import Iterator

import jax

from avjax.errors import ConfigError

STEPS = 5  # of the trace; with clips on the device, calls of many steps; ours


class Trace:
  """Traces of the trainings of this program.

  Attributes:
    folder: where the next one is written; None for none, or if it is.
  """

  def __init__(self):
    self.folder: pathlib.Path | None = None
    self._epochs = 0
    self._left = 0

  def into(self, folder: str, index: int) -> None:
    """Has the steps of the next training traced.

    Args:
      folder: of the traces; the first process writes there, the others into
        `process-1` and so on.
      index: of this process.

    Raises:
      ConfigError: the folder cannot be made.
    """
    path = pathlib.Path(folder).expanduser()
    path = path / f'process-{index}' if index else path
    try:
      path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
      raise ConfigError(
        f'--profile={folder} cannot be made: {error.strerror}; give a folder'
        ' that can be written to'
      ) from None
    self.folder = path

  @contextlib.contextmanager
  def epoch(self) -> Iterator[None]:
    """Traces the first steps within, if this is the second epoch."""
    self._epochs += 1
    if self.folder is None or self._epochs != 2:
      yield
      return
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0  # a hundred times as many events
    jax.profiler.start_trace(
      self.folder, create_perfetto_trace=True, profiler_options=options
    )
    self._left = STEPS
    try:
      yield
    finally:
      self._stop()

  @contextlib.contextmanager
  def step(self, number: int) -> Iterator[None]:
    """Marks one call of the devices in the trace; ends it after the last.

    Args:
      number: of the step within the epoch.
    """
    if not self._left:
      yield
      return
    with jax.profiler.StepTraceAnnotation('train', step_num=number):
      yield
    self._left -= 1
    if not self._left:
      self._stop()

  def _stop(self) -> None:
    if self.folder is not None:
      jax.profiler.stop_trace()
      self.folder, self._left = None, 0


trace = Trace()
"""What bin/train sets, and the training loop asks."""
