"""A corpus of raw clips -> a feature store: measure, fit, apply.

Every clip is measured by one of several processes and put into OUT.work, so
that a run that was cut off goes on from there, and so that several machines
may each take a shard. Then everything is fitted on the training clips, applied
to all of them, and the finished store moves to OUT in one step.
"""

import dataclasses
import os
import pathlib
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from avjax import files
from avjax.data import clip_table, store
from avjax.data.corpora import catalogue, listing
from avjax.data.corpora.tree import digest
from avjax.errors import ConfigError, DataError
from avjax.features import extractor as extractors
from avjax.features import fitting, work_folder, workers
from avjax.features.corpus_report import CorpusReport, Row
from avjax.features.work_folder import Measured
from avjax.settings import FeaturesConfig


@dataclasses.dataclass(frozen=True)
class ExtractionRequest:
  """What bin/extract is asked for.

  Attributes:
    corpus: folder of the clips.
    out: the store, which is made; OUT.work beside it holds the work.
    clips: the table, with a row a clip; not looked at where `named` is given.
    settings: of the features.
    fit_on: 'training', the clips of that split; 'all', every clip, for a
      corpus without splits: no label is looked at but by the random forest.
    faces: folder of labelled faces for the random forest, or ''.
    extractor: folder of an extractor to apply instead of fitting one, or ''.
    transfer: whether it may be that of another corpus.
    shard: (i, n): measure only every n-th clip from the i-th, and stop there.
    workers: processes.
    named: the corpus that the folder is, such as 'ravdess', or ''.
  """

  corpus: pathlib.Path
  out: pathlib.Path
  clips: pathlib.Path
  settings: FeaturesConfig
  fit_on: str = 'training'
  faces: str = ''
  extractor: str = ''
  transfer: bool = False
  shard: tuple[int, int] | None = None
  workers: int = 1
  named: str = ''

  @property
  def work(self) -> pathlib.Path:
    """The folder of what is measured."""
    return self.out.with_name(self.out.name + '.work')


_SIDECARS = (
  '.csv', '.json', '.jsonl', '.mat', '.npy', '.npz', '.pts', '.txt', '.xml',
)  # fmt: skip
"""Endings of what may lie beside a clip and have its name."""

Progress = Callable[[int, int, str], None]
"""Called with clips done, clips in all and the name of the last."""


def finished(request: ExtractionRequest) -> str | None:
  """Returns the report of a store that is finished; None where there is none.

  Raises:
    DataError: OUT is something else, or was made with other settings.
  """
  out = request.out
  if not out.exists() or (out.is_dir() and not any(out.iterdir())):
    return None
  try:
    made = extractors.load(out / extractors.FOLDER)
    report = (out / 'report.txt').read_text(encoding='utf-8')
  except (OSError, DataError):
    raise DataError(
      f'{out} exists and is no store of bin/extract; choose another folder'
    ) from None
  if request.extractor:
    same = extractors.load(request.extractor).fingerprint == made.fingerprint
  else:
    same = extractors.plain(request.settings) == extractors.plain(made.settings)
  if not same:
    raise DataError(
      f'{out} is a store that was extracted with other settings; choose another'
      ' folder, or remove it'
    )
  return report


def extract(
  request: ExtractionRequest, progress: Progress
) -> tuple[CorpusReport, dict[str, float]]:
  """Returns the report, and the seconds of every stage over all processes.

  Raises:
    DataError: the corpus or a folder cannot be used, or no clip can.
  """
  if request.extractor:
    fitted = extractors.load(request.extractor)
    request = dataclasses.replace(request, settings=fitted.settings)
  rows, sources, told = _read(request)
  workers.measure(request.settings)  # fails here, if it must
  mine = list(range(len(rows)))
  if request.shard:
    mine = mine[request.shard[0] - 1 :: request.shard[1]]
  work_folder.begin(request.work, request.settings)
  measured, failed, seconds = _measure(request, rows, sources, mine, progress)
  report = CorpusReport(
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
    if not request.shard:
      shutil.rmtree(request.work)
    raise DataError(f'no clip of {request.corpus} can be used: {first}')
  if request.shard:
    return report, seconds
  start = time.perf_counter()
  if request.extractor:
    _check_corpus(request, fitted, rows, measured)
  else:
    chosen = (
      list(measured)
      if request.fit_on == 'all'
      else fitting.training(rows, measured)
    )
    fitted = fitting.fit(
      rows, measured, chosen, request.settings, request.faces
    )
  report = dataclasses.replace(report, about=(*told, *fitted.about))
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


def _read(
  request: ExtractionRequest,
) -> tuple[list[dict[str, str]], list[pathlib.Path | str], list[str]]:
  """Returns a row a clip, its file or why there is none, and what to tell."""
  if not request.named:
    rows = clip_table.read(request.clips, {})
    return rows, _sources(request.corpus, [row['clip'] for row in rows]), []
  found = catalogue.read(request.named, request.corpus)
  sources = [request.corpus / entry.path for entry in found.entries]
  told = [f'known to be bad: {e.name} {why}' for e, why in found.faults]
  told += [f'broken: {path} {why}' for path, why in found.broken]
  return listing.rows(request.named, found.entries), [*sources], told


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
  sources: list[pathlib.Path | str] = []
  for name in names:
    there = found.get(name, [])
    if len(there) > 1:
      there = [path for path in there if path.suffix not in _SIDECARS]
    if len(there) == 1:
      sources.append(there[0])
    elif there:
      listed = ', '.join(path.name for path in there)
      sources.append(
        f'several files have this name: {listed}; give the ending too'
      )
    else:
      sources.append('there is no such file')
  return sources


def _measure(
  request: ExtractionRequest,
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
    path = work_folder.place(request.work, name)
    ready = work_folder.read(path)
    if ready is None or ready.sha256 != digest(source):
      tasks[k] = workers.Task(name, str(source), str(request.corpus), str(path))
    else:
      measured[k] = ready
  done = len(mine) - len(tasks)
  if tasks:
    progress(done, len(mine), '')
  seconds: dict[str, float] = defaultdict(float)
  for k, outcome in workers.measure_all(
    tasks, request.settings, request.workers
  ):
    done += 1
    progress(done, len(mine), rows[k]['clip'])
    for stage, taken in outcome.seconds.items():
      seconds[stage] += taken
    ready = (
      None
      if outcome.failure
      else work_folder.read(pathlib.Path(tasks[k].target))
    )
    if ready is None:
      failed[k] = outcome.failure or 'its measured columns cannot be read'
    else:
      measured[k] = ready
  in_order = {k: measured[k] for k in sorted(measured)}
  return in_order, failed, dict(seconds)


def _check_corpus(
  request: ExtractionRequest,
  fitted: extractors.Extractor,
  rows: fitting.Rows,
  measured: Mapping[int, Measured],
) -> None:
  """Raises DataError for another corpus's extractor, unless it is asked for."""
  if request.transfer:
    return
  chosen = fitting.training(rows, measured)
  if fitting.fingerprint(rows, measured, chosen) != fitted.corpus:
    raise DataError(
      f'{request.extractor} was fitted on other training clips than those of'
      f' {request.clips}; --transfer applies it all the same'
    )


def _write(
  request: ExtractionRequest, rows, measured, fitted, report: CorpusReport
) -> None:
  """Leaves the finished store in OUT, in one step."""
  clips = []
  for k, part in measured.items():
    clips.append(clip_table.clip(rows[k], fitted(part.columns()), part.sha256))
  place = request.work / 'store'
  shutil.rmtree(place, ignore_errors=True)
  origin = request.named or request.clips.name
  facts = [f'extracted from {origin}', *fitted.about]
  source = '; '.join([*facts, f'extractor {fitted.fingerprint}'])
  store.write(place, clips, source, fitted.fingerprint)
  fitted.save(place / extractors.FOLDER)
  files.put(place / 'clips.csv', report.table().encode())
  files.put(place / 'report.txt', f'{report}\n'.encode())
  if request.out.exists():
    request.out.rmdir()  # an empty one
  os.rename(place, request.out)
  shutil.rmtree(request.work)


def stages(clips: int, seconds: Mapping[str, float]) -> Iterator[str]:
  """Yields a line for every stage: clips a second of one process."""
  for stage, taken in seconds.items():
    if taken > 0:
      yield f'{stage}: {clips / taken:.1f} clips a second ({taken:.1f} s)'
