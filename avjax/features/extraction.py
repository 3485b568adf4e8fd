"""A corpus of raw clips -> a feature store: measure, fit, apply.

Every clip is measured by one of several processes and put into OUT.work, so
that a run that was cut off goes on from there, and so that several machines
may each take a shard. Then everything is fitted on the training clips, applied
to all of them, and the finished store moves to OUT in one step.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

import avjax
from avjax.clips import Clip
from avjax.data import npy, splits, store, table
from avjax.errors import AvjaxError, ConfigError, DataError
from avjax.features import extractor as extractors
from avjax.features import whitening, workers
from avjax.features.columns import Columns
from avjax.features.corpus_report import Report, Row
from avjax.settings import Features

FRAMES = 20_000  # of the random forest and of pool5's deviations, at most


@dataclasses.dataclass(frozen=True)
class Request:
  """What bin/extract is asked for.

  Attributes:
    corpus: folder of the clips.
    out: the store, which is made; OUT.work beside it holds the work.
    clips: the table, with a row a clip.
    settings: of the features.
    fit_on: 'training', the clips of that split; 'all', every clip, for a
      corpus without splits: no label is looked at but by the random forest.
    faces: folder of labelled faces for the random forest, or ''.
    extractor: folder of an extractor to apply instead of fitting one, or ''.
    transfer: whether it may be that of another corpus.
    shard: (i, n): measure only every n-th clip from the i-th, and stop there.
    workers: processes.
  """

  corpus: pathlib.Path
  out: pathlib.Path
  clips: pathlib.Path
  settings: Features
  fit_on: str = 'training'
  faces: str = ''
  extractor: str = ''
  transfer: bool = False
  shard: tuple[int, int] | None = None
  workers: int = 1

  @property
  def work(self) -> pathlib.Path:
    """The folder of what is measured."""
    return self.out.with_name(self.out.name + '.work')


Progress = Callable[[int, int, str], None]
"""Called with clips done, clips in all and the name of the last."""


def run(
  request: Request, progress: Progress
) -> tuple[Report, dict[str, float]]:
  """Returns the report, and the seconds of every stage over all processes.

  Raises:
    DataError: the corpus or a folder cannot be used, or no clip can.
  """
  if request.extractor:
    fitted = extractors.load(request.extractor)
    request = dataclasses.replace(request, settings=fitted.settings)
  rows = table.read(request.clips, {})
  sources = _sources(request.corpus, [row['clip'] for row in rows])
  workers.measure(request.settings)  # fails here, if it must
  mine = list(range(len(rows)))
  if request.shard:
    mine = mine[request.shard[0] - 1 :: request.shard[1]]
  _open_work(request)
  measured, failed, seconds = _measure(request, rows, sources, mine, progress)
  report = Report(
    tuple(
      Row(
        clip=rows[k]['clip'],
        label=rows[k]['label'],
        speaker=rows[k]['speaker'],
        sha256=measured[k].sha256 if k in measured else '',
        frames=len(measured[k].found) if k in measured else 0,
        faces=int(measured[k].found.sum()) if k in measured else 0,
        notes=measured[k].notes if k in measured else (),
        failure=failed.get(k, ''),
      )
      for k in mine
    ),
    bool({'shape', 'appearance'} & set(request.settings.streams)),
  )
  if not measured:
    first = next(iter(failed.values()), 'the table has no rows')
    raise DataError(f'no clip of {request.corpus} can be used: {first}')
  if request.shard:
    return report, seconds
  start = time.perf_counter()
  if request.extractor:
    _check_corpus(request, fitted, rows, measured)
  else:
    fitted = _fit(request, rows, measured)
  _write(request, rows, measured, fitted, report)
  seconds['fit, apply, write'] = time.perf_counter() - start
  return report, seconds


def shard(text: str | None) -> tuple[int, int] | None:
  """Returns (i, n) of 'i/n', or None for None.

  Raises:
    ConfigError: it is not of that form, or not 1 <= i <= n.
  """
  if text is None:
    return None
  part, _, parts = text.partition('/')
  if not (part.isdecimal() and parts.isdecimal()) or not (
    1 <= int(part) <= int(parts)
  ):
    raise ConfigError(f'the shard is {text!r}; it must be like 1/4, ..., 4/4')
  return int(part), int(parts)


@dataclasses.dataclass(frozen=True)
class Measured:
  """One clip's file in the work folder, read when it is needed."""

  path: pathlib.Path
  sha256: str
  found: np.ndarray
  notes: tuple[str, ...]

  def columns(self) -> Columns:
    """Returns what was measured."""
    arrays = npy.unpack(self.path.read_bytes())
    found = arrays.pop('found')
    for name in ('notes', 'sha256'):
      del arrays[name]
    return Columns(arrays, found, self.notes, {})


def _sources(
  corpus: pathlib.Path, names: Sequence[str]
) -> list[pathlib.Path | str]:
  """Returns each clip's file, or why there is none."""
  if not corpus.is_dir():
    raise DataError(f'{corpus} is not a folder; give the one with the clips')
  found: dict[str, list[pathlib.Path]] = defaultdict(list)
  for path in sorted(corpus.rglob('*')):
    if path.is_file():
      inside = path.relative_to(corpus)
      found[inside.as_posix()].append(path)
      found[inside.with_suffix('').as_posix()].append(path)
  media = ('.npy', '.npz', '.csv', '.json', '.jsonl', '.txt', '.xml', '.mat')
  sources: list[pathlib.Path | str] = []
  for name in names:
    there = found.get(name, [])
    if len(there) > 1:
      there = [path for path in there if path.suffix not in media]
    if len(there) == 1:
      sources.append(there[0])
    elif there:
      listed = ', '.join(path.name for path in there)
      sources.append(f'several files have this name ({listed})')
    else:
      sources.append('there is no such file')
  return sources


def _open_work(request: Request) -> None:
  """Makes the work folder, or checks that it belongs to this request."""
  if request.out.exists() and any(request.out.iterdir()):
    raise DataError(
      f'{request.out} exists already; it is finished: train on it, or choose'
      ' another folder'
    )
  settings = {
    'avjax': avjax.__version__,
    **dataclasses.asdict(request.settings),
  }
  for key in ('audio_width', 'shape_width', 'appearance_width'):
    del settings[key]  # what is measured does not depend on them
  text = json.dumps(settings, indent=2, sort_keys=True).encode()
  place = request.work / 'settings.json'
  try:
    (request.work / 'clips').mkdir(parents=True, exist_ok=True)
    if not place.exists():
      store.put(place, text)
    elif place.read_bytes() != text:
      raise DataError(
        f'{request.work} was begun with other settings; ask for those, or'
        ' remove it to begin again'
      )
  except OSError as error:
    raise DataError(
      f'cannot write to {request.work}: {error.strerror}'
    ) from error


def _measure(
  request: Request,
  rows: Sequence[Mapping[str, str]],
  sources: Sequence[pathlib.Path | str],
  mine: Sequence[int],
  progress: Progress,
) -> tuple[dict[int, Measured], dict[int, str], dict[str, float]]:
  """Returns what was measured and what failed, by row, and the seconds."""
  failed, measured, tasks = {}, {}, {}
  for k in mine:
    source = sources[k]
    if isinstance(source, str):
      failed[k] = source
      continue
    name = rows[k]['clip']
    key = hashlib.sha256(name.encode()).hexdigest()[:24]
    path = request.work / 'clips' / f'{key}.npz'
    ready = _ready(path, source)
    if ready is None:
      tasks[k] = workers.Task(name, str(source), str(request.corpus), str(path))
    else:
      measured[k] = ready
  done = len(mine) - len(tasks)
  progress(done, len(mine), '')
  seconds: dict[str, float] = defaultdict(float)
  for k, outcome in workers.run(tasks, request.settings, request.workers):
    done += 1
    progress(done, len(mine), rows[k]['clip'])
    for stage, taken in outcome.seconds.items():
      seconds[stage] += taken
    ready = None if outcome.failure else _read(pathlib.Path(tasks[k].target))
    if ready is None:
      failed[k] = outcome.failure or 'its measured columns cannot be read'
    else:
      measured[k] = ready
  in_order = {k: measured[k] for k in sorted(measured)}
  return in_order, failed, dict(seconds)


def _ready(path: pathlib.Path, source: pathlib.Path) -> Measured | None:
  """Returns what an earlier run left, if the clip has not changed since."""
  measured = _read(path)
  if measured is None or measured.sha256 != workers.digest(source):
    return None
  return measured


def _read(path: pathlib.Path) -> Measured | None:
  """Returns a file of the work folder; None where it is not whole."""
  try:
    arrays = npy.unpack(path.read_bytes())
    notes = json.loads(arrays['notes'].tobytes())
    return Measured(
      path, arrays['sha256'].tobytes().hex(), arrays['found'], tuple(notes)
    )
  except (OSError, AvjaxError, KeyError, ValueError):
    return None


def _training(
  request: Request, rows: Sequence[Mapping[str, str]], measured
) -> list[int]:
  """Returns the rows that are fitted on."""
  if request.fit_on == 'all':
    return list(measured)
  clips = [Clip(rows[k]['clip'], {}, split=rows[k]['split']) for k in measured]
  try:
    names = {c.name for c in splits.by_name(clips).get('training', [])}
  except DataError as error:
    raise DataError(f'{error}; or fit on all clips: --fit_on=all') from None
  if not names:
    raise DataError(
      f'no usable clip of {request.clips} is in the training split; name one in'
      ' the column split, or fit on all clips: --fit_on=all'
    )
  return [k for k in measured if rows[k]['clip'] in names]


def _fingerprint(rows, measured: Mapping[int, Measured], chosen) -> str:
  """Returns a SHA-256 over the names, labels and files that are fitted on."""
  lines = [
    [rows[k]['clip'], rows[k]['label'], measured[k].sha256] for k in chosen
  ]
  return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def _check_corpus(request: Request, fitted, rows, measured) -> None:
  """Raises DataError for another corpus's extractor, unless it is asked for."""
  if request.transfer:
    return
  chosen = _training(request, rows, measured)
  if _fingerprint(rows, measured, chosen) != fitted.corpus:
    raise DataError(
      f'{request.extractor} was fitted on other training clips than those of'
      f' {request.clips}; --transfer applies it all the same'
    )


def _fit(
  request: Request, rows, measured: Mapping[int, Measured]
) -> extractors.Extractor:
  """Returns the extractor of the training clips."""
  settings = request.settings
  chosen = _training(request, rows, measured)
  training = {k: measured[k].columns() for k in chosen}
  audio = shape = appearance = None
  about = [
    f'fitted on {len(chosen)} clips'
    + (' of the training split' if request.fit_on == 'training' else ', all')
  ]
  network = ''
  if 'audio' in settings.streams:
    heard = [columns.arrays['audio'] for columns in training.values()]
    audio = whitening.fit(heard, settings.audio_width)
  if 'shape' in settings.streams:
    seen = [c.arrays['shape'][c.found] for c in training.values()]
    shape = whitening.fit(seen, settings.shape_width)
  if 'appearance' in settings.streams:
    eyes = extractors.network(settings)
    network = eyes.fingerprint
    about.append(eyes.description)
    appearance, how = _fit_appearance(request, eyes, rows, training)
    about.append(how)
  return extractors.Extractor(
    settings=settings,
    corpus=_fingerprint(rows, measured, chosen),
    network=network,
    about=tuple(about),
    audio=audio,
    shape=shape,
    appearance=appearance,
  )


def _fit_appearance(request: Request, eyes, rows, training):
  """Returns what is kept of pool5, and a line that says by what."""
  total = sum(int(columns.found.sum()) for columns in training.values())
  step = max(1, -(-total // FRAMES))
  pool5, labels = [], []
  for k, columns in training.items():
    frames = columns.arrays['pool5'][columns.found][::step]
    pool5.append(frames)
    labels += [rows[k]['label']] * len(frames)
  seen = np.concatenate(pool5)
  if request.faces:
    from avjax.features import selection

    images, labels = selection.read_images(request.faces)
    examples = eyes.pool5(images)
    how = f'random forest on {len(images)} faces of {request.faces}'
  else:
    examples = seen
    how = f'random forest on {len(seen)} frames of those clips'
  kept = extractors.fit_appearance(seen, examples, labels, request.settings)
  return kept, how


def _write(request: Request, rows, measured, fitted, report: Report) -> None:
  """Leaves the finished store in OUT, in one step."""
  clips = []
  for k, part in measured.items():
    row = rows[k]
    clips.append(
      Clip(
        row['clip'],
        fitted(part.columns()),
        row['label'] or None,
        row['speaker'],
        row['split'],
      )
    )
  place = request.work / 'store'
  shutil.rmtree(place, ignore_errors=True)
  source = (
    f'extracted from {request.clips.name}; extractor {fitted.fingerprint}'
  )
  store.write(place, clips, source=source)
  fitted.save(place / extractors.FOLDER)
  store.put(place / 'clips.csv', report.table().encode())
  text = '\n'.join([str(report), *fitted.about]) + '\n'
  store.put(place / 'report.txt', text.encode())
  if request.out.exists():
    request.out.rmdir()  # an empty one
  os.rename(place, request.out)
  shutil.rmtree(request.work)


def stages(clips: int, seconds: Mapping[str, float]) -> Iterator[str]:
  """Yields a line for every stage: clips a second of one process."""
  for stage, taken in seconds.items():
    if taken > 0:
      yield f'{stage}: {clips / taken:.1f} clips a second ({taken:.1f} s)'
