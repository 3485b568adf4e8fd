"""The request of bin/reproduce, and the runs that it needs."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from avjax import files
from avjax.errors import ConfigError, DataError
from avjax.records import Reader
from avjax.runs.registry import MODELS
from avjax.settings import FeaturesConfig, Settings, section

ROWS = tuple(MODELS)
"""The four networks of Table 1, the baselines and decision fusion."""
RECORD = 'reproduce.json'
RECORDS = Reader(
  DataError,
  missing='give the folder of a reproduction',
  damaged='restore it, or reproduce into another folder',
)


@dataclasses.dataclass(frozen=True)
class ReproductionRequest:
  """The request of bin/reproduce.

  Attributes:
    afew: folder of the corpus.
    out: folder for store, runs, tables, figures and report. It is an absolute
      path, since the runs record the path of their store.
    configs: row -> the whole config from its file in configs/.
    features: settings of the features.
    sfew: folder of labelled faces for the random forest, or ''.
    seeds: number of runs of every network.
    size: of the configs, 'full' or 'smoke'.
    workers: number of processes that extract features.
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
    """The folder of the feature store."""
    return self.out / 'store'

  def runs(self) -> dict[pathlib.Path, Settings]:
    """Returns folder -> settings of every run, in the order of training."""
    made = {}
    for row, model in MODELS.items():
      folder = self.out / 'runs' / row
      if model.replicated:
        made[folder] = self._settings(row, 0, self.seeds)
      elif not model.random:
        made[folder] = self._settings(row, 0, 1)
      else:  # one run per seed
        for seed in range(self.seeds):
          own = folder.with_name(f'{row}-seed-{seed}')
          made[own] = self._settings(row, seed, 1)
    return made

  def _settings(self, row: str, seed: int, seeds: int) -> Settings:
    config = section(Settings, self.configs[row])
    data = dataclasses.replace(
      config.data, store=str(self.store), protocol='afew/official'
    )
    training = dataclasses.replace(config.training, seeds=seeds)
    return dataclasses.replace(config, seed=seed, data=data, training=training)

  def begin(self) -> None:
    """Writes the request, or checks that the folder has the same request.

    Raises:
      ConfigError: the folder was begun with other flags; the message names
        them.
    """
    now = {'sfew': self.sfew, 'seeds': self.seeds, 'size': self.size}
    now |= files.as_json(dataclasses.asdict(self.features))
    if not self.features.landmarks_rate:  # as records that are older than it
      del now['landmarks_rate']
    if not self.features.onnx:
      del now['onnx']
    if self.features.appearance == 'alexnet':
      del now['appearance']
    path = self.out / RECORD
    if not path.exists():
      files.write_json(path, now)
      return
    before = RECORDS.json(path, dict[str, Any])
    before = {key: before.get(key) for key in now}
    if different := list(files.differences(before, now)):
      raise ConfigError(
        f'{self.out} was begun with other flags: {"; ".join(different)};'
        ' choose another folder, or the flags it was begun with'
      )
