"""Ensembles: the mean of the probabilities of several runs (ours).

The runs are those of a folder of several seeds or folds. A folder of a single
run is an ensemble of one.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from avjax.clips import Clip
from avjax.data import corpus
from avjax.data.standardising import Enrolled, Gathered
from avjax.errors import ConfigError
from avjax.runs import evaluation, predictions
from avjax.runs.evaluation import TrainedRun
from avjax.runs.folder import RunFolder
from avjax.training.outcome import Outcome


@dataclasses.dataclass(frozen=True)
class Portion:
  """Clips, and the runs that predict them.

  Attributes:
    members: the runs, the mean of whose probabilities is the prediction, and
      the clips as each reads them.
    among: see `runs.model.Predictor`.
  """

  members: Sequence[tuple[TrainedRun, Sequence[Clip]]]
  among: Sequence[Clip] = ()

  @property
  def clips(self) -> Sequence[Clip]:
    """The clips, as the first run reads them."""
    return self.members[0][1]

  def predict(self) -> tuple[Outcome, dict[str, Any]]:
    """Returns the predictions, and facts for results.json.

    Of a single run that is what the run returns.
    """
    each = [run.predict(own, among=self.among) for run, own in self.members]
    outcome, facts = each[0]
    if len(each) == 1:
      return outcome, facts
    lines = [predictions.lines_of({'': one}) for one, _ in each]
    mean = predictions.averaged(lines, outcome.emotions)
    facts.pop('step', None)
    return dataclasses.replace(mean, clips=self.clips), facts


@dataclasses.dataclass(frozen=True)
class Ensemble:
  """The run of a folder, or the runs of its seeds and folds.

  Attributes:
    whole: settings and info of the folder.
    folds: the runs of each fold, one a seed; without folds a single entry.
  """

  whole: TrainedRun
  folds: Sequence[Sequence[TrainedRun]]

  @property
  def first(self) -> TrainedRun:
    """The run of the first seed and fold."""
    return self.folds[0][0]

  def portions(self, split: str, store: str | None = None) -> list[Portion]:
    """Returns the clips of a split, with the runs that predict them.

    A test clip of the runs' own store is predicted by the seeds of the fold
    that tests it, a clip of another store by the seeds of all folds.

    Args:
      split: one of `evaluation.SPLITS`.
      store: another store, or 'synthetic'; None for the run's own.

    Raises:
      AvjaxError: the store is missing or has changed, or lacks this split.
    """
    own, several = self.whole.owns(store), len(self.folds) > 1
    if own and several and split != 'test':
      raise ConfigError(
        f'{self.whole.folder} holds a run of several folds, of whose own clips'
        f' --split=test can be evaluated; for {split} give one of its folders,'
        f' such as {self.first.folder}'
      )
    every = [run for runs in self.folds for run in runs]
    if not own and len({run.info.extractor for run in every}) > 1:
      raise ConfigError(
        f'{self.whole.folder} was trained with an extractor for every fold, and'
        f' {store} has the features of one of them at most; give the folder of'
        f' that fold, such as {self.first.folder}'
      )
    if not own or split == 'all':
      return [Portion(self._all(split, store))]
    made = []
    for runs, divided in self.divided():
      name = runs[0].config.data.store
      clips = evaluation.select(divided.splits, split, name)
      made.append(Portion([(run, clips) for run in runs], divided.clips))
    return made

  def divided(self) -> Iterator[tuple[Sequence[TrainedRun], Enrolled]]:
    """Yields the runs of each fold, and its clips; equal ones are read once.

    Raises:
      AvjaxError: the store is missing or has changed.
    """
    clips, known, of = None, Gathered(), ''
    for runs in self.folds:
      if clips is None or runs[0].info.data_fingerprint != of:
        clips, known = runs[0].loaded(), Gathered()
        of = runs[0].info.data_fingerprint
      yield runs, runs[0].divided(clips, known)

  def _all(
    self, split: str, store: str | None
  ) -> list[tuple[TrainedRun, Sequence[Clip]]]:
    """Returns every run, with all clips of a split as it reads them."""
    members: list[tuple[TrainedRun, Sequence[Clip]]] = []
    clips = self.first.clips(split, store)
    for k, runs in enumerate(self.folds):
      # Each fold has an average training speaker of its own.
      if k and self.whole.config.data.standardise == 'enrolment':
        clips = runs[0].clips(split, store)
      members += [(run, clips) for run in runs]
    return members


def trained_on(runs: Ensemble) -> dict[str, list[Clip]]:
  """Returns 'training' and 'validation' clips of all folds, as stored.

  A clip that validates one fold and trains another is in 'training' alone.

  Raises:
    DataError: the store of the runs is missing or has changed.
  """
  found: dict[str, dict[str, Clip]] = {'training': {}, 'validation': {}}
  stored: dict[str, Clip] = {}
  of = None
  for (run, *_), divided in runs.divided():
    if run.info.data_fingerprint != of:
      stored = {clip.name: clip for clip in corpus.read(run.located())}
      of = run.info.data_fingerprint
    for split, clips in found.items():
      names = [clip.name for clip in divided.splits[split]]
      clips.update({name: stored[name] for name in names})
  for name in found['training']:
    found['validation'].pop(name, None)
  return {split: [*clips.values()] for split, clips in found.items()}


def open_folder(workdir: str | pathlib.Path) -> Ensemble:
  """Returns the finished runs of a folder; nothing is written there.

  Raises:
    CheckpointError: the folder has no finished run, or a file is damaged.
  """
  folder = RunFolder(workdir)
  config, info = folder.read_config()
  folder.check_finished()
  results = folder.read_results()
  seeds = [folder / name for name in results.get('runs', [''])]
  folds = ['']
  if config.data.several:
    joint = seeds[0].read_results()['folds']
    folds = [f'fold-{k}' for k in range(len(joint['test']['each']))]
  return Ensemble(
    TrainedRun(folder, config, info),
    [[evaluation.open_run((s / f).path) for s in seeds] for f in folds],
  )
