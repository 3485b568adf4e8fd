"""Presses Ctrl-C in a program at random times, and lets it go on.

  python -m tests.bin.interrupts --out=FOLDER [--times=20] [--seed=0]
    [--term] [--alone] [--ignore=PATTERN ...] -- bin/extract c FOLDER ...

Every trial starts the command in the current folder without FOLDER, sends the
signal after a random part of the time that it takes undisturbed, starts it
again until it is done, and compares FOLDER with that of an undisturbed one. A
signal while Python itself starts, before the first line of the program (some 20
ms), waits for that line: Python answers it with a traceback of its own. The
signal goes to the process group, as from a terminal, or with --alone to the
program only. It prints a line a trial, and ends with 1 if one of them

  took longer than LIMIT_S to end,
  ended otherwise than with 128 plus the signal and one line on standard error
    besides those of the progress, or with 0 if it was done already,
  left a process behind, or
  did not go on to the same files.

Files whose path matches a pattern of --ignore are not compared (seconds).
"""

import argparse
import contextlib
import dataclasses
import fnmatch
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

LIMIT_S = 3.0
SOON_S = 1.0  # in which the processes of a program end after it


@dataclasses.dataclass(frozen=True)
class Trial:
  """One interrupted program.

  Attributes:
    after: seconds at which the signal was sent.
    took: seconds until the program ended.
    code: its exit code.
    error: its standard error.
    orphans: command lines of processes that it left behind.
  """

  after: float
  took: float
  code: int
  error: str
  orphans: tuple[str, ...] = ()

  def fault(self, number: int) -> str:
    """Returns what is wrong with how it ended, or ''."""
    if self.took > LIMIT_S:
      return f'ended after {self.took:.1f} s'
    if self.orphans:
      return f'left {self.orphans[0]}'
    if self.code not in (0, 128 + number):
      return f'exit code {self.code}: {self.error[-300:]}'
    said = [line for line in self.error.splitlines() if 'go on' in line]
    if 'Traceback' in self.error or len(said) != bool(self.code):
      return f'said {self.error[-300:]!r}'
    return ''


# SIGINT is ignored in what a shell starts in the background. A `preexec_fn`
# would be a fork of this process, which may have threads.
_HEEDED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def start(command: list[str], folder: pathlib.Path) -> subprocess.Popen:
  """Returns the program, leader of a process group that Ctrl-C reaches."""
  return subprocess.Popen(
    [sys.executable, '-S', '-c', _HEEDED, *command],
    cwd=folder,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
    process_group=0,
  )


def interrupt(
  command: list[str],
  folder: pathlib.Path,
  after: float,
  number: int = signal.SIGINT,
  alone: bool = False,
) -> Trial:
  """Returns how a program ends that gets a signal `after` seconds."""
  process = start(command, folder)
  time.sleep(after)
  while process.poll() is None and not _begun(process.pid):
    time.sleep(0.001)
  below = _descendants(process.pid)
  sent = time.monotonic()
  with contextlib.suppress(ProcessLookupError):  # it has ended already
    (os.kill if alone else os.killpg)(process.pid, number)
  _, error = process.communicate(timeout=120)
  took = time.monotonic() - sent
  return Trial(after, took, process.returncode, error, _left(below))


def _begun(pid: int) -> bool:
  """Returns whether a program's first line has run: it heeds SIGTERM."""
  heeded = 0
  for line in _text(pathlib.Path(f'/proc/{pid}/status')).splitlines():
    if line.startswith((b'SigCgt:', b'SigIgn:')):
      heeded |= int(line.split()[1], 16)
  return bool(heeded >> (signal.SIGTERM - 1) & 1)


def _descendants(pid: int) -> list[tuple[int, bytes]]:
  """Returns (number, command line) of the processes below one."""
  found, parents = [], [pid]
  while parents:
    children = pathlib.Path(f'/proc/{parents.pop()}/task')
    for path in children.glob('*/children'):
      for child in map(int, _text(path).split()):
        found.append((child, _text(pathlib.Path(f'/proc/{child}/cmdline'))))
        parents.append(child)
  return found


def _text(path: pathlib.Path) -> bytes:
  try:
    return path.read_bytes()
  except OSError:
    return b''


def _left(processes: list[tuple[int, bytes]]) -> tuple[str, ...]:
  """Returns the command lines of those that do not end soon."""
  end = time.monotonic() + SOON_S
  while True:
    left = tuple(
      line.replace(b'\0', b' ').decode(errors='replace')
      for pid, line in processes
      if line and _text(pathlib.Path(f'/proc/{pid}/cmdline')) == line
    )
    if not left or time.monotonic() > end:
      return left
    time.sleep(0.02)


def files(folder: pathlib.Path, ignored: list[str]) -> dict[str, bytes]:
  """Returns path -> bytes of everything below a folder."""
  paths = {
    path.relative_to(folder).as_posix(): path
    for path in sorted(folder.rglob('*'))
    if path.is_file()
  }
  return {
    name: path.read_bytes()
    for name, path in paths.items()
    if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)
  }


def remove(out: pathlib.Path) -> None:
  """Removes what the program has made, and its work folder."""
  for folder in (out, out.with_name(out.name + '.work')):
    shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument('--times', type=int, default=20)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--term', action='store_true')
  parser.add_argument('--alone', action='store_true')
  parser.add_argument('--ignore', action='append', default=[])
  parser.add_argument('command', nargs='+')
  given = parser.parse_args()
  command = [sys.executable, *given.command]
  number = signal.SIGTERM if given.term else signal.SIGINT
  folder = pathlib.Path()
  remove(given.out)
  begun = time.monotonic()
  subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
  whole_s = time.monotonic() - begun
  whole = files(given.out, given.ignore)
  print(f'undisturbed: {whole_s:.1f} s, {len(whole)} files')
  draw = random.Random(given.seed)
  bad = 0
  for k in range(given.times):
    remove(given.out)
    after = draw.uniform(0, whole_s)
    trial = interrupt(command, folder, after, number, given.alone)
    fault = trial.fault(number)
    again = subprocess.run(command, capture_output=True, text=True)
    if not fault and again.returncode:
      fault = f'did not go on: {again.stderr[-300:]}'
    if not fault and files(given.out, given.ignore) != whole:
      fault = 'went on to other files'
    bad += bool(fault)
    print(
      f'{k + 1}: after {after:.2f} s, ended within {trial.took:.2f} s with'
      f' {trial.code}, {fault or "same files"}',
      flush=True,
    )
  print(f'{given.times - bad} of {given.times} as wanted')
  return int(bad > 0)


if __name__ == '__main__':
  sys.exit(main())
