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
    self._done, self._start = 0, time.monotonic()
    self._latest = self._start

  def line(self, text: str) -> None:
    """Prints a line."""
    print(f'{self._program}: {text}', file=sys.stderr, flush=True)

  def done(self) -> None:
    """Tells that another file is done, and how long the others will take."""
    self._done += 1
    self._latest = time.monotonic()
    if self._done == self._total:
      return
    each = (self._latest - self._start) / self._done
    left = each * (self._total - self._done)
    self.line(f'{self._done} of {self._total}, about {left:.0f} s left')

  def measured(self, seconds: float) -> None:
    """Tells how much of a long recording is measured, now and then."""
    now = time.monotonic()
    if now - self._latest > _EVERY:
      self._latest = now
      self.line(f'{int(seconds // 60)}:{int(seconds % 60):02} min measured')
