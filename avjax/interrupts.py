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

grace_s = 1.5
"""Seconds for code with a handler of its own to save what it has; a training in
several processes takes more."""

again = 'run the same command again to go on'
"""What the line says; a program may know better."""

groups: set[int] = set()
"""Groups of processes that work for this one; they are killed with it."""

received: int | None = None
"""The first signal that was received."""


def answer(program: str) -> None:
  """Makes signals end this process, which runs `program`, until it ends.

  A signal that is ignored, as Ctrl-C is behind nohup, stays ignored. While code
  has a handler of its own, as a training has, a signal is left to it for
  `grace_s`; a training saves in that time, unless it compiles or evaluates.
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


def line(program: str, number: int) -> str:
  """Returns what a program says when a signal ends it."""
  return f'{program}: {_SIGNALS[signal.Signals(number)]}; {again}'


def _left_to_the_thread(number, frame) -> None:
  """A handler, without which the system would not wake the thread."""


def _ignore() -> None:
  """Ignores signals while Python ends: the program has done its work."""
  for number in _SIGNALS:
    if signal.getsignal(number) is _left_to_the_thread:
      signal.signal(number, signal.SIG_IGN)


def _watch(reader: int, program: str) -> None:
  """Ends the process at the first signal that has our handler.

  With another handler it ends `grace_s` later, if that code is still at work.
  """
  global received
  while read := os.read(reader, 1):
    number = read[0]
    received = received or number
    ours = signal.getsignal(number) is _left_to_the_thread
    if not ours:
      time.sleep(grace_s)
    if ours or signal.getsignal(number) is not _left_to_the_thread:
      # A progress bar hides the cursor and leaves its line open.
      shown = '\033[?25h\n' if sys.stderr.isatty() else ''
      for group in list(groups):
        with contextlib.suppress(ProcessLookupError):
          os.killpg(group, signal.SIGKILL)
      os.write(2, f'{shown}{line(program, number)}\n'.encode())
      os._exit(128 + number)
