"""Settings: defaults, sections, what is refused."""

import pytest
from ml_collections import config_dict

from avjax import settings
from avjax.errors import ConfigError


def test_default_is_the_dataclasses():
  """Law: the config for --config holds every setting at its default."""
  got = settings.section(settings.Settings, settings.default())
  assert got == settings.Settings()


def test_override():
  """Law: a changed value arrives in its section, nested ones included."""
  config = settings.default()
  config.model.alignment.reads = 'hidden'
  config.model.streams = ('audio,face',)
  config.model.implementation = 'reference'
  got = settings.section(settings.Settings, config)
  assert got.model.alignment.reads == 'hidden'
  assert got.model.streams == ('audio', 'face')
  assert got.model.implementation == 'reference'
  assert hash(got.model)  # compiled code is found by it


@pytest.mark.parametrize(
  'section, key, value, message',
  [
    ('model', 'hiden_size', 3, 'did you mean hidden_size'),
    ('model', 'activation', 'gelu', 'relu, tanh, sigmoid'),
    ('model', 'streams', ('a', 'a'), 'twice'),
    ('model', 'streams', ('sound', 'face'), 'use it alone'),
    ('model', 'fusion', 'vote', 'validation, equal'),
    ('data', 'fold', '-1', "number from 0, or 'all'"),
    ('data', 'standardise', 'actor', 'none, speaker, recording, enrolment'),
    ('data', 'standardise', 'enrolment', 'such as data.enrolment_clips=16'),
    ('data', 'enrolment', 4, "set data.standardise to 'enrolment'"),
    ('training', 'parallelism', 'pmpa', 'jit, pmap'),
    ('data', 'placement', 'disk', 'auto, device, host, stream'),
    ('data', 'batch_frames', 0, '1'),
    ('training', 'rho', 1.0, r'\[0, 1\)'),
    ('training', 'weight_decay', -0.1, 'at least 0'),
    ('synthetic', 'training', 3, 'at least 7'),
    ('training', 'epochs', 10**20 - 1, r'below 2\*\*63'),
    ('synthetic', 'longest', 2**63, r'below 2\*\*63'),
    ('synthetic', 'seed', -1, r'\[0, 2\*\*31\)'),
  ],
)
def test_what_is_refused(section, key, value, message):
  """Law: an unknown key or an impossible value names itself."""
  config = config_dict.ConfigDict(settings.default(), type_safe=False)
  config.unlock()
  config[section][key] = value
  with pytest.raises(ConfigError, match=message) as error:
    settings.section(settings.Settings, config)
  assert section in str(error.value)
