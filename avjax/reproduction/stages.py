"""The stages of a reproduction: features, runs, tables, figures and report.

Every stage keeps its finished results. To resume a reproduction that was
interrupted, run it again.
"""

import contextlib
import functools
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from avjax import files
from avjax.data.corpora import afew, catalogue
from avjax.features import extraction, measuring, random_forest
from avjax.reporting import captioned, figures, html, tables, titles
from avjax.reproduction import differences
from avjax.reproduction.request import RECORDS, ReproductionRequest
from avjax.runs import experiment, finished
from avjax.runs.folder import RESULTS
from avjax.runs.registry import MODELS

FEATURES, LAST = 'features', 'tables, figures, page'
SECONDS, README, PAGE = 'seconds.json', 'README.md', 'report.html'
CLIPS = 28  # number of clips of each run in the report


def reproduce(
  request: ReproductionRequest,
  progress: extraction.Progress,
  command: Sequence[str],
) -> dict[str, float]:
  """Runs the stages that are not finished; returns the seconds of each stage.

  Args:
    request: the request.
    progress: called after each clip that is measured.
    command: the command line, for the report.

  Raises:
    AvjaxError: a stage failed; finished stages are kept.
  """
  trained = request.runs()
  if not request.store.exists():
    _check(request)  # before anything is written
  with files.lock(request.out):
    request.begin()
    stages: dict[str, Callable[[], Any]] = {
      FEATURES: functools.partial(_extract, request, progress)
    }
    for folder, settings in trained.items():
      stages[folder.name] = functools.partial(
        experiment.train, settings, folder
      )
    stages[LAST] = functools.partial(_report, request, command)
    done = _done(request)
    left = [name for name in stages if name not in done]
    finished_stages = f'finished: {_listed(done)}' if done else 'new'
    _print(f'{request.out}: {finished_stages}')
    _print(f'to do: {_listed(left) or "nothing"}')
    for number, name in enumerate(left, 1):
      _print(f'== {name} ({number} of {len(left)})')
      with _timed(request.out / SECONDS, name):
        stages[name]()
    seconds = _seconds(request.out / SECONDS)
  return {name: seconds[name] for name in stages if name in seconds}


def _check(request: ReproductionRequest) -> None:
  """Raises AvjaxError if the corpus or a given file cannot be used."""
  catalogue.read('afew', request.afew)
  measuring.measure(request.features)
  if request.sfew:
    random_forest.read_images(afew.faces(request.sfew))


def _done(request: ReproductionRequest) -> list[str]:
  """Returns the finished stages."""
  ends = {FEATURES: request.store}
  ends |= {f.name: f / RESULTS for f in request.runs()}
  ends[LAST] = request.out / PAGE
  done: list[str] = []
  for name, path in ends.items():
    if not path.exists():
      break  # later stages depend on this one
    done.append(name)
  return done


def _extract(
  request: ReproductionRequest, progress: extraction.Progress
) -> None:
  """Makes the store, and prints how many clips were used."""
  wanted = extraction.ExtractionRequest(
    corpus=request.afew,
    out=request.store,
    settings=request.features,
    faces=request.sfew,
    workers=request.workers,
    named='afew',
  )
  report, seconds = extraction.extract(wanted, progress, _print)
  _print(str(report))
  for line in extraction.stages(report.usable, seconds):
    _print(line)


def _report(request: ReproductionRequest, command: Sequence[str]) -> None:
  """Writes tables, figures, README.md and, last, the report."""
  groups = titles.entitled(
    finished.grouped(finished.load_all(list(request.runs())))
  )
  made = tables.make_tables(groups)
  tables.write(made, request.out / 'tables')
  row = next(name for name, model in MODELS.items() if model.reference)
  run = finished.load_all([request.out / 'runs' / row])[0]
  study = figures.make_study(run)
  pictures = figures.make_figures(study)
  captioned.write(pictures, request.out / 'figures')
  sentences = differences.list_differences(request)
  text = differences.readme(made, pictures, sentences)
  files.write_text(request.out / README, text)
  page, left_out = html.report(groups, CLIPS, command, sentences)
  for title, why in left_out.items():
    _print(f'left out clips and maps of {title}: {why}')
  files.write_text(request.out / PAGE, page)


@contextlib.contextmanager
def _timed(path: pathlib.Path, name: str) -> Iterator[None]:
  """Adds the time that passes to the seconds of a stage, in seconds.json.

  Time before an exception, or a signal that a training handles, counts too.
  """
  start = time.perf_counter()
  try:
    yield
  finally:
    seconds = _seconds(path)
    seconds[name] = seconds.get(name, 0) + time.perf_counter() - start
    files.write_json(path, seconds)


def _seconds(path: pathlib.Path) -> dict[str, float]:
  return RECORDS.json(path, dict[str, float]) if path.exists() else {}


def _listed(names: Sequence[str]) -> str:
  return '; '.join(names)


def _print(text: str) -> None:
  print(text, file=sys.stderr, flush=True)
