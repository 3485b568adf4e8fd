"""Makes a corpus of synthetic clips; a seed always gives the same bytes.

JAX is not imported at module level: every process that draws clips would load
it.
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

from avjax import files
from avjax.errors import DataError
from avjax.synthesis import encode
from avjax.synthesis.scene import Take, draw


def plan(
  clips: int, speakers: int, size: tuple[int, int], seed: int
) -> list[Take]:
  """Returns the takes to draw, with alternating emotions and speakers.

  Args:
    clips: number of clips.
    speakers: number of speakers.
    size: width and height of the frames in pixels.
    seed: of the corpus.
  """
  from avjax.clips import EMOTIONS  # imports JAX
  from avjax.data.synthetic import GRID

  takes = []
  for number in range(clips):
    label = EMOTIONS[number % len(EMOTIONS)]
    speaker = number // len(EMOTIONS) % speakers
    name = f's{speaker:02d}_{number:04d}'
    clip = f'{name}.mp4'
    take = Take(name, label, GRID[label], speaker, number, seed, size, clip)
    takes.append(take)
  return takes


def _end_with_parent() -> None:
  """Starts a thread that ends this process when its parent ends.

  Otherwise, after the parent is killed, the process would wait for the next
  clip forever.
  """
  parent = multiprocessing.parent_process()
  if parent is None:
    return

  def watch():
    parent.join()
    os._exit(1)

  threading.Thread(target=watch, daemon=True).start()


def _draw_all(takes: list[Take], folder, workers: int) -> Iterable[dict]:
  """Draws the clips, and yields the truth of each in order."""
  if workers == 1:
    yield from (draw(take, folder) for take in takes)
    return
  # A forked process may hang because of JAX's threads.
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(
    workers, context, initializer=_end_with_parent
  ) as pool:
    try:
      yield from pool.map(draw, takes, [folder] * len(takes))
    except concurrent.futures.BrokenExecutor as error:
      raise DataError(
        'a process that draws clips was killed; nothing was written: try fewer'
        ' --workers'
      ) from error
    finally:
      pool.shutdown(cancel_futures=True)


def check_new(folder: str | os.PathLike) -> None:
  """Raises DataError unless the folder is new or empty."""
  folder = pathlib.Path(folder)
  if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
    raise DataError(
      f'{folder} exists and is not an empty folder; choose another folder for'
      ' the clips, or remove it'
    )


def make(folder: str | os.PathLike, takes: list[Take], workers: int) -> None:
  """Makes a corpus, with a progress bar on a terminal.

  Everything is written into a hidden folder beside `folder`, locked by one
  process, and renamed at the end. So an existing corpus is always complete.

  Args:
    folder: new or empty; for the clips, `truth.jsonl` and `truth/` with the
      landmarks (T, 68, 2) of each clip in pixels as .npy. `clips.csv` lists the
      clips where no folder tells their splits.
    takes: the clips to draw.
    workers: number of processes.

  Raises:
    DataError: the folder is not empty, or a process was killed.
    CheckpointError: another process is making it, or it cannot be written.
    ConfigError: a package is missing.
  """
  encode.check_packages()
  folder = pathlib.Path(folder)
  check_new(folder)
  partial = folder.absolute().parent / f'.{folder.name}.partial'
  with files.lock(partial):
    try:
      corpus = partial / 'corpus'
      shutil.rmtree(corpus, ignore_errors=True)  # of a run that was killed
      (corpus / 'truth').mkdir(parents=True)
      _write(corpus, takes, workers)
      os.replace(corpus, folder)
    finally:
      shutil.rmtree(partial, ignore_errors=True)


def _write(folder: pathlib.Path, takes: list[Take], workers: int) -> None:
  """Writes all that `make` has in the folder."""
  for path in {p for take in takes for p in (take.clip, take.still) if p}:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
  records = _draw_all(takes, folder, workers)
  console = Console(stderr=True)
  if console.is_terminal:
    records = track(records, 'clips', len(takes), console=console)
  truth = list(records)
  with open(folder / 'truth.jsonl', 'w', encoding='utf-8') as file:
    file.writelines(json.dumps(record) + '\n' for record in truth)
  if any('/' in take.clip for take in takes):
    return
  with open(folder / 'clips.csv', 'w', encoding='utf-8', newline='') as file:
    table = csv.writer(file, lineterminator='\n')
    table.writerow(['clip', 'label', 'speaker', 'split'])
    for record in truth:
      columns = ('clip', 'emotion', 'speaker', 'split')
      table.writerow([record[name] for name in columns])
