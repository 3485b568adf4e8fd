"""The folder of one run, and the files in it.

config.json      settings, `RunInfo`, versions
metrics.jsonl    one line per epoch, written by training
checkpoints/     states, written by training
predictions.csv  one line for each clip of every evaluated split
average_speaker.json   of a run that standardises by enrolment
results.json     scores of every split, audit, seconds, device; digests of the
                 files above but the checkpoints, which have their own

results.json comes last, and a run with it is finished. Reading a finished run
checks every file against its digest, and neither locks nor writes.
"""

import contextlib
import functools
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from avjax import files, records
from avjax.errors import CheckpointError
from avjax.records import RUN, MismatchError
from avjax.runs import predictions, results
from avjax.runs.info import FORMAT, RunInfo, environment, settings_json
from avjax.runs.predictions import Line
from avjax.runs.results import EpochLine, Results
from avjax.settings import Settings
from avjax.training.outcome import Outcome
from avjax.training.progress import METRICS

CONFIG = 'config.json'
PREDICTIONS = 'predictions.csv'
RESULTS = 'results.json'


class RunFolder:
  """The folder of a run; it need not exist yet."""

  def __init__(self, path: str | pathlib.Path):
    self.path = pathlib.Path(path).expanduser()

  def __str__(self) -> str:
    return str(self.path)

  def __truediv__(self, name: str) -> 'RunFolder':
    """Returns the folder of one fold, seed or member, such as 'fold-0'."""
    return RunFolder(self.path / name)

  @property
  def finished(self) -> bool:
    """Whether the run has written its results."""
    return (self.path / RESULTS).exists()

  @property
  def seen_finished(self) -> bool:
    """`finished`, asked of the file system anew: NFS may answer from memory."""
    if self.path.is_dir():
      os.listdir(self.path)
    return self.finished

  def check_finished(self) -> None:
    """Raises CheckpointError for a run that has not finished."""
    if not self.finished:
      raise CheckpointError(
        f'{self} holds a run that has not finished; run the same bin/train'
        ' again to finish it'
      )

  @contextlib.contextmanager
  def opened(self, config: Settings, info: RunInfo) -> Iterator[None]:
    """Locks the folder for this process, and begins or resumes the run.

    Raises:
      CheckpointError: another process has the lock, or the folder belongs to
        a run with other settings or data. The message lists the differences.
    """
    with files.lock(self.path):
      self.begin(config, info)
      yield

  def begin(self, config: Settings, info: RunInfo) -> None:
    """Writes config.json, or checks that an existing one is of the same run.

    Raises:
      CheckpointError: the folder belongs to a run with other settings or data.
        The message lists the differences.
    """
    path = self.path / CONFIG
    if path.exists() or self.finished:
      self.check_same(config, info)
      return
    files.write_json(
      path,
      {'settings': settings_json(config)}
      | info.compared()
      | info.recorded()
      | environment()
      | {'format': FORMAT},
    )

  def check_same(self, config: Settings, info: RunInfo) -> None:
    """Raises CheckpointError unless the folder belongs to this run."""
    now = {'settings': settings_json(config)} | info.compared()
    own, known = self.read_config()
    before = {'settings': settings_json(own)} | known.compared()
    if known.data_fingerprint != info.data_fingerprint and (
      before['settings'] == now['settings']
    ):
      raise CheckpointError(
        f'{self} holds a run on other clips: the data has changed since; use'
        ' another --workdir, or the data it was started with'
      )
    kept = {key: before.get(key) for key in now}
    if different := [
      line.removeprefix('settings.') for line in files.differences(kept, now)
    ]:
      raise CheckpointError(
        f'{self} holds a run with other settings ({"; ".join(different)}); use'
        ' another --workdir, or the settings it was started with'
      )

  def read_config(self) -> tuple[Settings, RunInfo]:
    """Returns the settings and the info that the run was begun with.

    Raises:
      CheckpointError: config.json is missing or damaged.
    """
    path = self.path / CONFIG
    content = RUN.json(path, dict[str, Any])
    try:
      settings = records.typed(
        Settings, content.pop('settings', None), 'settings'
      )
      return settings, RunInfo.from_json(content)
    except MismatchError as error:
      raise RUN.fault(path, error) from None

  def read_results(self) -> Results:
    """Returns the content of results.json, after checking all files.

    Every file with a digest is compared with it, in the folders of folds,
    seeds and members too, and predictions.csv with the scores. A run from
    before digests is read with a note on standard error.

    Raises:
      CheckpointError: a file is missing or damaged, or disagrees.
    """
    path = self.path / RESULTS
    content = RUN.json(path, Results)
    try:
      results.check(content)
      self._check_has_digests(content)
    except MismatchError as error:
      raise RUN.fault(path, error) from None
    # These say more about a damage than the digests do.
    if results.scored(content):
      self.read_predictions(content)
    if (self.path / METRICS).exists():
      self._read_own_metrics(content)
    for name, digest in content.get('digests', {}).items():
      if records.digest(RUN.content(self.path / name)) != digest:
        raise RUN.fault(
          self.path / name, f'it was changed (its digest in {RESULTS} differs)'
        )
      part = (self.path / name).parent
      if part != self.path:
        RunFolder(part).read_results()
    return content

  def _check_has_digests(self, content: Results) -> None:
    """Raises MismatchError if digests were removed; notes that none were made.

    bin/evaluate leaves no config.json, but both kinds of digests.
    """
    found = {'digests', records.SEAL} & content.keys()
    if len(found) == 2:
      return
    if found or (
      (self.path / CONFIG).exists() and self.read_config()[1].format >= FORMAT
    ):
      raise MismatchError('its digests are missing')
    _note_no_digests(str(self))

  def write_results(
    self, content: Mapping[str, Any], names: Sequence[str] = ()
  ) -> dict[str, Any]:
    """Writes results.json; returns its content.

    It comes last, and marks the run as finished.

    Args:
      content: without digests.
      names: of further files in the folder that get a digest.
    """
    present = [
      name
      for name in (CONFIG, METRICS, PREDICTIONS, *names)
      if (self.path / name).exists()
    ]
    digests = {
      name: records.digest(RUN.content(self.path / name)) for name in present
    }
    sealed = records.seal({**content, 'digests': digests})
    files.write_json(self.path / RESULTS, sealed)
    return sealed

  def read_metrics(self, content: Results) -> dict[str, list[EpochLine]]:
    """Returns the lines of the metrics.jsonl of the run and of its parts.

    The keys are the subfolders, such as 'fold-0'; '' is the folder itself.

    Args:
      content: of results.json, from `read_results`.

    Raises:
      CheckpointError: a file is missing or damaged, or lacks an epoch.
    """
    found = {}
    for path in sorted(p.parent for p in self.path.glob(f'**/{METRICS}')):
      name = path.relative_to(self.path).as_posix()
      own = RunFolder(path)
      if path != self.path:
        content = own.read_results() if own.finished else {}
      if lines := own._read_own_metrics(content):
        found['' if name == '.' else name] = lines
    return found

  def _read_own_metrics(self, content: Results) -> list[EpochLine]:
    """Returns the lines of metrics.jsonl, which agree with the results."""
    path = self.path / METRICS
    if METRICS not in content.get('digests', {METRICS: ''}):
      raise RUN.fault(path, 'it is not a file of the finished run')
    lines = RUN.lines(path, EpochLine)
    try:
      results.check_epochs(lines, content)
    except MismatchError as error:
      raise RUN.fault(path, error) from None
    return lines

  def write_predictions(self, outcomes: Mapping[str, Outcome]) -> None:
    """Writes predictions.csv, one line for each clip of every split.

    Args:
      outcomes: split -> predictions for its clips.
    """
    emotions = next(iter(outcomes.values())).emotions
    lines = predictions.lines_of(outcomes)
    predictions.write(self.path / PREDICTIONS, lines, emotions)

  def read_predictions(self, content: Results) -> list[Line]:
    """Returns the lines of predictions.csv.

    Args:
      content: of results.json, with the scores that the lines must have.

    Raises:
      CheckpointError: the file is missing or damaged, or disagrees.
    """
    emotions = None
    if (self.path / CONFIG).exists():  # bin/evaluate leaves none
      emotions = self.read_config()[1].emotions
    return predictions.read(
      self.path / PREDICTIONS, results.scored(content), emotions
    )

  def join_predictions(
    self, folds: Mapping['RunFolder', Results], split: str
  ) -> None:
    """Writes predictions.csv from the lines of one split in every fold."""
    lines = [
      line
      for fold, content in folds.items()
      for line in fold.read_predictions(content)
      if line.split == split
    ]
    emotions = self.read_config()[1].emotions
    predictions.write(self.path / PREDICTIONS, lines, emotions)


@functools.cache
def _note_no_digests(folder: str) -> None:
  """Prints a note on a run, the first time only."""
  print(
    f'note: {folder} was written before digests: only counts and scores were'
    ' checked',
    file=sys.stderr,
  )
