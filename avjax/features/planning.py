"""What an extraction is to do, checked before any clip is measured."""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from avjax.data import clip_files, clip_table
from avjax.data.corpora import catalogue, listing
from avjax.data.corpora.tree import digest
from avjax.errors import ConfigError, DataError
from avjax.features import corpus_report, fitting, landmark_source
from avjax.features.extractor import Extractor
from avjax.onnx_stream import FACE
from avjax.settings import DataConfig, FeaturesConfig

_SOUND = (
  '.aac', '.aif', '.aiff', '.flac', '.mp3', '.oga', '.opus', '.wav',
)  # fmt: skip
"""Endings of files that have no pictures."""


@dataclasses.dataclass(frozen=True)
class ExtractionRequest:
  """The options of bin/extract.

  Attributes:
    corpus: folder of the clips.
    out: folder of the new store; OUT.work beside it is the work folder.
    settings: of the features.
    clips: the table with one row per clip, or None for CORPUS/clips.csv.
    table: further arguments of `clip_table.read`.
    fit_on: 'training': fit on the clips of that split; 'all': on every clip,
      for a corpus without splits; 'folds': an extractor for every fold, on its
      training clips. Only the random forest uses the labels.
    division: how the clips are divided into folds; only for these.
    faces: folder of labelled faces for the random forest, or ''.
    extractor: folder of an extractor to apply instead of fitting one, or ''.
    transfer: whether that extractor may come from another corpus.
    shard: (i, n): only measure every n-th clip from the i-th; or None.
    workers: number of processes.
    cluster: address of a Dask scheduler whose workers measure instead, or ''.
    named: name of a corpus with a reader, such as 'ravdess', or ''; then there
      is no table.
  """

  corpus: pathlib.Path
  out: pathlib.Path
  settings: FeaturesConfig
  clips: str | None = None
  table: Mapping[str, Any] = dataclasses.field(
    default_factory=lambda: {'renamed': {}}
  )
  fit_on: str = 'training'
  division: DataConfig = dataclasses.field(default_factory=DataConfig)
  faces: str = ''
  extractor: str = ''
  transfer: bool = False
  shard: tuple[int, int] | None = None
  workers: int = 1
  cluster: str = ''
  named: str = ''

  def __post_init__(self):
    if self.faces and self.settings.appearance == 'dlib':
      raise ConfigError(
        f'{self.faces} has faces for the random forest, and of the appearance'
        ' by dlib all numbers are kept; leave it out'
      )
    divided = self.division.has_folds or bool(self.division.tested)
    if self.fit_on == 'folds' and not divided:
      raise ConfigError(
        f'the protocol is {self.division.protocol!r}, which has no folds to fit'
        ' on; give another with --protocol, such as speakers/4'
      )
    if self.fit_on == 'folds' and self.extractor:
      raise ConfigError(
        'an extractor is given and one is to be fitted for every fold; leave'
        ' out --extractor or --fit_on=folds'
      )

  @property
  def work(self) -> pathlib.Path:
    """The work folder."""
    return self.out.with_name(self.out.name + '.work')


@dataclasses.dataclass(frozen=True)
class ExtractionPlan:
  """The clips of an extraction.

  Attributes:
    rows: of the table, one per clip.
    sources: per row the clip's file, or as text why there is none.
    chosen: numbers of the rows to measure.
    remarks: lines for the report.
    origin: name of the table or the corpus.
    landmarks: the landmark files that the settings name and need, or None.
  """

  rows: Sequence[Mapping[str, str]]
  sources: Sequence[pathlib.Path | str]
  chosen: Sequence[int]
  remarks: Sequence[str]
  origin: str
  landmarks: landmark_source.LandmarkSource | None = None

  @property
  def missing(self) -> list[tuple[str, str]]:
    """(clip, reason) of the chosen clips without a file."""
    pairs = [(self.rows[k]['clip'], self.sources[k]) for k in self.chosen]
    return [(name, why) for name, why in pairs if isinstance(why, str)]


def plan(
  request: ExtractionRequest, fitted: Extractor | None = None
) -> ExtractionPlan:
  """Returns the clips of an extraction.

  Args:
    request: the options.
    fitted: the extractor of the request, if there is one.

  Raises:
    DataError: the corpus or its table cannot be used, no clip has a file, or
      the transforms could not be fitted or applied once all are measured.
  """
  made = _of_corpus(request) if request.named else _of_table(request)
  _check_pictures(request, made)
  made = _with_landmarks(request, made)
  files = [k for k, s in enumerate(made.sources) if not isinstance(s, str)]
  if not files:
    first = next(iter(made.missing), None)
    why = ': '.join(first) if first else 'the table has no rows'
    raise DataError(f'no clip of {request.corpus} can be used: {why}')
  if request.extractor and fitted:
    if not request.transfer:
      _check_extractor(request, fitted, made, files)
  else:
    _check_labels(made, files)
    fitted_on(request, made.rows, files)
  if request.shard:
    index, count = request.shard
    chosen = made.chosen[index - 1 :: count]
    made = dataclasses.replace(made, chosen=chosen)
  return made


def fitted_on(
  request: ExtractionRequest,
  rows: Sequence[Mapping[str, str]],
  usable: Iterable[int],
) -> list[list[int]]:
  """Returns the numbers of the usable rows to fit each extractor on.

  Raises:
    DataError: there is none, a split has an unknown name, or the clips cannot
      be divided into folds.
  """
  usable = list(usable)
  if request.fit_on == 'all':
    return [usable]
  if request.fit_on == 'folds':
    return fitting.folds(rows, usable, request.division)
  return [fitting.training(rows, usable)]


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


def _of_table(request: ExtractionRequest) -> ExtractionPlan:
  """Returns all clips of a folder with a table."""
  if not request.corpus.is_dir():
    raise DataError(
      f'{request.corpus} is not a folder; give the folder of the clips'
    )
  path = clip_table.find(request.clips, request.corpus)
  found = clip_files.ClipFiles(request.corpus)
  rows = clip_table.read(path, **request.table, files=found)
  sources = [found.clip(row['clip']) for row in rows]
  return ExtractionPlan(rows, sources, range(len(rows)), [], path.name)


def _of_corpus(request: ExtractionRequest) -> ExtractionPlan:
  """Returns all clips of a folder of a public corpus.

  A broken file is a clip without a label.
  """
  listed = catalogue.read(request.named, request.corpus)
  rows = listing.rows(request.named, listed.entries)
  sources: list[pathlib.Path | str]
  sources = [request.corpus / entry.path for entry in listed.entries]
  remarks = [f'known to be bad: {e.name} {why}' for e, why in listed.faults]
  for path, why in listed.broken:
    rows.append(dict.fromkeys(clip_table.COLUMNS, '') | {'clip': path})
    sources.append(why)
  return ExtractionPlan(rows, sources, range(len(rows)), remarks, request.named)


def _with_landmarks(
  request: ExtractionRequest, made: ExtractionPlan
) -> ExtractionPlan:
  """Returns the plan with the landmark files, less the clips they lack."""
  source = landmark_source.source(request.settings)
  if source is None:
    return made
  names = [row['clip'] for row in made.rows]
  sources = [
    (isinstance(file, pathlib.Path) and source.lacking(name)) or file
    for name, file in zip(names, made.sources, strict=True)
  ]
  remarks = [*made.remarks, *source.unused(names)]
  return dataclasses.replace(
    made, sources=sources, remarks=remarks, landmarks=source
  )


def _check_pictures(request: ExtractionRequest, made: ExtractionPlan) -> None:
  """Raises DataError for streams that need pictures, if all files are sound."""
  files = [file for file in made.sources if isinstance(file, pathlib.Path)]
  if not files or any(f.suffix.lower() not in _SOUND for f in files):
    return
  streams = request.settings.streams
  left = 'audio,shape' if request.settings.landmarks else 'audio'
  if faces := [s.name for s in request.settings.onnx if s.of == FACE]:
    raise DataError(
      f'the clips of {request.corpus} are sound files, and {faces[0]} is'
      f' measured from pictures; leave out --stream={faces[0]}:...'
    )
  if 'appearance' in streams:
    raise DataError(
      f'the clips of {request.corpus} are sound files, and the appearance is'
      f' measured from pictures; leave it out: --streams={left}'
    )
  if 'shape' in streams and not request.settings.landmarks:
    raise DataError(
      f'the clips of {request.corpus} are sound files without pictures to find'
      ' faces in; name files of landmarks with --landmarks, or take'
      ' --streams=audio'
    )


def _check_labels(made: ExtractionPlan, files: Sequence[int]) -> None:
  """Raises DataError for fewer than two labels."""
  labels = {made.rows[k]['label'] for k in files} - {''}
  if len(labels) < 2:
    raise DataError(
      f'the clips of {made.origin} have {len(labels)} different labels'
      f' ({sorted(labels)}), and bin/train needs 2: correct the labels, or name'
      ' their column with --label_column'
    )


def _check_extractor(
  request: ExtractionRequest,
  fitted: Extractor,
  made: ExtractionPlan,
  files: Sequence[int],
) -> None:
  """Raises DataError for the extractor of another corpus.

  Which clips it was fitted on is known only if its store is there.
  """
  try:
    report = corpus_report.load(pathlib.Path(request.extractor).parent)
  except DataError:
    return
  failed = dict(report.left_out)
  files = [k for k in files if made.rows[k]['clip'] not in failed]
  (training,) = fitted_on(request, made.rows, files)
  sources = {k: digest(made.sources[k]) for k in training}
  check_fingerprint(request, fitted, made.rows, sources)


def check_fingerprint(
  request: ExtractionRequest,
  fitted: Extractor,
  rows: Sequence[Mapping[str, str]],
  sources: Mapping[int, str],
) -> None:
  """Raises DataError for an extractor that was fitted on other clips.

  Args:
    request: the options.
    fitted: the extractor.
    rows: of the table.
    sources: number of a row to fit on -> SHA-256 of the clip's file.
  """
  if fitting.fingerprint(rows, sources) != fitted.corpus:
    raise DataError(
      f'{request.extractor} was fitted on other training clips than those of'
      f' {request.corpus}; add --transfer to apply it anyway'
    )
