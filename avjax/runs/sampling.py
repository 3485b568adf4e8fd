"""Settings that a sampler of Optuna suggests, one after another.

All processes have one study, in a journal file of the shared folder. A trial
belongs to whoever has its lock, so that one whose process has died is gone on
with by the next that looks; Optuna's own heartbeat needs a database.
"""

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from avjax import files
from avjax.errors import BusyError, ConfigError
from avjax.runs.candidates import Candidate
from avjax.runs.sweep_file import Changes, Sweep

if TYPE_CHECKING:
  import optuna

_JOURNAL = 'optuna.journal'


class Sampling:
  """The trials of one division of the clips.

  Args:
    sweep: with a sampler.
    folder: of the trials' settings; the journal is there too.
    made: (number, changes, or None for those kept in the folder) -> settings,
      or None if none are kept.
    seed: of the sampler; another one for every process.

  Raises:
    ConfigError: the package is missing.
  """

  def __init__(
    self,
    sweep: Sweep,
    folder: pathlib.Path,
    made: Callable[[int, Changes | None], Candidate | None],
    seed: int,
  ):
    try:
      import optuna
    except ImportError as error:
      raise ConfigError(
        'a sweep with suggest(trial) needs the package optuna; pip install'
        " 'avjax[sweep]'"
      ) from error
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    journal = JournalFileBackend(str(folder / _JOURNAL))
    self._study = optuna.create_study(
      storage=optuna.storages.JournalStorage(journal),
      study_name='sweep',
      direction='maximize',
      load_if_exists=True,
    )
    # A process that goes on must not draw what it drew at first.
    entropy = np.random.SeedSequence([seed, len(self._study.trials)])
    drawn = int(entropy.generate_state(1)[0])
    make = sweep.sampler or (lambda seed: optuna.samplers.TPESampler(seed=seed))
    self._study.sampler = make(drawn)
    self._sweep, self._folder, self._made = sweep, folder, made
    self._others: set[int] = set()  # trials that other processes have

  def run(self) -> None:
    """Tries settings until all trials have ended, or others have the rest."""
    for _ in range(2):  # others may have died in the meantime
      self._others.clear()
      while (number := self._next()) is not None:
        try:
          with files.lock(self._folder / 'trials' / str(number)):
            self._try(number)
        except BusyError:
          self._others.add(number)

  def waiting(self) -> int:
    """Returns how many trials have not ended."""
    ended = sum(trial.state.is_finished() for trial in self._trials())
    return self._sweep.trials - ended

  def _trials(self) -> 'list[optuna.trial.FrozenTrial]':
    """Returns the trials that count.

    Two processes that ask for the last one at once get two.
    """
    return self._study.get_trials(deepcopy=False)[: self._sweep.trials]

  def _next(self) -> int | None:
    """Returns the number of a trial to go on with, or to begin; or None."""
    trials = self._trials()
    for trial in trials:
      if not trial.state.is_finished() and trial.number not in self._others:
        return trial.number
    if len(trials) == self._sweep.trials:
      return None
    number = self._study.ask().number
    return number if number < self._sweep.trials else None

  def _try(self, number: int) -> None:
    """Runs a trial whose lock this process has."""
    import optuna

    if self._trials()[number].state.is_finished():
      return
    candidate = self._made(number, None)
    if candidate is None:
      candidate = self._made(number, self._suggested(number))
    assert candidate is not None
    for job in candidate.jobs():
      candidate.fit(job)
    if candidate.failure():
      self._study.tell(number, state=optuna.trial.TrialState.FAIL)
    else:
      self._study.tell(number, candidate.accuracy())

  def _suggested(self, number: int) -> dict[str, Any]:
    """Returns what the sampler suggests for a trial.

    If its process died in the middle of that, the rest is suggested now.
    """
    import optuna

    assert self._sweep.suggest is not None
    frozen = self._trials()[number]
    trial = optuna.trial.Trial(self._study, frozen._trial_id)
    try:
      return dict(self._sweep.suggest(trial))
    except Exception as error:  # of a user's function
      raise ConfigError(
        f'suggest(trial) of the sweep failed ({type(error).__name__}: {error});'
        ' correct it, then run the same command again to go on'
      ) from error
