"""A corpus of raw clips -> a feature store: measure, fit, apply.

Several processes, here or on a cluster, compute the raw features of the clips
and write them to OUT.work, so that an interrupted extraction can resume, and
several machines can each take a shard. Then the transforms are fitted on the
training clips and applied to all clips, and the finished store is moved to OUT
in one step.
"""

import dataclasses
import pathlib
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from avjax.data.corpora.tree import digest
from avjax.errors import DataError
from avjax.features import (
  cluster,
  extracted_store,
  fitting,
  landmark_source,
  measuring,
  planning,
  work_folder,
  workers,
)
from avjax.features import extractor as extractors
from avjax.features.corpus_report import CorpusReport, Row
from avjax.features.planning import ExtractionPlan, ExtractionRequest
from avjax.features.work_folder import Measured
from avjax.settings import FeaturesConfig

Progress = Callable[[int, int, str], None]
"""Called with the clips done, all clips and the name of the last clip."""

Tell = Callable[[str], None]
"""Called with a line for the user."""


def extract(
  request: ExtractionRequest, progress: Progress, tell: Tell = lambda line: None
) -> tuple[CorpusReport, dict[str, float]]:
  """Extracts the store OUT, or a shard of its work folder.

  Args:
    request: the options; see `ExtractionRequest`.
    progress: called after every clip.
    tell: called with a line about what is missing, before anything is measured.

  Returns:
    The report, and the seconds of every stage, summed over the processes.

  Raises:
    DataError: the corpus or a folder cannot be used, or no clip can.
    CheckpointError: another process is using the work folder.
  """
  fitted = None
  if request.extractor:
    fitted = extractors.load(request.extractor).with_files(
      {one.name: one.file for one in request.settings.onnx}
    )
  request = dataclasses.replace(request, settings=_settings(request, fitted))
  plan = planning.plan(request, fitted)
  measuring.measure(request.settings)  # missing packages and files fail here
  if missing := plan.missing:
    few = '; '.join(f'{name}: {why}' for name, why in missing[:5])
    tell(
      f'{len(missing)} of {len(plan.chosen)} clips are left out: {few}'
      + '; ...' * (len(missing) > 5)
    )
  with work_folder.locked(request.work, request.shard):
    if request.out.exists() and any(request.out.iterdir()):
      raise DataError(
        f'{request.out} was finished by another process meanwhile; the same'
        ' command shows its report'
      )
    work_folder.begin(request.work, request.settings)
    return _extract(request, plan, fitted, progress, tell)


def _settings(
  request: ExtractionRequest, fitted: extractors.Extractor | None
) -> FeaturesConfig:
  """Returns the settings of the features; of an extractor, if there is one.

  Where the landmarks are is a matter of the corpus.
  """
  settings = request.settings
  if fitted is not None:
    own, settings = settings, fitted.settings
    if own.landmarks:
      settings = dataclasses.replace(
        settings, landmarks=own.landmarks, landmarks_rate=own.landmarks_rate
      )
  return landmark_source.located(settings, request.corpus)


def _extract(
  request: ExtractionRequest,
  plan: ExtractionPlan,
  fitted: extractors.Extractor | None,
  progress: Progress,
  tell: Tell,
) -> tuple[CorpusReport, dict[str, float]]:
  """Returns what `extract` does, in a work folder that is locked."""
  measured, failed, seconds = _measure(request, plan, progress, tell)
  report = _report(request, plan, measured, failed)
  if not measured:
    first = next(iter(failed.values()), 'this shard has no clip')
    if not request.shard:
      shutil.rmtree(request.work)
    raise DataError(f'no clip of {request.corpus} can be used: {first}')
  if request.shard:
    return report, seconds
  start = time.perf_counter()
  chosen: list[list[int]] = [[]]
  if fitted is None or not request.transfer:
    chosen = planning.fitted_on(request, plan.rows, measured)
  if fitted is not None and not request.transfer:
    sources = {k: measured[k].sha256 for k in chosen[0]}
    planning.check_fingerprint(request, fitted, plan.rows, sources)
  each = [fitted or _fit(request, plan, measured, one) for one in chosen]
  about = [*plan.remarks]
  for k, made in enumerate(each):
    fold = f'fold {k}: ' if request.fit_on == 'folds' else ''
    about += [f'{fold}{line}' for line in made.about]
  report = dataclasses.replace(report, about=tuple(about))
  try:
    extracted_store.write(request, plan, measured, report, each, chosen)
  except OSError as error:
    raise DataError(
      f'the store cannot be written to {request.work}: {error.strerror}; run'
      ' the same command again when it can be'
    ) from error
  seconds['fit, apply, write'] = time.perf_counter() - start
  return report, seconds


def _report(
  request: ExtractionRequest,
  plan: ExtractionPlan,
  measured: Mapping[int, Measured],
  failed: Mapping[int, str],
) -> CorpusReport:
  """Returns the report, without lines about the extractor."""
  return CorpusReport(
    tuple(
      Row(
        clip=plan.rows[k]['clip'],
        label=plan.rows[k]['label'],
        speaker=plan.rows[k]['speaker'],
        sha256=measured[k].sha256 if k in measured else '',
        frames=len(measured[k].found) if k in measured else 0,
        faces=int(measured[k].found.sum()) if k in measured else 0,
        notes=measured[k].notes if k in measured else (),
        failure=failed.get(k, ''),
      )
      for k in plan.chosen
    ),
    request.settings.seen,
  )


def _measure(
  request: ExtractionRequest,
  plan: ExtractionPlan,
  progress: Progress,
  tell: Tell,
) -> tuple[dict[int, Measured], dict[int, str], dict[str, float]]:
  """Returns the measured clips and the failures by row, and the seconds."""
  failed: dict[int, str] = {}
  measured: dict[int, Measured] = {}
  tasks = {}
  for k in plan.chosen:
    source, name = plan.sources[k], plan.rows[k]['clip']
    if isinstance(source, str):
      failed[k] = source
      continue
    path = work_folder.path_of(request.work, name)
    ready = work_folder.read(path)
    found = ''
    if ready is not None and plan.landmarks is not None:
      found = plan.landmarks.digest(name, request.corpus)
    if ready is None or (ready.sha256, ready.landmarks) != (
      digest(source), found,
    ):  # fmt: skip
      tasks[k] = workers.Task(name, str(source), str(request.corpus), str(path))
    else:
      measured[k] = ready
  total = len(plan.chosen)
  done = total - len(tasks)
  if tasks:
    progress(done, total, '')
  seconds: dict[str, float] = defaultdict(float)
  for k, outcome in _outcomes(request, tasks, tell):
    done += 1
    progress(done, total, plan.rows[k]['clip'])
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


def _outcomes(
  request: ExtractionRequest, tasks: Mapping[int, workers.Task], tell: Tell
) -> Iterator[tuple[int, workers.MeasureOutcome]]:
  """Returns (key, outcome) of every task, on this machine or on a cluster."""
  settings = request.settings
  if request.cluster:
    return cluster.measure_all(
      tasks, settings, request.work, request.cluster, tell
    )
  return workers.measure_all(tasks, settings, request.workers)


def _fit(
  request: ExtractionRequest,
  plan: ExtractionPlan,
  measured: Mapping[int, Measured],
  chosen: Sequence[int],
) -> extractors.Extractor:
  """Returns the extractor fitted on the chosen clips."""
  about = plan.landmarks.about if plan.landmarks else ''
  return fitting.fit(
    plan.rows, measured, chosen, request.settings, request.faces, about
  )


def stages(clips: int, seconds: Mapping[str, float]) -> Iterator[str]:
  """Yields a line per stage: clips per second of one process."""
  for stage, taken in seconds.items():
    if taken > 0:
      yield f'{stage}: {clips / taken:.1f} clips per second ({taken:.1f} s)'
