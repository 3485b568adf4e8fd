"""A corpus of raw clips -> a feature store: measure, fit, apply.

Several processes compute the raw features of the clips and write them to
OUT.work, so that an interrupted extraction can resume, and several machines can
each take a shard. Then the transforms are fitted on the training clips and
applied to all clips, and the finished store is moved to OUT in one step.
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
  """The options of bin/extract.

  Attributes:
    corpus: folder of the clips.
    out: folder of the new store; OUT.work beside it is the work folder.
    clips: the table with one row per clip; ignored if `named` is given.
    settings: of the features.
    fit_on: 'training': fit on the clips of that split; 'all': on every clip,
      for a corpus without splits. Only the random forest uses the labels.
    faces: folder of labelled faces for the random forest, or ''.
    extractor: folder of an extractor to apply instead of fitting one, or ''.
    transfer: whether that extractor may come from another corpus.
    shard: (i, n): only measure every n-th clip from the i-th; or None.
    workers: number of processes.
    named: name of a corpus with a reader, such as 'ravdess', or ''.
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
    """The work folder."""
    return self.out.with_name(self.out.name + '.work')


_SIDECARS = (
  '.csv', '.json', '.jsonl', '.mat', '.npy', '.npz', '.pts', '.txt', '.xml',
)  # fmt: skip
"""Endings of files that may lie beside a clip under the same name."""

Progress = Callable[[int, int, str], None]
"""Called with the clips done, all clips and the name of the last clip."""


def finished(request: ExtractionRequest) -> str | None:
  """Returns the report of a finished store, or None if there is no store.

  Raises:
    DataError: OUT is not a store, or was extracted with other settings.
  """
  out = request.out
  if not out.exists() or (out.is_dir() and not any(out.iterdir())):
    return None
  try:
    made = extractors.load(out / extractors.FOLDER)
    report = (out / 'report.txt').read_text(encoding='utf-8')
  except (OSError, DataError):
    raise DataError(
      f'{out} exists and is not a store of bin/extract; choose another folder'
    ) from None
  if request.extractor:
    same = extractors.load(request.extractor).fingerprint == made.fingerprint
  else:
    same = extractors.plain(request.settings) == extractors.plain(made.settings)
  if not same:
    raise DataError(
      f'{out} was extracted with other settings; choose another folder, or'
      ' remove it'
    )
  return report


def extract(
  request: ExtractionRequest, progress: Progress
) -> tuple[CorpusReport, dict[str, float]]:
  """Extracts the store OUT, or a shard of its work folder.

  Args:
    request: the options; see `ExtractionRequest`.
    progress: called after every clip.

  Returns:
    The report, and the seconds of every stage, summed over the processes.

  Raises:
    DataError: the corpus or a folder cannot be used, or no clip can.
  """
  if request.extractor:
    fitted = extractors.load(request.extractor)
    request = dataclasses.replace(request, settings=fitted.settings)
  rows, sources, remarks = _read(request)
  workers.measure(request.settings)  # missing packages and files fail here
  chosen = list(range(len(rows)))
  if request.shard:
    chosen = chosen[request.shard[0] - 1 :: request.shard[1]]
  work_folder.begin(request.work, request.settings)
  measured, failed, seconds = _measure(request, rows, sources, chosen, progress)
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
      for k in chosen
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
    training = (
      list(measured)
      if request.fit_on == 'all'
      else fitting.training(rows, measured)
    )
    fitted = fitting.fit(
      rows, measured, training, request.settings, request.faces
    )
  report = dataclasses.replace(report, about=(*remarks, *fitted.about))
  _write(request, rows, measured, fitted, report)
  seconds['fit, apply, write'] = time.perf_counter() - start
  return report, seconds


def shard(text: str | None) -> tuple[int, int] | None:
  """Returns the shard (i, n) for the text 'i/n', or None for None.

  Raises:
    ConfigError: the text is not of that form, or not 1 <= i <= n.
  """
  if text is None:
    return None
  index, _, count = text.partition('/')
  if not (index.isdecimal() and count.isdecimal()) or not (
    1 <= int(index) <= int(count)
  ):
    raise ConfigError(f'the shard is {text!r}; it must be like 1/4, ..., 4/4')
  return int(index), int(count)


def _read(
  request: ExtractionRequest,
) -> tuple[list[dict[str, str]], list[pathlib.Path | str], list[str]]:
  """Returns the table's rows, per row a file or a fault, and remarks."""
  if not request.named:
    rows = clip_table.read(request.clips, {})
    return rows, _sources(request.corpus, [row['clip'] for row in rows]), []
  listed = catalogue.read(request.named, request.corpus)
  sources = [request.corpus / entry.path for entry in listed.entries]
  remarks = [f'known to be bad: {e.name} {why}' for e, why in listed.faults]
  remarks += [f'broken: {path} {why}' for path, why in listed.broken]
  return listing.rows(request.named, listed.entries), [*sources], remarks


def _sources(
  corpus: pathlib.Path, names: Sequence[str]
) -> list[pathlib.Path | str]:
  """Returns each clip's file, or as text why there is none."""
  if not corpus.is_dir():
    raise DataError(f'{corpus} is not a folder; give the folder of the clips')
  by_name: dict[str, list[pathlib.Path]] = defaultdict(list)
  for path in sorted(corpus.rglob('*')):
    if path.is_file():
      inside = path.relative_to(corpus)
      by_name[inside.as_posix()].append(path)
      by_name[inside.with_suffix('').as_posix()].append(path)
  sources: list[pathlib.Path | str] = []
  for name in names:
    paths = by_name.get(name, [])
    if len(paths) > 1:
      paths = [path for path in paths if path.suffix not in _SIDECARS]
    if len(paths) == 1:
      sources.append(paths[0])
    elif paths:
      listed = ', '.join(path.name for path in paths)
      sources.append(
        f'several files have this name: {listed}; add the ending to the name'
      )
    else:
      sources.append('there is no such file')
  return sources


def _measure(
  request: ExtractionRequest,
  rows: Sequence[Mapping[str, str]],
  sources: Sequence[pathlib.Path | str],
  chosen: Sequence[int],
  progress: Progress,
) -> tuple[dict[int, Measured], dict[int, str], dict[str, float]]:
  """Returns the measured clips and the failures by row, and the seconds."""
  failed, measured, tasks = {}, {}, {}
  for k in chosen:
    source = sources[k]
    if isinstance(source, str):
      failed[k] = source
      continue
    name = rows[k]['clip']
    path = work_folder.path_of(request.work, name)
    ready = work_folder.read(path)
    if ready is None or ready.sha256 != digest(source):
      tasks[k] = workers.Task(name, str(source), str(request.corpus), str(path))
    else:
      measured[k] = ready
  done = len(chosen) - len(tasks)
  if tasks:
    progress(done, len(chosen), '')
  seconds: dict[str, float] = defaultdict(float)
  for k, outcome in workers.measure_all(
    tasks, request.settings, request.workers
  ):
    done += 1
    progress(done, len(chosen), rows[k]['clip'])
    for stage, taken in outcome.seconds.items():
      seconds[stage] += taken
    ready = (
      None
      if outcome.failure
      else work_folder.read(pathlib.Path(tasks[k].target))
    )
    if ready is None:
      failed[k] = outcome.failure or 'its raw features cannot be read back'
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
  """Raises DataError for another corpus's extractor without --transfer."""
  if request.transfer:
    return
  training = fitting.training(rows, measured)
  if fitting.fingerprint(rows, measured, training) != fitted.corpus:
    raise DataError(
      f'{request.extractor} was fitted on other training clips than those of'
      f' {request.clips}; add --transfer to apply it anyway'
    )


def _write(
  request: ExtractionRequest, rows, measured, fitted, report: CorpusReport
) -> None:
  """Writes the store in the work folder and moves it to OUT."""
  clips = []
  for k, ready in measured.items():
    streams = fitted(ready.columns())
    clips.append(clip_table.clip(rows[k], streams, ready.sha256))
  folder = request.work / 'store'
  shutil.rmtree(folder, ignore_errors=True)
  origin = request.named or request.clips.name
  facts = [f'extracted from {origin}', *fitted.about]
  source = '; '.join([*facts, f'extractor {fitted.fingerprint}'])
  store.write(folder, clips, source, fitted.fingerprint)
  fitted.save(folder / extractors.FOLDER)
  files.put(folder / 'clips.csv', report.table().encode())
  files.put(folder / 'report.txt', f'{report}\n'.encode())
  if request.out.exists():
    request.out.rmdir()  # it is empty: see `finished`
  os.rename(folder, request.out)
  shutil.rmtree(request.work)


def stages(clips: int, seconds: Mapping[str, float]) -> Iterator[str]:
  """Yields a line per stage: clips per second of one process."""
  for stage, taken in seconds.items():
    if taken > 0:
      yield f'{stage}: {clips / taken:.1f} clips per second ({taken:.1f} s)'
