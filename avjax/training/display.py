"""Progress of a training: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from rich.console import Console
from rich.progress import (
  BarColumn,
  MofNCompleteColumn,
  Progress,
  TextColumn,
  TimeRemainingColumn,
)


class Display:
  """A progress bar with loss, validation accuracy and clips per second.

  Args:
    epochs: the largest number of epochs.
    title: printed before every line; '' for none.
  """

  def __init__(self, epochs: int, title: str = ''):
    self._epochs = epochs
    self._title = f'{title} ' if title else ''
    self._validated = ''
    self._start, self._shown = time.monotonic(), 0
    self._bar: Progress | None = None
    if sys.stderr.isatty():
      self._bar = Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('{task.fields[status]}'),
        TimeRemainingColumn(),
        console=Console(stderr=True),
      )

  def __enter__(self):
    if self._bar is not None:
      self._bar.start()
      self._task = self._bar.add_task('', status='')
    return self

  def __exit__(self, *error):
    if self._bar is not None:
      self._bar.stop()

  def step(self, epoch: int, done: int, steps: int, loss: float) -> None:
    """Shows one step of an epoch.

    Args:
      epoch: number of the epoch, from 0.
      done: steps of this epoch that are done.
      steps: steps of this epoch.
      loss: mean training loss of this epoch so far.
    """
    if self._bar is not None:
      self._bar.update(
        self._task,
        description=f'{self._title}epoch {epoch + 1}/{self._epochs}',
        completed=epoch * steps + done,
        total=self._epochs * steps,
        status=f'loss {loss:.3f}{self._validated}',
      )

  def epoch(self, line: dict) -> None:
    """Shows one finished epoch, from its line in metrics.jsonl."""
    self._validated = (
      f'  validation {100 * line["validation_accuracy"]:.1f} %'
      f'  {line["clips_per_second"]:.0f} clips/s'
    )
    self._shown += 1
    left = self._epochs - line['epoch'] - 1
    seconds = (time.monotonic() - self._start) / self._shown * left
    text = (
      f'{self._title}epoch {line["epoch"] + 1}/{self._epochs}'
      f'  loss {line["training_loss"]:.3f}{self._validated}'
      + ('  best' if line['best'] else '')
      # Early stopping may end it before.
      + (f'  at most {_duration(seconds)} left' if left else '')
    )
    if self._bar is not None:
      self._bar.console.print(text, highlight=False)
    else:
      print(text, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
  """Returns a duration in its usual unit: '45 s', '12 min', '3.5 h'."""
  if seconds < 90:
    return f'{seconds:.0f} s'
  minutes = seconds / 60
  return f'{minutes:.0f} min' if minutes < 90 else f'{minutes / 60:.1f} h'
