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
    elif done == total or time.monotonic() - self._last > _EVERY:
      print(f'{done} of {total} {self._unit}', file=sys.stderr)
      self._last = time.monotonic()
