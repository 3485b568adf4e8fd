"""The store that an extraction leaves: one, or one for every fold."""

import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence

from avjax import files
from avjax.clips import Clip
from avjax.data import clip_table, fold_stores, store
from avjax.errors import DataError
from avjax.features import corpus_report
from avjax.features import extractor as extractors
from avjax.features.corpus_report import CorpusReport
from avjax.features.planning import ExtractionPlan, ExtractionRequest
from avjax.features.work_folder import Measured


def finished(request: ExtractionRequest) -> CorpusReport | None:
  """Returns the report of a finished store, or None if there is no store.

  Raises:
    DataError: OUT is not a store, or was extracted with other settings.
  """
  out = request.out
  if not out.exists() or (out.is_dir() and not any(out.iterdir())):
    return None
  try:
    folds = fold_stores.read(out)
    first = fold_stores.fold(out, 0) if folds else out
    made = extractors.load(first / extractors.FOLDER)
    report = corpus_report.load(first)
  except DataError:
    raise DataError(
      f'{out} exists and is not a store of bin/extract; choose another folder'
    ) from None
  if request.extractor:
    same = extractors.load(request.extractor).fingerprint == made.fingerprint
  else:
    same = extractors.plain(request.settings) == extractors.plain(made.settings)
    wanted = None
    if request.fit_on == 'folds':
      wanted = fold_stores.division(request.division)
    same = same and wanted == (folds and folds.division)
  if not same:
    raise DataError(
      f'{out} was extracted with other settings; choose another folder, or'
      ' remove it'
    )
  return report


def write(
  request: ExtractionRequest,
  plan: ExtractionPlan,
  measured: Mapping[int, Measured],
  report: CorpusReport,
  each: Sequence[extractors.Extractor],
  chosen: Sequence[Sequence[int]],
) -> None:
  """Writes the store in the work folder and moves it to OUT.

  Args:
    request: the options.
    plan: the clips.
    measured: row number -> raw features.
    report: of the whole.
    each: the extractor, or one for every fold.
    chosen: the row numbers that each was fitted on.
  """
  folder = request.work / 'store'
  shutil.rmtree(folder, ignore_errors=True)
  if request.fit_on == 'folds':
    folds = []
    for k, (fitted, rows) in enumerate(zip(each, chosen, strict=True)):
      own = fold_stores.fold(folder, k)
      clips = _write_one(own, plan, measured, report, fitted)
      names = [plan.rows[row]['clip'] for row in rows]
      folds.append(fold_stores.described(own, clips, names))
    fold_stores.write(folder, request.division, folds)
  else:
    _write_one(folder, plan, measured, report, each[0])
  if request.out.exists():
    request.out.rmdir()  # it is empty: see `finished`
  os.rename(folder, request.out)
  shutil.rmtree(request.work)


def _write_one(
  folder: pathlib.Path,
  plan: ExtractionPlan,
  measured: Mapping[int, Measured],
  report: CorpusReport,
  fitted: extractors.Extractor,
) -> list[Clip]:
  """Writes a store, the extractor and the report; returns the clips."""
  facts = [f'extracted from {plan.origin}', *fitted.about]
  source = '; '.join([*facts, f'extractor {fitted.fingerprint}'])
  clips = (
    clip_table.clip(plan.rows[k], fitted(ready.columns()), ready.sha256)
    for k, ready in measured.items()
  )
  written = store.write(folder, clips, source, fitted.fingerprint)
  fitted.save(folder / extractors.FOLDER)
  files.put(folder / 'clips.csv', report.table().encode())
  files.put(folder / 'report.txt', f'{report}\n'.encode())
  return written
