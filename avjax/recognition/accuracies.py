"""How well runs recognised unseen people, as they recorded it."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from avjax.errors import ConfigError
from avjax.metrics import significance
from avjax.records import RUN
from avjax.runs import finished
from avjax.runs.finished import FinishedRun
from avjax.runs.folder import RESULTS, RunFolder
from avjax.runs.results import Results
from avjax.settings import ModelConfig

EVALUATED = 'evaluation-own-test'
"""Where `bin/evaluate --by=...` leaves the groups of a run's test clips."""


@dataclasses.dataclass(frozen=True)
class GroupAccuracy:
  """The accuracy on a group of the clips, such as those of women.

  Attributes:
    column: of the clips' table, such as 'gender'.
    word: in that column, such as 'female'.
    clips: their number.
    accuracy: share that was recognised.
    low, high: 95 % interval, by speaker where `by_speaker`, else Wilson's.
    by_speaker: whether the interval is a bootstrap over the speakers.
  """

  column: str
  word: str
  clips: int
  accuracy: float
  low: float
  high: float
  by_speaker: bool


@dataclasses.dataclass(frozen=True)
class Accuracy:
  """The accuracy of a run on people that it was not trained on.

  Attributes:
    standardise: by what the clips were standardised, `data.standardise`.
    stamp: the same in words: 'inductive', 'transductive', ...
    protocol: how the clips were divided.
    members: number of seeds that were averaged.
    clips: number of clips.
    speakers: number of speakers; 0 if they are not known.
    emotions: number of emotions.
    accuracy: share of the clips that was recognised.
    uar: mean over the emotions of the share that was recognised.
    low, high: 95 % interval of the accuracy, by speaker where they are known,
      otherwise Wilson's.
    groups: the accuracies of groups, as far as they were evaluated.
  """

  standardise: str
  stamp: str
  protocol: str
  members: int
  clips: int
  speakers: int
  emotions: int
  accuracy: float
  uar: float
  low: float
  high: float
  groups: tuple[GroupAccuracy, ...] = ()

  @property
  def text(self) -> str:
    """The accuracy with its interval, such as '62.1 % [57.0, 66.3]'."""
    return (
      f'{100 * self.accuracy:.1f} % [{100 * self.low:.1f},'
      f' {100 * self.high:.1f}]'
    )


def of_folder(
  path: str | pathlib.Path, model: ModelConfig, emotions: Sequence[str]
) -> Accuracy | None:
  """Returns the accuracy of a finished run, or of its seeds averaged.

  Args:
    path: of its folder.
    model: settings of the network whose accuracy is wanted.
    emotions: that it tells apart.

  Returns:
    None for a run that tested nobody.

  Raises:
    AvjaxError: the folder has no finished run, or one of another network, or a
      file is damaged.
  """
  folder = RunFolder(path)
  config, info = folder.read_config()
  folder.check_finished()
  if (config.model, info.emotions) != (model, tuple(emotions)):
    raise ConfigError(
      f'{folder} is a run of another network, or with other emotions, than'
      ' those of the bundle; give runs with the same settings'
    )
  results = folder.read_results()
  if 'seeds' in results and 'ensemble' not in results:
    raise ConfigError(
      f'{folder} has no averaged scores; remove its {RESULTS} and run the same'
      ' bin/train again'
    )
  run = (
    finished.load_ensemble(folder, results)
    if 'ensemble' in results
    else finished.load(path)
  )
  return _accuracy(run, folder) if 'test' in run.predictions else None


def _accuracy(run: FinishedRun, folder: RunFolder) -> Accuracy:
  found, scores = run.predictions['test'], run.results['splits']['test']
  speakers = [run.speakers.get(name, '') for name in found.clips]
  low, high = scores['accuracy_interval_95']
  known = all(speakers) and len(set(speakers)) > 1
  if known:
    low, high = significance.clustered_bootstrap(found.right, speakers)
  return Accuracy(
    standardise=run.config.data.standardise,
    stamp=run.stamp,
    protocol=run.config.data.protocol,
    members=run.members,
    clips=scores['n'],
    speakers=len(set(speakers)) if known else 0,
    emotions=len(run.emotions),
    accuracy=scores['accuracy'],
    uar=scores['uar'],
    low=float(low),
    high=float(high),
    groups=_groups(folder),
  )


def _groups(folder: RunFolder) -> tuple[GroupAccuracy, ...]:
  """Returns the accuracies of groups, if bin/evaluate left any."""
  path = folder.path / EVALUATED / RESULTS
  if not path.exists():
    return ()
  results: Results = RUN.json(path, Results)
  return tuple(
    _group(column, word, scores)
    for column, groups in results.get('groups', {}).items()
    for word, scores in groups.items()
  )


def _group(column: str, word: str, scores: Any) -> GroupAccuracy:
  by_speaker = 'by_speaker_95' in scores
  name = 'by_speaker_95' if by_speaker else 'accuracy_interval_95'
  low, high = scores[name]
  return GroupAccuracy(
    column, word, scores['n'], scores['accuracy'], low, high, by_speaker
  )
