"""What a sweep tries: a list of settings, or a sampler that suggests them."""

import dataclasses
import pathlib
import runpy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from avjax import files, records
from avjax.errors import ConfigError
from avjax.records import MismatchError
from avjax.runs.info import settings_json
from avjax.settings import Settings

Changes = Mapping[str, Any]
"""Setting -> value, such as {'model.dropout': 0.3}."""

_SWEPT = 'model.', 'training.', 'data.standardise'
_FIXED = 'training.seeds'


@dataclasses.dataclass(frozen=True)
class Sweep:
  """What a sweep tries.

  Attributes:
    listed: the settings, if they are a list.
    trials: how many settings a sampler suggests; 0 for a list.
    suggest: a trial of Optuna -> settings.
    sampler: seed -> sampler of Optuna; None for Optuna's own choice.
  """

  listed: Sequence[Changes] = ()
  trials: int = 0
  suggest: Callable[[Any], Changes] | None = None
  sampler: Callable[[int], Any] | None = None

  @property
  def count(self) -> int:
    """How many settings are tried."""
    return self.trials or len(self.listed)

  @property
  def request(self) -> dict[str, Any]:
    """What the same sweep has in common from one start to the next."""
    return {'settings': list(self.listed), 'trials': self.trials}


def load(path: str | pathlib.Path) -> Sweep:
  """Returns the sweep of a Python file.

  It has either SETTINGS, a list of dictionaries, or TRIALS, a number, and
  suggest(trial), which returns one; sampler(seed) may be there too.

  Raises:
    ConfigError: it cannot be read, or has neither.
  """
  try:
    found = runpy.run_path(str(path))
  except Exception as error:  # whatever is wrong with a user's file
    raise ConfigError(
      f'{path} cannot be read as a sweep ({type(error).__name__}: {error});'
      ' see configs/sweeps/dropout.py'
    ) from error
  listed, trials = found.get('SETTINGS'), found.get('TRIALS')
  suggest = found.get('suggest')
  if isinstance(listed, list | tuple) and listed and trials is suggest is None:
    for one in listed:
      _check(one, path)
    try:
      return Sweep(files.as_json(listed))
    except TypeError as error:
      raise ConfigError(
        f'{path}: SETTINGS holds a value that is no number, text, list or truth'
        f' value ({error})'
      ) from error
  if isinstance(trials, int) and trials > 0 and listed is None and suggest:
    return Sweep((), trials, suggest, found.get('sampler'))
  raise ConfigError(
    f'{path} must have either SETTINGS, a list of dictionaries, or TRIALS, a'
    ' number above 0, and suggest(trial); see configs/sweeps/dropout.py'
  )


def _check(changes: Any, path: object) -> None:
  """Raises ConfigError for what is no settings, or not for a sweep."""
  if not isinstance(changes, dict):
    raise ConfigError(
      f"{path}: {changes!r} must be a dictionary such as {{'model.dropout':"
      ' 0.3}'
    )
  for key in changes:
    if not str(key).startswith(_SWEPT) or key == _FIXED:
      raise ConfigError(
        f'{path}: {key!r} is not for a sweep, which compares settings of'
        ' model.*, training.* and data.standardise on the same clips and seeds;'
        f' give it to all of them with --config.{key}=...'
      )


def changed(config: Settings, changes: Any, path: object) -> Settings:
  """Returns the settings with some of them changed.

  Args:
    config: the settings.
    changes: see `Changes`.
    path: of the file that they are from, for messages.

  Raises:
    ConfigError: there is no such setting, or the value is impossible.
  """
  _check(changes, path)
  content = settings_json(config)
  if 'model.streams' in changes:  # which say what audio, too
    content['model']['audio'] = ''
  for key, value in changes.items():
    *sections, name = key.split('.')
    inner: Any = content
    for section in sections:
      inner = inner.get(section) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or isinstance(inner.get(name, {}), dict):
      raise ConfigError(
        f'{path}: there is no setting {key!r}; avjax/settings.py has all'
      )
    inner[name] = value
  try:
    return records.typed(Settings, files.as_json(content), 'settings')
  except MismatchError as error:
    raise ConfigError(f'{path}: {error}') from error


def described(changes: Changes) -> str:
  """Returns the settings as a text, such as 'dropout=0.3'."""
  names = [key.rpartition('.')[2] for key in changes]
  shown = [
    name if names.count(name) == 1 else key
    for key, name in zip(changes, names, strict=True)
  ]
  values = (
    f'{value:.4g}' if isinstance(value, float) else str(value)
    for value in changes.values()
  )
  pairs = zip(shown, values, strict=True)
  return ', '.join(f'{k}={v}' for k, v in pairs) or 'as in the config'
