"""Some settings of a sweep: their runs, which see no test clip.

setting-3/setting.json   what is changed
setting-3/seed-1/        the run of a seed; of a single one setting-3 itself
.../failure.txt          why a training failed
"""

import dataclasses
import pathlib
import shutil
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from avjax import files
from avjax.data import audit
from avjax.errors import CheckpointError, TrainingError
from avjax.records import RUN
from avjax.runs import joining
from avjax.runs.experiment import Experiment, by_seed
from avjax.runs.folder import CONFIG, PREDICTIONS, RESULTS, RunFolder
from avjax.runs.model import Job
from avjax.runs.sweep_file import Changes, described

_SETTING = 'setting.json'
_FAILURE = 'failure.txt'
_LEFT = {CONFIG, PREDICTIONS, RESULTS, _SETTING, _FAILURE, 'lock'}
"""Files of a run that are made again with the test clips."""


@dataclasses.dataclass(frozen=True)
class Candidate:
  """Some settings, on one division of the clips.

  Attributes:
    number: of the settings, from 0.
    changes: to the settings of the sweep.
    experiment: with these settings and a single division.
    folder: of the runs.
  """

  number: int
  changes: Changes
  experiment: Experiment
  folder: RunFolder

  @property
  def title(self) -> str:
    """The changes as a text."""
    return described(self.changes)

  def jobs(self) -> list[Job]:
    """Returns the job of every seed, without test clips.

    These count for the padded lengths, so that the sums are those of a run that
    has them.
    """
    path = self.folder.path / _SETTING
    if not path.exists():
      files.write_json(path, {'changes': dict(self.changes)})
    found = []
    for each in by_seed(self.experiment, self.folder).values():
      for job in each:
        splits = dict(job.splits)
        apart = [*job.apart, *splits.pop('test', ())]
        title = f'{self.folder.path.name} {job.title}'.strip()
        found.append(
          dataclasses.replace(job, splits=splits, apart=apart, title=title)
        )
    return found

  def fit(self, job: Job) -> None:
    """Fits the job of a seed unless that is done or has failed.

    Raises:
      BusyError: another process is at it.
    """
    with job.folder.opened(job.config, job.info):
      if ended(job.folder):
        return
      try:
        job.write(self.experiment.model.fit(job))
      except TrainingError as error:
        files.write_text(job.folder.path / _FAILURE, f'{error}\n')

  def failure(self) -> str:
    """Returns why a training failed, or ''."""
    found = sorted(self.folder.path.glob(f'**/{_FAILURE}'))
    return found[0].read_text().strip() if found else ''

  def runs(self) -> list[RunFolder]:
    """Returns the folders of the finished runs, in the order of the seeds."""
    return [job.folder for job in self.jobs()]

  def accuracy(self) -> float:
    """Returns the mean validation accuracy of the seeds.

    Raises:
      DataError: a prediction of a test clip is in the folder.
    """
    (division,) = self.experiment.divisions
    audit.check_unseen(division.splits, dict(self._predicted()))
    each = [run.read_results()['splits'] for run in self.runs()]
    return statistics.fmean(one['validation']['accuracy'] for one in each)

  def _predicted(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yields file of predictions -> (split, clip) of its lines."""
    for path in sorted(self.folder.path.glob(f'**/{PREDICTIONS}')):
      head, rows = RUN.table(path, ('split', 'clip'))
      split, clip = head.index('split'), head.index('clip')
      yield str(path), [(row[split], row[clip]) for row in rows]

  def test(self, folder: RunFolder) -> dict[str, Any]:
    """Evaluates the trained runs on all splits; returns the results.

    The folder is then that of an ordinary run, of the same bits.
    """
    experiment = self.experiment
    with folder.opened(experiment.config, experiment.info):
      if folder.finished:
        return {**folder.read_results()}
      seeds = by_seed(experiment, folder)
      for source, (own, (job,)) in zip(self.runs(), seeds.items(), strict=True):
        if not own.finished:
          own.begin(job.config, job.info)
          _copy(source.path, own.path)
          results = job.write(experiment.model.fit(job))
      if len(seeds) > 1:
        return joining.join_seeds(folder, list(seeds))
      return results


def ended(folder: RunFolder) -> bool:
  """Returns whether a run is finished or has failed."""
  return folder.seen_finished or (folder.path / _FAILURE).exists()


def read_changes(folder: RunFolder) -> Mapping[str, Any] | None:
  """Returns the changes of the settings in a folder, or None.

  Raises:
    CheckpointError: the file is damaged.
  """
  path = folder.path / _SETTING
  if not path.exists():
    return None
  return RUN.json(path, dict[str, dict[str, Any]])['changes']


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
  """Copies what a training has left, so that it need not be done again."""

  def left(folder: str, names: list[str]) -> set[str]:
    kept = 'checkpoints' in pathlib.Path(folder).parts
    return set() if kept else _LEFT & {*names}

  for path in sorted(source.iterdir()):
    whole = target / path.name
    if path.name in _LEFT or whole.exists():
      continue
    part = target / f'.{path.name}.part'
    try:
      if path.is_dir():
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(path, part, ignore=left)
      else:
        shutil.copyfile(path, part)
      part.replace(whole)
    except OSError as error:
      raise CheckpointError(
        f'{target} cannot be written: {error.strerror}; make room, then run the'
        ' same command again to go on'
      ) from error
