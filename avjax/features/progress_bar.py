"""The progress of a program: a bar on a terminal, lines of text elsewhere."""

import sys
import time

from rich.console import Console
from rich.progress import Progress as Bar

_EVERY = 30.0  # seconds between two lines


class ProgressBar:
  """Shows the progress; called with (done, total, name of the last item).

  Args:
    unit: what is counted, in the plural.
  """

  def __init__(self, unit: str):
    self._unit = unit
    self._last = time.monotonic()
    self._first: tuple[int, float] | None = None
    self._bar = None
    if sys.stderr.isatty():
      self._bar = Bar(console=Console(stderr=True))

  def __enter__(self):
    if self._bar is not None:
      self._bar.start()
      self._task = self._bar.add_task(self._unit)
    return self

  def __exit__(self, *error):
    if self._bar is not None:
      self._bar.stop()

  def __call__(self, done: int, total: int, last: str) -> None:
    if self._bar is not None:
      text = f'{self._unit} {done}/{total} {last}'
      self._bar.update(
        self._task, description=text, completed=done, total=total
      )
      return
    now = time.monotonic()
    if self._first is None:
      self._first = done, now
    if done == total or now - self._last > _EVERY:
      left = _left(done - self._first[0], total - done, now - self._first[1])
      print(f'{done} of {total} {self._unit}{left}', file=sys.stderr)
      self._last = now


def _left(done: int, rest: int, seconds: float) -> str:
  """Returns ', 4 min left', from the seconds that `done` items took, or ''."""
  if not done or not rest:
    return ''
  left = seconds / done * rest
  if left < 90:
    return f', {left:.0f} s left'
  return f', {left / 60:.0f} min left'
