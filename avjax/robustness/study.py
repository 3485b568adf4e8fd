"""Finished runs on their test clips, under every condition."""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from avjax import files, records
from avjax.clips import AUDIO, SOUND, Clip
from avjax.data import corpus
from avjax.errors import AvjaxError, ConfigError
from avjax.features import extractor, landmark_source, measuring
from avjax.metrics import significance
from avjax.robustness import conditions
from avjax.robustness.conditions import Condition, Disturbance
from avjax.robustness.recordings import Recordings, Streams
from avjax.runs import ensemble, finished
from avjax.runs.ensemble import Portion
from avjax.runs.evaluation import TrainedRun
from avjax.runs.folder import RESULTS

KEPT = 'kept'
"""Folder of the results that are finished, one file each."""
_FORMAT = 1
Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class StudyRequest:
  """The options of bin/robustness.

  Attributes:
    runs: folders of finished runs.
    output: folder of everything that is written.
    recordings: folder of the recordings, or '' for none.
    landmarks: file or files of their landmarks; '' for those that the store
      was extracted with, if these were from files.
    names: of the disturbances; empty for all.
    seed: of all random numbers.
  """

  runs: Sequence[str]
  output: pathlib.Path
  recordings: str = ''
  landmarks: str = ''
  names: Sequence[str] = ()
  seed: int = 0


@dataclasses.dataclass(frozen=True)
class Answers:
  """The answers of a run under a condition, on its labelled test clips.

  Attributes:
    right: (n,) whether each clip is classified correctly.
    speakers: of the clips, '' if unknown.
  """

  right: tuple[bool, ...]
  speakers: tuple[str, ...]

  @property
  def accuracy(self) -> float:
    """The share of the clips that are classified correctly."""
    return float(np.mean(self.right))

  @property
  def interval(self) -> tuple[float, float] | None:
    """Of 95 %, by speaker; None if fewer than two are known."""
    if not all(self.speakers) or len(set(self.speakers)) < 2:
      return None
    return significance.clustered_bootstrap(np.array(self.right), self.speakers)


@dataclasses.dataclass(frozen=True)
class Studied:
  """A run under all conditions that concern it.

  Attributes:
    title: of the run.
    about: how its clips were disturbed.
    answers: condition -> answers; the first is undisturbed.
  """

  title: str
  about: str
  answers: dict[Condition, Answers]


@dataclasses.dataclass(frozen=True)
class _Stored:
  """The clips of a store, and how they are disturbed."""

  clips: Sequence[Clip]
  source: Streams


@dataclasses.dataclass(frozen=True)
class _Fold:
  """The seeds of a fold.

  Attributes:
    runs: one a seed.
    stored: the clips of their store.
    disturbed: names of the clips to disturb: those that are tested or set
      apart, and so of the tested speakers.
  """

  runs: Sequence[TrainedRun]
  stored: _Stored
  disturbed: frozenset[str]

  def answers(
    self, condition: Condition, cache: dict[tuple[int, str], Clip]
  ) -> list[tuple[bool, str]]:
    """Returns, for each labelled test clip, whether it is right; its speaker.

    Args:
      condition: the condition.
      cache: clips that were disturbed for other runs; more are added.
    """
    kind = condition.disturbance
    changed = []
    for clip in self.stored.clips:
      if clip.name in self.disturbed and not (
        kind is conditions.CLEAN or kind.removes
      ):
        key = id(self.stored), clip.name
        if key not in cache:
          cache[key] = self.stored.source.disturbed(clip, condition)
        clip = cache[key]
      changed.append(clip)
    divided = self.runs[0].divide(changed)
    clips = [_removed(clip, kind) for clip in divided.splits['test']]
    members = [(run, clips) for run in self.runs]
    outcome, _ = Portion(members, divided.clips).predict()
    return [
      (outcome.emotions[n] == clip.label, clip.speaker)
      for n, clip in zip(outcome.predicted, clips, strict=True)
      if clip.label is not None
    ]


def _removed(clip: Clip, kind: Disturbance) -> Clip:
  """Returns a standardised clip without a modality: zeros, the average."""
  if not kind.removes:
    return clip
  sound = kind is conditions.NO_SOUND
  return clip.changed(
    lambda name, x: np.zeros_like(x) if (name in (AUDIO, SOUND)) == sound else x
  )


@dataclasses.dataclass(frozen=True)
class _Subject:
  """A run of the study; `digest` identifies what was trained."""

  title: str
  streams: tuple[str, ...]
  digest: str
  folds: Sequence[_Fold]

  @property
  def source(self) -> Streams:
    """How the clips are disturbed."""
    return self.folds[0].stored.source

  def asked(self, wanted: Sequence[Disturbance]) -> list[Disturbance]:
    """Returns the disturbances that can be had and concern the run."""
    had = self.source.disturbances
    return [d for d in wanted if d in had and d.concerns(self.streams)]


def study(request: StudyRequest, progress: Progress) -> list[Studied]:
  """Returns the answers of all runs; those that are kept are read.

  Args:
    request: the options.
    progress: called with the number of finished conditions, and of all.

  Raises:
    AvjaxError: a run, its store, or a recording cannot be used.
  """
  wanted = conditions.named(request.names)
  with contextlib.ExitStack() as stack:
    subjects = _subjects(request, stack)
    asked = [conditions.conditions(one.asked(wanted)) for one in subjects]
    if not any(len(each) > 1 for each in asked):
      raise ConfigError(
        f'no run can be studied under {", ".join(d.name for d in wanted)}; give'
        ' other --disturbances, or the recordings with --corpus'
      )
    stack.enter_context(files.lock(request.output))
    answers: list[dict[Condition, Answers]] = [{} for _ in subjects]
    done, total = 0, sum(map(len, asked))
    for condition in conditions.conditions(wanted):
      cache: dict[tuple[int, str], Clip] = {}
      for one, own, each in zip(subjects, answers, asked, strict=True):
        if condition in each:
          own[condition] = _kept(one, condition, request, cache)
          done += 1
          progress(done, total)
  return [
    Studied(one.title, one.source.about, own)
    for one, own in zip(subjects, answers, strict=True)
  ]


def _kept(
  subject: _Subject,
  condition: Condition,
  request: StudyRequest,
  cache: dict[tuple[int, str], Clip],
) -> Answers:
  """Returns the answers from their file, which is made if it is not there."""
  name = json.dumps(
    [
      _FORMAT,
      subject.digest,
      [fold.stored.source.about for fold in subject.folds],
      condition.disturbance.name,
      condition.level,
      request.seed,
    ]
  )
  path = request.output / KEPT / f'{records.digest(name.encode())[:24]}.json'
  with contextlib.suppress(AvjaxError):  # damaged: made again
    if path.exists():
      return records.RUN.json(path, Answers)
  pairs = [
    pair for fold in subject.folds for pair in fold.answers(condition, cache)
  ]
  made = Answers(
    tuple(right for right, _ in pairs), tuple(name for _, name in pairs)
  )
  files.write_json(path, dataclasses.asdict(made))
  return made


def _subjects(
  request: StudyRequest, stack: contextlib.ExitStack
) -> list[_Subject]:
  """Returns the runs; files that are opened are closed with the stack."""
  stores: dict[str, _Stored] = {}
  made = []
  for path in request.runs:
    opened = ensemble.open_folder(path)
    folder = opened.whole.folder
    title = finished.load_all([path])[-1].title
    content = records.RUN.content(folder.path / RESULTS)
    folds = [_fold(runs, stores, request, stack) for runs in opened.folds]
    streams = opened.first.config.model.streams
    made.append(_Subject(title, streams, records.digest(content), folds))
  titles = [one.title for one in made]
  return [
    one
    if titles.count(one.title) == 1
    else dataclasses.replace(one, title=f'{one.title} ({path})')
    for one, path in zip(made, request.runs, strict=True)
  ]


def _fold(
  runs: Sequence[TrainedRun],
  stores: dict[str, _Stored],
  request: StudyRequest,
  stack: contextlib.ExitStack,
) -> _Fold:
  """Returns the seeds of a fold, with its store, which is read once."""
  run = runs[0]
  config = run.located()
  folder = corpus.folder(config.data)
  key = f'{folder} {config.data.target} {config.model.audio}'
  if key not in stores:
    clips = corpus.read(config)
    if request.recordings and config.model.audio:
      raise ConfigError(
        f'{run.folder} hears audio.{config.model.audio}, which is not measured'
        ' in disturbed recordings; leave out --corpus'
      )
    source = _source(folder, clips, request, stack)
    stores[key] = _Stored(clips, source)
  divided = run.divided()
  test = divided.splits.get('test', ())
  if not any(clip.label for clip in test):
    raise ConfigError(
      f'{run.folder} has no labelled test clip; give a run that was tested'
    )
  speakers = {clip.speaker for clip in test}
  own = {c.name for c in test}
  own |= {c.name for c in divided.apart if c.speaker in speakers}
  return _Fold(runs, stores[key], frozenset(own))


def _source(
  folder: str,
  clips: Sequence[Clip],
  request: StudyRequest,
  stack: contextlib.ExitStack,
) -> Streams:
  """Returns how the clips of a store are disturbed."""
  if not request.recordings:
    return Streams(request.seed)
  fitted = extractor.load(pathlib.Path(folder) / extractor.FOLDER)
  place = pathlib.Path(request.recordings).expanduser()
  settings = fitted.settings
  streams = tuple(k for k in settings.streams if k != 'appearance')
  named = request.landmarks or settings.landmarks
  if 'shape' not in streams or not named:
    # Nobody looks for faces: the shape is disturbed as it is stored.
    streams, named = ('audio',), ''
  settings = dataclasses.replace(
    settings,
    streams=streams,
    onnx=(),
    landmarks=named,
    landmarks_rate=settings.landmarks_rate if named else '',
  )
  measure = measuring.measure(landmark_source.located(settings, place))
  stack.enter_context(measure)
  return Recordings(request.seed, fitted, clips, place, measure)
