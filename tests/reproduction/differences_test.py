"""What a reproduction says that it has not done as the paper did."""

import pathlib

import pytest

from avjax.errors import ConfigError
from avjax.features.corpus_report import CorpusReport, Row
from avjax.reproduction import differences
from avjax.reproduction.request import ROWS, ReproductionRequest
from avjax.settings import FeaturesConfig

NETWORKS = ('average_pool5', 'last_time', 'average', 'proposed')


def make_request(out, **changes):
  """Returns a request, with the configs at their defaults but the variant."""
  streams = {'average_pool5': ('appearance',)}
  configs = {
    row: {
      'model': {
        'variant': row,
        'streams': streams.get(row, ('audio', 'shape', 'appearance')),
      }
    }
    for row in ROWS
  }
  values = {'features': FeaturesConfig(), 'seeds': 3} | changes
  return ReproductionRequest(pathlib.Path('afew'), out, configs, **values)


def told(request, clips):
  """Returns what is said where the store has these clips and labels."""
  rows = tuple(
    Row(name, label, '', 'abc', 50, faces, (), failure)
    for name, label, faces, failure in clips
  )
  request.store.mkdir(parents=True, exist_ok=True)
  (request.store / 'clips.csv').write_text(CorpusReport(rows).table())
  return ' '.join(differences.list_differences(request))


CLIPS = [
  ('training/sad/1', 'sad', 50, ''),
  ('training/sad/2', 'sad', 0, 'cannot be read'),
  ('validation/sad/1', 'sad', 0, ''),
  ('test/1', '', 50, ''),
]


def test_clips(tmp_path):
  """Law: what is said of the clips is counted in the store's table."""
  text = told(make_request(tmp_path), CLIPS)
  assert '1 training (paper 711), 1 validation (paper 371), 1 test' in text
  assert '1 clips could not be used' in text
  assert 'In 1 clips no face was found' in text
  assert 'No label of the 1 test clips is known' in text
  text = told(make_request(tmp_path), [*CLIPS, ('test/sad/2', 'sad', 9, '')])
  assert 'No label of' not in text and '1 of 2 test clips have no' in text
  assert 'There are no test clips' in told(make_request(tmp_path), CLIPS[:3])


def test_what_is_given_is_not_missing(tmp_path):
  """Law: a flag that is given takes back the sentence that it is missing."""
  plain = told(make_request(tmp_path), CLIPS)
  for text in ('--alexnet', '--sfew', '--landmarks'):
    assert f'no {text}' in plain
  given = FeaturesConfig(alexnet='w.npz', landmarks='p/{clip}.mat')
  request = make_request(tmp_path, features=given, sfew='sfew', size='smoke')
  text = told(request, CLIPS)
  assert '(no --' not in text and 'w.npz' in text and 'A trial' in text
  dlib = make_request(tmp_path, features=FeaturesConfig(appearance='dlib'))
  text = told(dlib, CLIPS)
  assert "dlib's face recognition network" in text
  assert 'untrained' not in text and '--sfew' not in text
  assert 'A trial' not in plain and 'One seed' not in plain
  assert 'One seed' in told(make_request(tmp_path, seeds=1), CLIPS)


def test_runs(tmp_path):
  """Law: every row of the tables, on one store, by the official division."""
  made = make_request(tmp_path).runs()
  names = [folder.name for folder in made]
  fused = [f'decision_fusion-seed-{k}' for k in range(3)]
  assert names == [*NETWORKS, 'linear', 'majority', *fused]
  for folder, one in made.items():
    assert one.data.store == str(tmp_path / 'store')
    assert one.data.protocol == 'afew/official'
    assert one.training.seeds == (3 if folder.name in NETWORKS else 1)
  assert [one.seed for one in made.values()] == [0, 0, 0, 0, 0, 0, 0, 1, 2]


def test_begun_otherwise(tmp_path):
  """Law: a folder belongs to the flags that it was begun with."""
  make_request(tmp_path).begin()
  make_request(tmp_path).begin()
  # A setting that came later, and is off, is not in the record.
  assert 'landmarks_rate' not in (tmp_path / 'reproduce.json').read_text()
  with pytest.raises(ConfigError, match='seeds was 3 and is 4'):
    make_request(tmp_path, seeds=4).begin()
  with pytest.raises(ConfigError, match=r"sfew was '' and is 's'"):
    make_request(tmp_path, sfew='s').begin()
