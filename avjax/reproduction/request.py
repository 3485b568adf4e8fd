"""What bin/reproduce is asked for, and the runs that it stands for."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from avjax import files
from avjax.errors import ConfigError
from avjax.runs.registry import MODELS
from avjax.settings import FeaturesConfig, Settings, section

ROWS = tuple(MODELS)
"""The four networks of Table 1, and what they are compared with."""
RECORD = 'reproduce.json'


@dataclasses.dataclass(frozen=True)
class ReproductionRequest:
  """What is asked for.

  Attributes:
    afew: folder of the corpus.
    out: gets the store, the runs, tables, figures and the page; absolute, as
      the runs name their store.
    configs: row -> a whole config, as its file in configs/ has it.
    features: settings of the features.
    sfew: folder of labelled faces for the random forest, or ''.
    seeds: runs of every network.
    size: of the configs, 'full' or 'smoke'.
    workers: processes that measure clips.
  """

  afew: pathlib.Path
  out: pathlib.Path
  configs: Mapping[str, Any]
  features: FeaturesConfig
  sfew: str = ''
  seeds: int = 5
  size: str = 'full'
  workers: int = 1

  @property
  def store(self) -> pathlib.Path:
    """The folder of the features."""
    return self.out / 'store'

  def runs(self) -> dict[pathlib.Path, Settings]:
    """Returns the folder of every run and its settings, in order."""
    made = {}
    for row, model in MODELS.items():
      folder = self.out / 'runs' / row
      if model.replicated:
        made[folder] = self._settings(row, 0, self.seeds)
      elif not model.random:
        made[folder] = self._settings(row, 0, 1)
      else:  # fitted once a seed
        for seed in range(self.seeds):
          place = folder.with_name(f'{row}-seed-{seed}')
          made[place] = self._settings(row, seed, 1)
    return made

  def _settings(self, row: str, seed: int, seeds: int) -> Settings:
    config = section(Settings, self.configs[row])
    data = dataclasses.replace(
      config.data, store=str(self.store), protocol='afew/official'
    )
    training = dataclasses.replace(config.training, seeds=seeds)
    return dataclasses.replace(config, seed=seed, data=data, training=training)

  def begin(self) -> None:
    """Writes what is asked for, or checks that it was before.

    Raises:
      ConfigError: the folder was begun with other flags; names them.
    """
    now = {'sfew': self.sfew, 'seeds': self.seeds, 'size': self.size}
    now |= files.as_json(dataclasses.asdict(self.features))
    path = self.out / RECORD
    if not path.exists():
      files.write_json(path, now)
      return
    before = files.read_json(path)
    before = {key: before.get(key) for key in now}
    if different := list(files.differences(before, now)):
      raise ConfigError(
        f'{self.out} was begun otherwise: {"; ".join(different)}; choose'
        ' another folder, or the flags it was begun with'
      )
