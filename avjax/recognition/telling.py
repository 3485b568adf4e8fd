"""How far a program is with its files, as lines on standard error."""

import sys
import time

_EVERY = 10.0  # seconds between two lines about one recording


class Telling:
  """Tells how far a program is.

  Args:
    program: its name.
    total: number of files.
  """

  def __init__(self, program: str, total: int):
    self._program, self._total = program, total
    self._done: set[str] = set()
    self._start = time.monotonic()
    self._latest = self._start

  def line(self, text: str) -> None:
    """Prints a line."""
    print(f'{self._program}: {text}', file=sys.stderr, flush=True)

  def done(self, path: str) -> None:
    """Tells that a file is done, and how long the others will take.

    Args:
      path: of the file; one that is done already is nothing new.
    """
    self._latest = time.monotonic()
    if path in self._done:
      return
    self._done.add(path)
    done = len(self._done)
    if done == self._total:
      return
    left = (self._latest - self._start) / done * (self._total - done)
    self.line(f'{done} of {self._total}, about {left:.0f} s left')

  def measured(self, seconds: float) -> None:
    """Tells how much of a long recording is measured, now and then."""
    now = time.monotonic()
    if now - self._latest > _EVERY:
      self._latest = now
      self.line(f'{int(seconds // 60)}:{int(seconds % 60):02} min measured')
