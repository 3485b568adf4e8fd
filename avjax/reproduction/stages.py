"""Features, runs, tables, figures and page, one after another.

Every stage keeps what it has finished and goes on from there, so that a run
that was cut off is continued by asking for it again.
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
from avjax.features import extraction, random_forest, workers
from avjax.reporting import figures, html, tables
from avjax.reproduction import differences
from avjax.reproduction.request import ReproductionRequest
from avjax.runs import experiment, finished
from avjax.runs.folder import RESULTS
from avjax.runs.registry import MODELS

FEATURES, LAST = 'features', 'tables, figures, page'
SECONDS, README, PAGE = 'seconds.json', 'README.md', 'report.html'
CLIPS = 28  # test clips of each run on the page
Progress = Callable[[int, int, str], None]


def reproduce(
  request: ReproductionRequest, progress: Progress, command: Sequence[str]
) -> dict[str, float]:
  """Returns the seconds of every stage, after doing what is not done yet.

  Args:
    request: what is asked for.
    progress: is told of every clip that is measured.
    command: how it was asked for, for the page.

  Raises:
    AvjaxError: a stage cannot be done; what is finished stays.
  """
  trained = request.runs()
  if not request.store.exists():
    _check(request)  # fails here, with nothing written
  with files.lock(request.out):
    request.begin()
    stages: dict[str, Callable[[], Any]] = {
      FEATURES: functools.partial(_extract, request, progress)
    }
    for folder, settings in trained.items():
      stages[folder.name] = functools.partial(
        experiment.train, settings, folder
      )
    stages[LAST] = functools.partial(_show, request, command)
    done = _done(request)
    left = [name for name in stages if name not in done]
    _say(f'{request.out}: ' + (f'finished: {_listed(done)}' if done else 'new'))
    _say(f'to do: {_listed(left) or "nothing"}')
    for number, name in enumerate(left, 1):
      _say(f'== {name} ({number} of {len(left)})')
      with _timed(request.out / SECONDS, name):
        stages[name]()
    seconds = _seconds(request.out / SECONDS)
  return {name: seconds[name] for name in stages if name in seconds}


def _check(request: ReproductionRequest) -> None:
  """Raises AvjaxError where the corpus or a given file cannot be used."""
  catalogue.read('afew', request.afew)
  workers.measure(request.features)
  if request.sfew:
    random_forest.read_images(afew.faces(request.sfew))


def _done(request: ReproductionRequest) -> list[str]:
  """Returns the stages whose results are there."""
  ends = {FEATURES: request.store}
  ends |= {f.name: f / RESULTS for f in request.runs()}
  ends[LAST] = request.out / PAGE
  done: list[str] = []
  for name, path in ends.items():
    if not path.exists():
      break  # what comes later was not made from what will be
    done.append(name)
  return done


def _extract(request: ReproductionRequest, progress: Progress) -> None:
  """Leaves the store, and prints what became of the clips."""
  wanted = extraction.ExtractionRequest(
    corpus=request.afew,
    out=request.store,
    clips=pathlib.Path(),
    settings=request.features,
    faces=request.sfew,
    workers=request.workers,
    named='afew',
  )
  report, seconds = extraction.extract(wanted, progress)
  _say(str(report))
  for line in extraction.stages(report.usable, seconds):
    _say(line)


def _show(request: ReproductionRequest, command: Sequence[str]) -> None:
  """Leaves tables, figures, README.md and, last, the page."""
  groups = finished.grouped(finished.load_all(list(request.runs())))
  made = tables.of(groups)
  tables.write(made, request.out / 'tables')
  row = next(name for name, model in MODELS.items() if model.reference)
  drawn = finished.load_all([request.out / 'runs' / row])[0]
  study = figures.study(drawn)
  pictures = figures.of(study)
  figures.write(pictures, request.out / 'figures')
  told = differences.of(request)
  text = differences.readme(request, made, pictures, told)
  files.write(request.out / README, text)
  page = html.report(groups, CLIPS, command, told)
  files.write(request.out / PAGE, page)


@contextlib.contextmanager
def _timed(path: pathlib.Path, name: str) -> Iterator[None]:
  """Adds to the seconds of a stage, also where it is ended by a signal."""
  start = time.perf_counter()
  try:
    yield
  finally:
    seconds = _seconds(path)
    seconds[name] = seconds.get(name, 0) + time.perf_counter() - start
    files.write_json(path, seconds)


def _seconds(path: pathlib.Path) -> dict[str, float]:
  return files.read_json(path) if path.exists() else {}


def _listed(names: Sequence[str]) -> str:
  return '; '.join(names)


def _say(text: str) -> None:
  print(text, file=sys.stderr, flush=True)
