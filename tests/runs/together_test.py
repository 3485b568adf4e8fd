"""What processes that train together must have in common."""

import copy
import dataclasses

import pytest

import avjax
from avjax.errors import ConfigError
from avjax.runs import experiment, together
from avjax.runs.folder import RunFolder
from avjax.settings import DataConfig, ModelConfig
from avjax.training import hosts
from tests.training import examples

CONFIG = dataclasses.replace(
  examples.SETTINGS,
  data=DataConfig(store='synthetic'),
  model=ModelConfig(variant='average'),
)
DIFFERENT = {
  'settings': (
    lambda facts: facts['settings'].update(seed=3),
    'differ in settings: seed is 0 in process 0 (here) and 3 in process 1'
    ' (there); start the same command',
  ),
  'clips': (
    lambda facts: facts['clips'].update(fingerprint='f' * 64),
    'and ffffffffffff... in process 1 (there); give every host the same store',
  ),
  'versions': (
    lambda facts: facts['versions'].update(avjax='9.9'),
    f'differ in versions: avjax is {avjax.__version__} in process 0 (here) and'
    ' 9.9 in process 1 (there); install the same versions',
  ),
  'step': (
    lambda facts: facts['folder'].update({'newest checkpoint': 'step 12'}),
    'newest checkpoint is missing in process 0 (here) and step 12 in process 1'
    ' (there); give a --workdir that is the same folder',
  ),
}


@pytest.mark.parametrize('name', DIFFERENT)
def test_processes_that_differ(name, tmp_path, monkeypatch):
  """Law: each ends with a line that names what differs, where, and the cure."""
  change, wanted = DIFFERENT[name]
  monkeypatch.setattr(together, 'LAG_S', 0)
  prepared = experiment.prepare(CONFIG)
  folder = RunFolder(tmp_path / 'w')

  def gathered(facts):
    first = {**copy.deepcopy(facts), 'host': 'here'}
    second = {**copy.deepcopy(facts), 'host': 'there'}
    if differs:
      change(second)
    return [first, second]

  monkeypatch.setattr(hosts, 'gathered', gathered)
  differs = False
  together._agree(prepared, folder)
  differs = True
  with pytest.raises(ConfigError) as raised:
    together._agree(prepared, folder)
  assert wanted in str(raised.value)
  assert not (tmp_path / 'w').exists()
