"""A finished run, a bundle or the name of a ready model -> a recogniser."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from avjax import pretrained
from avjax.data import corpus
from avjax.errors import ConfigError, DataError
from avjax.features import extractor as extractors
from avjax.features.extractor import Extractor
from avjax.recognition import bundle
from avjax.recognition.recogniser import Recogniser
from avjax.runs import ensemble
from avjax.runs.evaluation import TrainedRun

Source = str | pathlib.Path


def load(
  source: Source | Sequence[Source], models: Mapping[str, str] | None = None
) -> Recogniser:
  """Returns a recogniser.

  Args:
    source: a bundle; or the name of a ready model, such as 'ravdess'; or the
      folder of a finished run, whose seeds are averaged; or several such
      folders, see `of_runs`.
    models: name of an ONNX stream of the features -> path of its model, where
      a bundle does not hold it or it was moved.

  Raises:
    AvjaxError: it is missing or damaged, or of a later version.
  """
  return _loaded(source).with_models(models or {})


def _loaded(source: Source | Sequence[Source]) -> Recogniser:
  """Returns a recogniser, with models of ONNX streams where they were."""
  if not isinstance(source, Source):
    return of_runs(source)
  path = pathlib.Path(source).expanduser()
  if path.is_dir():
    return of_runs([source])
  named = len(path.parts) == 1 and not path.suffix and not path.exists()
  return bundle.read(pretrained.path(str(source)) if named else path)


def of_runs(
  folders: Sequence[Source], extractor: str = '', transfer: bool = False
) -> Recogniser:
  """Returns the recogniser of finished runs of one model.

  Of runs that standardise clips in several ways the one that takes them as they
  are answers, or the first, and the rest are its `others`.

  Args:
    folders: of the runs; the seeds of each are averaged, and all those that
      standardise clips in the same way.
    extractor: folder of an extractor; '' for that of the run's store.
    transfer: whether another extractor than the run's is allowed.

  Raises:
    AvjaxError: a run is missing, damaged or of another kind than the first.
  """
  runs = [run for one in folders for run in _runs(one)]
  if not runs:
    raise ConfigError('no model is given; give the folder of a finished run')
  fitted, lacking = _extractor(runs[0], extractor, transfer)
  by_way: dict[str, list[TrainedRun]] = {}
  for run in runs:
    _check_same(runs[0], run)
    by_way.setdefault(run.config.data.standardise, []).append(run)
  made = [_recogniser(own, fitted, lacking) for own in by_way.values()]
  made.sort(key=lambda one: one.standardise != 'none')
  return dataclasses.replace(made[0], others=tuple(made[1:]))


def _runs(workdir: Source) -> list[TrainedRun]:
  """Returns the run of a folder, or those of its seeds.

  Raises:
    ConfigError: it holds folds, which were trained and tested on different
      people.
  """
  found = ensemble.open_folder(workdir)
  if len(found.folds) > 1 or found.whole.config.data.several:
    raise ConfigError(
      f'{found.whole.folder} holds a run of several folds, each trained without'
      f' other people; give one of its folders, such as {found.first.folder}'
    )
  return list(found.folds[0])


def _check_same(first: TrainedRun, run: TrainedRun) -> None:
  """Raises ConfigError unless two runs may be averaged."""
  for what, one, other in (
    ('emotions', first.info.emotions, run.info.emotions),
    ('streams', first.info.widths, run.info.widths),
    ('settings of the model', first.config.model, run.config.model),
    ('an extractor', first.info.extractor, run.info.extractor),
  ):
    if one != other:
      raise ConfigError(
        f'{run.folder} has other {what} than {first.folder} ({other!r:.200}'
        f' and {one!r:.200}); give runs of the same model and store'
      )


def _recogniser(
  runs: Sequence[TrainedRun], fitted: Extractor | None, lacking: str
) -> Recogniser:
  """Returns the recogniser of runs that standardise clips in one way."""
  first = runs[0]
  how = first.config.data.standardise
  if how == 'enrolment' and len({r.info.data_fingerprint for r in runs}) > 1:
    raise ConfigError(
      f'{runs[-1].folder} was trained with another average speaker than'
      f' {first.folder}; give runs of one division of the clips'
    )
  return Recogniser(
    name=str(first.folder),
    emotions=first.info.emotions,
    settings=first.config.model,
    widths=first.info.widths,
    models=tuple(run.model for run in runs),
    extractor=fitted,
    lacking=lacking,
    standardise=how,
    average=first.average,
  )


def _extractor(
  run: TrainedRun, folder: str, transfer: bool
) -> tuple[Extractor | None, str]:
  """Returns the extractor of a run, or why it has none.

  Args:
    run: the run.
    folder: of the extractor; '' for that of the run's store.
    transfer: whether another extractor than the run's is allowed.

  Raises:
    DataError: the extractor that is given is damaged, or is not the run's.
  """
  path = pathlib.Path(folder).expanduser() if folder else None
  try:
    path = path or _own_extractor(run)
  except DataError as error:
    return None, str(error)
  fitted = extractors.load(path)
  if fitted.fingerprint != run.info.extractor and not transfer:
    raise DataError(
      f'{path} is not the extractor of the'
      f' features that {run.folder} was trained on; give that one, or'
      ' --transfer to use this one nevertheless'
    )
  return fitted, ''


def _own_extractor(run: TrainedRun) -> pathlib.Path:
  """Returns the folder of the extractor of the run's store.

  Raises:
    DataError: there is no store, or it has no extractor.
  """
  store = run.config.data.store
  if store != corpus.SYNTHETIC:
    try:
      store = corpus.folder(run.located().data)
    except DataError as error:
      raise DataError(f'{error}, with --extractor') from None
    if (pathlib.Path(store) / extractors.FOLDER).is_dir():
      return pathlib.Path(store) / extractors.FOLDER
  raise DataError(
    f'{run.folder} was trained on {store}, which has no extractor; train on a'
    ' store of bin/extract, or give --extractor'
  )
