"""A folder of clips whose truth is known, the same bytes for the same seed.

No JAX at the head, as every process that draws clips would load it.
"""

import concurrent.futures
import csv
import json
import multiprocessing
import os
import pathlib
import shutil
import threading
from collections.abc import Iterable

from rich.console import Console
from rich.progress import track

from avjax.errors import DataError
from avjax.synthesis import encode
from avjax.synthesis.scene import Take, draw


def plan(
  clips: int, speakers: int, size: tuple[int, int], seed: int
) -> list[Take]:
  """Returns what is to be drawn: emotions take turns, and then speakers."""
  from avjax.clips import EMOTIONS  # JAX
  from avjax.data.synthetic import GRID

  takes = []
  for number in range(clips):
    label = EMOTIONS[number % len(EMOTIONS)]
    speaker = number // len(EMOTIONS) % speakers
    name = f's{speaker:02d}_{number:04d}'
    take = Take(name, label, GRID[label], speaker, number, seed, size)
    takes.append(take)
  return takes


def _follow() -> None:
  """Returns nothing; sees to it that this process ends when its parent does.

  A parent that is killed tells nobody, and a process would wait for the next
  clip for ever.
  """
  parent = multiprocessing.parent_process()
  if parent is None:
    return

  def watch():
    parent.join()
    os._exit(1)

  threading.Thread(target=watch, daemon=True).start()


def _drawn(takes: list[Take], folder, workers: int) -> Iterable[dict]:
  """Yields the truth of the clips in order, as they are drawn."""
  if workers == 1:
    yield from (draw(take, folder) for take in takes)
    return
  # A fork of a process that has JAX's threads may hang.
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(
    workers, context, initializer=_follow
  ) as pool:
    try:
      yield from pool.map(draw, takes, [folder] * len(takes))
    except concurrent.futures.BrokenExecutor as error:
      raise DataError(
        'a process that draws clips was ended from outside; nothing was'
        ' written: try fewer --workers'
      ) from error
    finally:
      pool.shutdown(cancel_futures=True)


def check_new(folder: str | os.PathLike) -> None:
  """Returns nothing; raises DataError unless a corpus can be made there."""
  folder = pathlib.Path(folder)
  if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
    raise DataError(
      f'{folder} exists and is not an empty folder; choose another folder for'
      ' the clips, or remove this one'
    )


def make(folder: str | os.PathLike, takes: list[Take], workers: int) -> None:
  """Returns nothing; leaves a corpus, and shows a bar on a terminal.

  Until the end everything lies beside the folder, under a name with a dot, so
  that a folder that is there is whole.

  Args:
    folder: new or empty; gets the clips, `clips.csv`, `truth.jsonl` and
      `truth/`, the landmarks (T, 68, 2) in pixels of each clip as .npy.
    takes: what to draw.
    workers: processes.

  Raises:
    DataError: the folder is not empty, or a process was ended.
    ConfigError: a package is missing.
  """
  encode.available()
  folder = pathlib.Path(folder)
  check_new(folder)
  partial = folder.absolute().parent / f'.{folder.name}.partial'
  shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
  (partial / 'truth').mkdir(parents=True)
  try:
    drawn = _drawn(takes, partial, workers)
    console = Console(stderr=True)
    if console.is_terminal:
      drawn = track(drawn, 'clips', len(takes), console=console)
    truth = list(drawn)
    with open(partial / 'truth.jsonl', 'w', encoding='utf-8') as file:
      file.writelines(json.dumps(record) + '\n' for record in truth)
    with open(partial / 'clips.csv', 'w', encoding='utf-8', newline='') as file:
      table = csv.writer(file, lineterminator='\n')
      table.writerow(['clip', 'label', 'speaker', 'split'])
      for record in truth:
        columns = ('clip', 'emotion', 'speaker', 'split')
        table.writerow([record[name] for name in columns])
    os.replace(partial, folder)
  finally:
    shutil.rmtree(partial, ignore_errors=True)
