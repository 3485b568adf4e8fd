"""SIGTERM and SIGINT as something to look at between two steps."""

import contextlib
import signal
import threading
from collections.abc import Iterator


class Stop:
  """The signal that asks the process to end, if one has come."""

  number: int | None = None


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
  """Gives a `Stop` that SIGTERM and SIGINT set, instead of ending at once."""
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
