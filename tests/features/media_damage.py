"""Damaged copies of media files beside good ones, through one bin/extract.

Run as a script, this module damages 300 copies of 12 small clips in six
containers, extracts all, and prints how many were used and left out. It exits
with 1 if a good clip was not used or the extraction did not end by itself:

  python -m tests.features.media_damage [NUMBER]
"""

import collections
import csv
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from tests.features import clicks, clips_made

CONTAINERS = (
  'mp4, plain', 'mkv, B-frames', 'avi, MP3, plain', 'ts, B-frames',
  'flv, plain', 'webm, plain',
)  # fmt: skip
LIMIT_S = 1800
_BIN = pathlib.Path(__file__).parents[2] / 'bin'


def make(folder: pathlib.Path, number: int) -> list[str]:
  """Writes the good and the damaged files and their table.

  Returns:
    The names of the good ones.
  """
  good = []
  for name in CONTAINERS:
    case = clicks.cases()[name]
    path = folder / f'good_{len(good)}.{case.suffix}'
    good += [clicks.make(path, case)]
    copy = folder / f'good_{len(good)}.{case.suffix}'
    copy.write_bytes(path.read_bytes())
    good += [copy]
  names = [path.name for path in good]
  for seed in range(number):
    source = good[seed % len(good)]
    path = folder / f'bad_{seed}{source.suffix}'
    # Every twelve damages differ in kind: see `mutated`.
    kind = seed // len(good) * 4 + seed % 4
    path.write_bytes(clips_made.mutated(source.read_bytes(), kind))
    names.append(path.name)
  with open(folder / 'clips.csv', 'w', newline='') as file:
    table = csv.writer(file)
    table.writerow(['clip', 'label'])
    table.writerows((n, ('happy', 'sad')[k % 2]) for k, n in enumerate(names))
  return names[: len(good)]


def extract(folder: pathlib.Path) -> subprocess.CompletedProcess:
  """Runs bin/extract on the folder; the store is folder/out."""
  command = [
    sys.executable, str(_BIN / 'extract'), str(folder), str(folder / 'out'),
    '--streams=audio', '--fit_on=all', '--workers=2',
  ]  # fmt: skip
  return subprocess.run(
    command, capture_output=True, text=True, timeout=LIMIT_S, check=False
  )


def used(folder: pathlib.Path) -> dict[str, str]:
  """Returns clip -> why it was left out, or '' if it was used."""
  with open(folder / 'out' / 'clips.csv', newline='') as file:
    return {row['clip']: row['failure'] for row in csv.DictReader(file)}


def main() -> int:
  """Damages and extracts; returns 1 if something is wrong."""
  number = int(sys.argv[1]) if len(sys.argv) > 1 else 300
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    good = make(folder, number)
    start = time.monotonic()
    done = extract(folder)
    seconds = time.monotonic() - start
    if not (folder / 'out' / 'clips.csv').exists():
      print(done.returncode, done.stderr[-2000:])
      return 1
    reasons = used(folder)
  lost = [clip for clip in good if reasons[clip]]
  left_out = sum(map(bool, reasons.values()))
  largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
  print(
    f'{number} damaged, {left_out - len(lost)} left out, {len(lost)} good ones'
    f' lost; exit code {done.returncode}, {seconds:.0f} s, largest process'
    f' {largest:.0f} MB, {done.stderr.count("Traceback")} tracebacks'
  )
  died = collections.Counter(
    ' '.join(text.rpartition(': ')[2].split()[:6])
    for text in reasons.values()
    if text
  )
  for text, count in died.most_common(12):
    print(f'{count:4d} {text}')
  return int(bool(lost) or 'Traceback' in done.stderr)


if __name__ == '__main__':
  sys.exit(main())
