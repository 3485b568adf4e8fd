"""SIGTERM and SIGINT, noted for the training loop to check after each step."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

from avjax.training import hosts


class Stop:
  """The signal that was received, if any.

  Attributes:
    number: of the signal; None until this process receives one.
  """

  number: int | None = None

  def end(self, text: str) -> None:
    """Prints the text and how to go on, and exits, after a signal.

    All processes must call this at the same step.

    Raises:
      SystemExit: a process received a signal; with 128 plus its number.
    """
    number = hosts.agreed(self.number)
    if number is not None:
      print(f'{text}; run the same command again to go on', file=sys.stderr)
      raise SystemExit(128 + number)


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
  """Yields a `Stop` that SIGTERM and SIGINT set, instead of ending at once.

  The earlier handlers are restored at the end.
  """
  stop = Stop()
  if threading.current_thread() is not threading.main_thread():
    yield stop  # only the main thread may handle signals
    return

  def note(number, frame):
    del frame
    stop.number = number

  before = {n: signal.signal(n, note) for n in (signal.SIGTERM, signal.SIGINT)}
  try:
    yield stop
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
