r"""Damages the files that a run leaves, and asks every program about it.

  python -m tests.runs.damage --count=200 --seed=0

makes clips, a store with an extractor and two finished runs in a temporary
folder. Each damage is done to one file of a copy; then every program that reads
a run is started on the copy. An answer is one of

  refused    exit code 2 and one line
  unchanged  what the program says and writes of the undamaged run
  CHANGED    exit code 0 or 3, and something else than that
  TRACEBACK, HANG

The counts of the last three must be 0. With --without_digests the runs are as
those from before digests: there a changed digit may go unseen, but nothing ends
with a traceback or hangs.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.bin.programs import ROOT, forked

GOOD = 'refused', 'unchanged'
Damage = Callable[[bytes, random.Random], bytes]


def _lines(change: Callable[[list[bytes], random.Random], object]) -> Damage:
  """Returns the damage that changes the list of a file's lines."""

  def damage(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    change(lines, rng)
    return b''.join(lines)

  return damage


def _delete(lines: list[bytes], rng: random.Random) -> None:
  del lines[rng.randrange(len(lines))]


def _double(lines: list[bytes], rng: random.Random) -> None:
  k = rng.randrange(len(lines))
  lines.insert(rng.randrange(len(lines)), lines[k])


def _swap(lines: list[bytes], rng: random.Random) -> None:
  i, k = rng.randrange(len(lines)), rng.randrange(len(lines))
  lines[i], lines[k] = lines[k], lines[i]


def _cut(content: bytes, rng: random.Random) -> bytes:
  return content[: rng.randrange(len(content))]


def _cut_the_last_line(content: bytes, rng: random.Random) -> bytes:
  return content[: -rng.randint(1, 12)]


def _flip(content: bytes, rng: random.Random) -> bytes:
  bits = bytearray(content)
  bits[rng.randrange(len(bits))] ^= 1 << rng.randrange(8)
  return bytes(bits)


def _digit(content: bytes, rng: random.Random) -> bytes:
  places = [k for k, byte in enumerate(content) if chr(byte).isdigit()]
  k = rng.choice(places or [0])
  other = rng.choice([x for x in b'0123456789' if x != content[k]])
  return content[:k] + bytes([other]) + content[k + 1 :]


def _empty(content: bytes, rng: random.Random) -> bytes:
  return b''


def _not_utf8(content: bytes, rng: random.Random) -> bytes:
  k = rng.randrange(len(content))
  return content[:k] + b'\xff\xfe' + content[k:]


def _nul(content: bytes, rng: random.Random) -> bytes:
  k = rng.randrange(len(content))
  return content[:k] + b'\0' + content[k:]


def _values(value: object) -> Iterator[tuple[dict | list, str | int]]:
  """Yields (container, key) of every value inside a value."""
  items: Sequence[tuple[str | int, object]] = ()
  if isinstance(value, dict):
    items = list(value.items())
  elif isinstance(value, list):
    items = list(enumerate(value))
  for key, inner in items:
    yield value, key
    yield from _values(inner)


def _json(change: Callable[..., object]) -> Damage:
  """Returns the damage that changes one value of a JSON file, or of a line.

  `change(container, key, rng)` may return a text, which takes its place.
  """

  def damage(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    whole = content.startswith(b'{\n')
    k = rng.randrange(len(lines))
    value = json.loads(content if whole else lines[k])
    container, key = rng.choice(list(_values(value)))
    mark = change(container, key, rng)
    if mark is not None:
      container[key] = 'PUT IT HERE'
    text = json.dumps(value, indent=2 if whole else None) + '\n'
    text = text.replace('"PUT IT HERE"', str(mark))
    lines[k] = text.encode()
    return text.encode() if whole else b''.join(lines)

  return damage


def _remove(container, key, rng) -> None:
  del container[key]


def _type(container, key, rng) -> None:
  others = [None, True, -7, 0.5, 'text', [], {}, [[]], {'a': 1}]
  container[key] = rng.choice([x for x in others if x != container[key]])


def _strange(container, key, rng) -> str:
  return rng.choice(
    [
      'NaN', 'Infinity', '-Infinity', '1e999', '1' + '0' * 400, '9' * 5000,
      '"\\ud800"', '"a\\u0000b"', '{"a": 1, "a": 2}', '"' + 'x' * 200_000 + '"',
      '[' * 200_000, '[' * 900 + ']' * 900,
    ]
  )  # fmt: skip


def _field(content: bytes, rng: random.Random) -> bytes:
  """Makes one field of a table something else."""
  lines = content.splitlines()
  k = rng.randrange(len(lines))
  fields = lines[k].split(b',')
  fields[rng.randrange(len(fields))] = rng.choice(
    [
      b'', b'nan', b'inf', b'-0.100000', b'1e-3', b'x' * 140_000, b'"', b'1_0',
      b'fear', b'test', b'"a\nb"', b'0.999999', b'1' * 5000,
    ]
  )  # fmt: skip
  lines[k] = b','.join(fields)
  return b'\n'.join(lines) + b'\n'


ANY: dict[str, Damage] = {
  'a cut end': _cut,
  'a flipped bit': _flip,
  'no byte': _empty,
}
TEXT: dict[str, Damage] = ANY | {
  'a deleted line': _lines(_delete),
  'a doubled line': _lines(_double),
  'two lines swapped': _lines(_swap),
  'a cut last line': _cut_the_last_line,
  'another digit': _digit,
  'not UTF-8': _not_utf8,
  'a NUL': _nul,
}
JSON: dict[str, Damage] = TEXT | {
  'a value removed': _json(_remove),
  'another type': _json(_type),
  'a strange value': _json(_strange),
  'deep nesting': lambda content, rng: b'[' * 200_000,
}
TABLE: dict[str, Damage] = TEXT | {'another field': _field}
DAMAGES: Mapping[str, Mapping[str, Damage]] = {
  'predictions.csv': TABLE,
  'results.json': JSON,
  'metrics.jsonl': JSON,
  'config.json': JSON,
  'linear.json': JSON,
  'extractor.json': JSON,
  'fitted.npz': ANY,
}


@dataclasses.dataclass(frozen=True)
class Asked:
  """A program and its arguments; OUT is where it writes."""

  program: str
  arguments: tuple[str, ...]


def asked(run: str, train: Sequence[str], clip: str = '') -> list[Asked]:
  """Returns every program that reads a run.

  Args:
    run: its folder.
    train: the arguments of bin/train that made it.
    clip: to predict; '' for none.
  """
  made = [
    Asked('evaluate', (f'--workdir={run}', '--output=OUT')),
    Asked('tables', (run, '--output=OUT')),
    Asked('figures', (run, '--output=OUT')),
    Asked('report', (run, '--clips=1', '--output=OUT/report.html')),
    Asked('train', (*train, f'--workdir={run}')),
  ]
  if clip:
    flags = f'--workdir={run}', '--json', '--output=OUT'
    made.append(Asked('predict', (clip, *flags)))
  return made


@dataclasses.dataclass(frozen=True)
class Answer:
  """Exit code, texts and files of a program."""

  code: int
  out: str
  error: str
  files: Mapping[str, bytes]

  def verdict(self, undamaged: 'Answer') -> str:
    """Returns what this answer is, beside that about the undamaged run."""
    if 'Traceback' in self.error or 'Traceback' in self.out:
      return 'TRACEBACK'
    lines = [x for x in self.error.splitlines() if not x.startswith('note: ')]
    if self.code == 2 and len(lines) == 1 and not self.files:
      return 'refused'
    same = dataclasses.replace(self, error='') == dataclasses.replace(
      undamaged, error=''
    )
    return 'unchanged' if same else 'CHANGED'


def answer(one: Asked, folder: pathlib.Path) -> Answer:
  """Returns the answer of a program in a folder, whose OUT is removed."""
  code, out, error = forked(one.program, *one.arguments, cwd=folder)
  made = {
    str(path.relative_to(folder)): path.read_bytes()
    for path in sorted((folder / 'OUT').rglob('*'))
    if path.is_file()
  }
  shutil.rmtree(folder / 'OUT', ignore_errors=True)
  return Answer(code, out, error, made)


@dataclasses.dataclass(frozen=True)
class Trial:
  """One damage to one file.

  Attributes:
    file: path of the file.
    damage: its name in DAMAGES.
    content: of the damaged file.
  """

  file: str
  damage: str
  content: bytes


def trials(
  folder: pathlib.Path, files: Sequence[str], count: int, seed: int
) -> list[Trial]:
  """Returns damages that change the bytes, the files in turn."""
  rng, made = random.Random(seed), []
  while len(made) < count:
    file = files[len(made) % len(files)]
    path = folder / file
    kinds = DAMAGES[path.name]
    damage = list(kinds)[len(made) // len(files) % len(kinds)]
    content = kinds[damage](path.read_bytes(), rng)
    if content != path.read_bytes():
      made.append(Trial(file, damage, content))
  return made


def try_one(
  trial: Trial,
  folder: pathlib.Path,
  programs: Mapping[Asked, Answer],
) -> dict[str, str]:
  """Returns program -> verdict, in a copy of a folder with one damaged file.

  Args:
    trial: the damage.
    folder: with the undamaged run.
    programs: each with its answer about the undamaged run.
  """
  found = {}
  with tempfile.TemporaryDirectory(prefix='avjax-damage-') as parent:
    copy = pathlib.Path(parent) / folder.name
    shutil.copytree(folder, copy)
    (copy / trial.file).write_bytes(trial.content)
    for one, undamaged in programs.items():
      try:
        found[one.program] = answer(one, copy).verdict(undamaged)
      except subprocess.TimeoutExpired:
        found[one.program] = 'HANG'
  return found


TRAIN = (
  '--config.data.store=s',
  '--config.model.streams=audio,shape',
  '--config.model.hidden_size=4',
  '--config.model.lstm_cells=4',
)


def prepare(folder: pathlib.Path) -> dict[str, list[Asked]]:
  """Makes clips, a store and two runs; returns run -> programs that read it."""

  def does(name: str, *arguments: str) -> None:
    code, _, error = forked(name, *arguments, cwd=folder)
    if code:
      raise SystemExit(error)

  does('synthesise', 'c', '--clips=15', '--speakers=5')
  does('extract', 'c', 's', '--streams=audio,shape', '--workers=2')
  clip = sorted((folder / 'c').glob('*.mp4'))[0].relative_to(folder)
  made = {}
  for run in ('proposed', 'linear'):
    train = (f'--config={ROOT}/configs/{run}.py:smoke', *TRAIN)
    does('train', *train, f'--workdir={run}')
    made[run] = asked(run, train, str(clip))
  return made


def without_digests(folder: pathlib.Path) -> None:
  """Makes the folder of a run as it was before digests."""
  for name, keys in (
    ('config.json', ('format', 'data_path')),
    ('results.json', ('digests', 'sha256')),
  ):
    content = json.loads((folder / name).read_text())
    for key in keys:
      content.pop(key, None)
    (folder / name).write_text(json.dumps(content, indent=2) + '\n')


FILES = {
  'proposed': (
    'proposed/predictions.csv', 'proposed/results.json',
    'proposed/metrics.jsonl', 'proposed/config.json',
    's/extractor/extractor.json', 's/extractor/fitted.npz',
  ),
  'linear': ('linear/linear.json',),
}  # fmt: skip


def main() -> int:
  """Runs the trials and prints the counts; returns 1 if one is bad."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--count', type=int, default=200)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--without_digests', action='store_true')
  options = parser.parse_args()
  counts: collections.Counter[tuple[str, str]] = collections.Counter()
  with tempfile.TemporaryDirectory(prefix='avjax-damage-') as parent:
    folder = pathlib.Path(parent) / 'work'
    folder.mkdir()
    programs = prepare(folder)
    share = options.count // sum(map(len, FILES.values()))
    todo = []
    for run, files in FILES.items():
      if options.without_digests:
        without_digests(folder / run)
      known = {one: answer(one, folder) for one in programs[run]}
      assert not any(one.code for one in known.values()), known
      number = share if run == 'linear' else options.count - share
      todo += [
        (trial, known) for trial in trials(folder, files, number, options.seed)
      ]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
      verdicts = pool.map(lambda pair: try_one(pair[0], folder, pair[1]), todo)
      for (trial, _), found in zip(todo, verdicts, strict=True):
        counts.update((trial.file, verdict) for verdict in found.values())
        print(f'{trial.file}: {trial.damage}: {found}', flush=True)
  print(f'{len(todo)} damages, {sum(counts.values())} answers')
  for (file, verdict), number in sorted(counts.items()):
    print(f'{file}: {verdict} {number}')
  good = (*GOOD, 'CHANGED') if options.without_digests else GOOD
  bad = sum(n for (_, verdict), n in counts.items() if verdict not in good)
  return int(bad > 0)


if __name__ == '__main__':
  sys.exit(main())
