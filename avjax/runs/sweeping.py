"""A sweep: many settings are tried, one is chosen, and that one is tested.

  WORKDIR/sweep.json       what was asked for
  WORKDIR/setting-3/...    the runs of some settings; see `candidates`
  WORKDIR/chosen.json      the choice, and the validation accuracy of each
  WORKDIR/chosen/          an ordinary run, with these settings

With several folds each has a folder fold-K with all of these, since the
validation clips of one fold are the test clips of another: what is chosen for a
fold must depend on nothing else. So the folds together test the procedure.
"""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from avjax import files
from avjax.data import audit, preparation
from avjax.errors import BusyError, CheckpointError, TrainingError
from avjax.processes import Process
from avjax.records import RUN
from avjax.runs import candidates, experiment, sweep_file
from avjax.runs.candidates import Candidate
from avjax.runs.experiment import Experiment
from avjax.runs.folder import RunFolder
from avjax.runs.info import settings_json
from avjax.runs.sampling import Sampling
from avjax.runs.sweep_file import Changes, Sweep
from avjax.settings import Settings, whole

_REQUEST = 'sweep.json'
_CHOSEN = 'chosen.json'


@dataclasses.dataclass(frozen=True)
class Choice:
  """What was chosen on one division of the clips.

  Attributes:
    fold: number of the fold, or None without folds.
    candidates: all settings.
    accuracies: number of settings -> their mean validation accuracy; without
      those of which a training failed.
    chosen: the settings with the highest, and of equals the first.
    folder: of their ordinary run.
  """

  fold: int | None
  candidates: Sequence[Candidate]
  accuracies: Mapping[int, float]
  chosen: Candidate
  folder: RunFolder


def run(
  config: Any, path: str, workdir: str | pathlib.Path, share: Process
) -> list[Choice] | None:
  """Tries this process's share of the settings; the last process chooses.

  Args:
    config: a whole config, or `settings.Settings`: of all settings that are
      tried, but for what these change.
    path: of the Python file; see `sweep_file.load`.
    workdir: the folder, which all processes share.
    share: which of the processes this is.

  Returns:
    The choice of every fold, or of the single division; None while other
    processes are at work.

  Raises:
    TrainingError: a training failed in all settings.
    AvjaxError: the sweep, the data or the folder cannot be used.
  """
  folder = RunFolder(workdir)
  search = _Search(whole(config), sweep_file.load(path), path, folder)
  with files.lock(folder.path, shared=True):
    search.begin()
    print(
      f'workdir: {folder}, process {share.index} of {share.count}',
      file=sys.stderr,
    )
    if waiting := search.fit(share):
      print(
        f'{waiting} runs or trials are left to other processes, the last of'
        ' which chooses; if one was killed, run its command again',
        file=sys.stderr,
      )
      return None
    try:
      with files.lock(folder.path / 'joining'):
        return [search.choose(fold) for fold in search.folds]
    except BusyError:
      print('another process chooses', file=sys.stderr)
      return None


class _Search:
  """The settings of a sweep, and the clips that they are tried on."""

  def __init__(
    self, config: Settings, sweep: Sweep, path: str, folder: RunFolder
  ):
    self._config, self._sweep, self._path = config, sweep, path
    self._folder = folder
    self._read: dict[str, preparation.Prepared] = {}
    self._made: dict[str, dict[int | None, Experiment]] = {}
    base = self._experiments({})
    self._base = experiment.prepare(config, self._data(config))
    audit.check_choosing(self._base.info.audit or ())
    self.folds = list(base)
    for changes in sweep.listed:  # faults are told before anything is trained
      self._experiments(changes)

  def _data(self, config: Settings) -> preparation.Prepared:
    """Returns the clips; they are read once for all that read the same."""
    key = json.dumps(
      [settings_json(config)[name] for name in ('data', 'synthetic')]
      + [config.model.stated]
    )
    if key not in self._read:
      self._read[key] = preparation.prepare(config)
    return self._read[key]

  def _experiments(self, changes: Changes) -> dict[int | None, Experiment]:
    """Returns fold -> the experiment with some settings changed."""
    key = json.dumps(files.as_json(changes))
    if key not in self._made:
      config = sweep_file.changed(self._config, changes, self._path)
      made = experiment.prepare(config, self._data(config))
      self._made[key] = made.each()
    return self._made[key]

  def _where(self, fold: int | None) -> RunFolder:
    return self._folder if fold is None else self._folder / f'fold-{fold}'

  def _candidate(
    self, fold: int | None, number: int, changes: Changes | None = None
  ) -> Candidate | None:
    """Returns some settings; without changes those that the folder keeps."""
    folder = self._where(fold) / f'setting-{number}'
    if changes is None:
      changes = candidates.read_changes(folder)
    if changes is None:
      return None
    return Candidate(number, changes, self._experiments(changes)[fold], folder)

  def candidates(self, fold: int | None) -> list[Candidate]:
    """Returns all settings of a fold; of a sampler those that have begun."""
    listed: Sequence[Changes | None] = self._sweep.listed or (
      [None] * self._sweep.count
    )
    each = (self._candidate(fold, k, one) for k, one in enumerate(listed))
    return [one for one in each if one is not None]

  def begin(self) -> None:
    """Writes what was asked for, or checks that it is the same.

    Raises:
      CheckpointError: the folder belongs to another sweep.
    """
    now = files.as_json(
      {'settings': settings_json(self._config), 'sweep': self._sweep.request}
      | self._base.info.compared()
    )
    path = self._folder.path / _REQUEST
    if not path.exists():
      files.write_json(path, now)
    elif different := [*files.differences(RUN.json(path, dict[str, Any]), now)]:
      raise CheckpointError(
        f'{self._folder} holds another sweep ({"; ".join(different):.500}); use'
        ' another --workdir, or what it was started with'
      )

  def fit(self, share: Process) -> int:
    """Trains a share of the runs; returns how many others have not ended."""
    if self._sweep.suggest is not None:
      return sum(self._sample(fold, share) for fold in self.folds)
    each = [
      (one, job)
      for fold in self.folds
      for one in self.candidates(fold)
      for job in one.jobs()
    ]
    for one, job in each[share.index :: share.count]:
      try:
        one.fit(job)
      except BusyError:
        print(f'{job.folder} is in other hands', file=sys.stderr)
    return sum(not candidates.ended(job.folder) for _, job in each)

  def _sample(self, fold: int | None, share: Process) -> int:
    """Runs trials of a fold; returns how many others have not ended."""
    sampling = Sampling(
      self._sweep,
      self._where(fold).path,
      lambda number, changes: self._candidate(fold, number, changes),
      self._config.seed + share.index,
    )
    sampling.run()
    return sampling.waiting()

  def choose(self, fold: int | None) -> Choice:
    """Chooses by the validation clips, and tests what is chosen.

    Raises:
      TrainingError: a training failed in all settings.
      DataError: a run has predicted a test clip.
    """
    found, folder = self.candidates(fold), self._where(fold)
    accuracies = {c.number: c.accuracy() for c in found if not c.failure()}
    if not accuracies:
      raise TrainingError(
        f'a training failed in all settings of {folder}; the first:'
        f' {found[0].failure()}'
      )
    best = max(accuracies, key=lambda number: (accuracies[number], -number))
    (chosen,) = [one for one in found if one.number == best]
    content = {
      'setting': best,
      'changes': dict(chosen.changes),
      'validation_accuracy': {str(k): v for k, v in accuracies.items()},
    }
    path = folder.path / _CHOSEN
    if not path.exists():
      files.write_json(path, content)
    elif RUN.json(path, dict[str, Any]) != files.as_json(content):
      raise CheckpointError(
        f'{path} says that another one was chosen; a run was changed since:'
        ' sweep again in another --workdir'
      )
    chosen.test(folder / 'chosen')
    return Choice(fold, found, accuracies, chosen, folder / 'chosen')
