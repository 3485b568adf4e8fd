"""Damaged landmark files of every format through one bin/extract.

  python -m tests.features.landmark_damage [--count=200] [--seed=0]

Each of COUNT clips has the same picture and a damaged landmark file of its own;
between them are clips with a whole one. Prints how many were used and left out,
the seconds, and the memory of the largest process, and ends with 1 if

  the program fails, prints a traceback or says that a process died,
  a clip with a whole file is left out, or
  a process needs more than MOST_BYTES.

`landmark_files_test` has a sample.
"""

import argparse
import csv
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

from tests.bin.programs import ROOT, environment
from tests.features import clips_made
from tests.features.landmark_files_test import FORMS, T, cloud, damaged

MOST_BYTES = 10**9
WHOLE_EVERY = 7  # one file in so many is left whole


def write(folder: pathlib.Path, count: int, seed: int) -> list[str]:
  """Writes the corpus; returns the names of the clips with whole files."""
  (folder / 'points').mkdir()
  random = np.random.default_rng(seed)
  whole, rows = [], []
  # One format after another.
  for k, form in zip(range(count), sorted(FORMS) * count, strict=False):
    name = f'{k:03d}-{form}'
    path = folder / 'points' / name
    FORMS[form](path, cloud())
    if k % WHOLE_EVERY == 0:
      whole.append(f'{name}.mp4')
    else:
      file = path / 'frame_7.pts' if path.is_dir() else path
      file.write_bytes(damaged(random, file.read_bytes()))
    rows.append([f'{name}.mp4', ('happy', 'sad')[k % 2]])
  first, *others = [folder / name for name, _ in rows]
  clips_made.make(first, ticks=range(T), audio=None)
  for other in others:
    shutil.copy(first, other)
  with open(folder / 'clips.csv', 'w', newline='') as file:
    csv.writer(file).writerows([['clip', 'label'], *rows])
  return whole


def main() -> int:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--count', type=int, default=200)
  parser.add_argument('--seed', type=int, default=0)
  given = parser.parse_args()
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    corpus = folder / 'corpus'
    corpus.mkdir()
    whole = write(corpus, given.count, given.seed)
    begun = time.monotonic()
    done = subprocess.run(
      [
        sys.executable, f'{ROOT}/bin/extract', 'corpus', 'store',
        '--streams=shape', '--landmarks=points/{clip}', '--fit_on=all',
        '--shape_width=5',
      ],
      cwd=folder, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    seconds = time.monotonic() - begun
    left = done.stderr.count('extract: left out ')
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(
      f'{given.count} files, {given.count - left} used, {left} left out;'
      f' {seconds:.0f} s, {most / 1e6:.0f} MB, exit code {done.returncode}'
    )
    faults = [name for name in whole if f'left out {name}:' in done.stderr]
    if done.returncode not in (0, 3) or 'Traceback' in done.stderr:
      faults.append(done.stderr[-500:])
    if 'measured it died' in done.stderr or 'cannot be measured' in done.stderr:
      faults.append('a process died, or met an error that is not foreseen')
    if most > MOST_BYTES:
      faults.append(f'{most} bytes')
    for fault in faults:
      print(f'NOT as wanted: {fault}')
  return int(bool(faults))


if __name__ == '__main__':
  sys.exit(main())
