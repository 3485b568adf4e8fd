"""SIGTERM and SIGINT, noted for the training loop to check after each step."""

import contextlib
import signal
import threading
from collections.abc import Iterator


class Stop:
  """The signal that was received, if any.

  Attributes:
    number: of the signal; None until one is received.
  """

  number: int | None = None


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
