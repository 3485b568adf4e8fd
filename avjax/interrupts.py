"""Ctrl-C and SIGTERM end a program at once, with one line and its exit code.

All that the programs write is complete or absent, so that they may end at any
moment. An exception in the main thread would be too late while it is in a
library's code, and libraries print it or swallow it. So a thread ends the
process; it also answers while XLA compiles.
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
import time

_SIGNALS = {
  signal.SIGINT: 'interrupted',
  signal.SIGTERM: 'ended by SIGTERM',
}

GRACE_S = 1.5
"""Seconds for code with a handler of its own to save what it has."""

again = 'run the same command again to go on'
"""What the line says; a program may know better."""

groups: set[int] = set()
"""Groups of processes that work for this one; they are killed with it."""


def answer(program: str) -> None:
  """Makes signals end this process, which runs `program`, until it ends.

  A signal that is ignored, as Ctrl-C is behind nohup, stays ignored. While code
  has a handler of its own, as a training has, a signal is left to it for
  GRACE_S; a training saves in that time, unless it compiles or evaluates.
  """
  numbers = [n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
  reader, writer = os.pipe()
  os.set_blocking(writer, False)
  thread = threading.Thread(target=_watch, args=(reader, program), daemon=True)
  thread.start()
  for number in numbers:
    signal.signal(number, _left_to_the_thread)
  atexit.register(_ignore)  # the first to be registered, so the last to run
  signal.set_wakeup_fd(writer, warn_on_full_buffer=False)


def _left_to_the_thread(number, frame) -> None:
  """A handler, without which the system would not wake the thread."""


def _ignore() -> None:
  """Ignores signals while Python ends: the program has done its work."""
  for number in _SIGNALS:
    if signal.getsignal(number) is _left_to_the_thread:
      signal.signal(number, signal.SIG_IGN)


def _watch(reader: int, program: str) -> None:
  """Ends the process at the first signal that has our handler.

  With another handler it ends GRACE_S later, if that code is still at work.
  """
  while received := os.read(reader, 1):
    number = received[0]
    ours = signal.getsignal(number) is _left_to_the_thread
    if not ours:
      time.sleep(GRACE_S)
    if ours or signal.getsignal(number) is not _left_to_the_thread:
      # A progress bar hides the cursor and leaves its line open.
      shown = '\033[?25h\n' if sys.stderr.isatty() else ''
      text = f'{program}: {_SIGNALS[signal.Signals(number)]}; {again}'
      for group in list(groups):
        with contextlib.suppress(ProcessLookupError):
          os.killpg(group, signal.SIGKILL)
      os.write(2, f'{shown}{text}\n'.encode())
      os._exit(128 + number)
