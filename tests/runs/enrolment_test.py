"""Runs that standardise by enrolment, from the training to another store."""

import json

import numpy as np
import pytest

from avjax.clips import Clip
from avjax.data import batching, store
from avjax.errors import CheckpointError
from avjax.runs import (
  average_speaker,
  evaluation,
  experiment,
  finished,
  scoring,
)
from avjax.runs.folder import RunFolder
from avjax.settings import DataConfig, ModelConfig, Settings


def write_store(folder, seed=0):
  """Writes clips whose emotion shows only against their speaker's mean."""
  rng = np.random.default_rng(seed)
  offset = rng.normal(0, 3, (4, 2))
  clips = []
  for i in range(80):
    label = (i // 4) % 2
    frames = 6 + i % 7
    x = rng.normal(offset[i % 4] + [2 * label, 0], 0.3, (frames, 2))
    clips.append(
      Clip(
        f'clip {i}',
        {'audio': x.astype(np.float32), 'shape': x.astype(np.float32)},
        label=('happy', 'sad')[label],
        speaker=f's{i % 4} of {seed}',
        split='test',
      )
    )
  store.write(folder, clips)
  return str(folder)


def config_of(path, count, **more):
  data = {'standardise': 'enrolment', 'enrolment': count} | more
  return Settings(
    data=DataConfig(store=path, protocol='loso', enrolment_clips=8, **data),
    model=ModelConfig(variant='linear', streams=('audio', 'shape')),
  )


def test_enrolment(tmp_path):
  """Law: a run says how it was standardised; reopened, it predicts the same.

  All numbers of enrolled clips are tested on the same clips.
  """
  path = write_store(tmp_path / 'store')
  tested = []
  for name, config, stamp in (
    ('n0', config_of(path, 0), 'enrolment of 0 clips'),
    ('n4', config_of(path, 4), 'enrolment of 4 clips'),
    (
      'all',
      config_of(path, 0, standardise='speaker'),
      'transductive, 8 clips a speaker set apart',
    ),
  ):
    results = experiment.train(config, tmp_path / name)
    assert results['standardised'] == stamp
    (group,) = finished.grouped(finished.load_all([tmp_path / name]))
    assert group.title == f'linear, streams=audio,shape, {stamp}'
    tested.append(sorted(group.first.predictions['test'].clips))
    fold = evaluation.open_run(tmp_path / name / 'fold-1')
    again, _ = fold.predict(fold.clips('test'))
    lines = fold.folder.read_predictions(fold.folder.read_results())
    shares = [list(map(float, k.shares)) for k in lines if k.split == 'test']
    np.testing.assert_allclose(again.probabilities, shares, atol=1e-6)
    assert len(fold.clips('all')) == 80
  assert len(tested[0]) == 4 * 12
  assert tested[0] == tested[1] == tested[2]
  other = write_store(tmp_path / 'other', seed=1)
  shares = {}
  for name in ('n0', 'n4', 'all'):
    fold = tmp_path / name / 'fold-0'
    found = scoring.evaluate(fold, other, output=tmp_path / f'{name}-other')
    assert found['splits']['test']['n'] == 48
    shares[name] = found['splits']['test']['accuracy']
  assert shares['n0'] < 0.7 < 0.8 < shares['n4'] < shares['all'] == 1
  damage_average(RunFolder(tmp_path / 'n4/fold-0'))


def damage_average(folder):
  """A run with a false average speaker says so."""
  file = folder.path / average_speaker.FILE
  content = json.loads(file.read_text())
  content['audio']['variance'] = [1.0]
  file.write_text(json.dumps(content))
  with pytest.raises(CheckpointError, match='do not fit'):
    average_speaker.read(folder)
  with pytest.raises(CheckpointError, match='it was changed'):
    folder.read_results()


def test_padded_lengths(tmp_path):
  """Law: all folds have the same padded lengths, whoever is set apart."""
  config = config_of(write_store(tmp_path / 'store'), 2)
  jobs = experiment.prepare(config).jobs(config, RunFolder(tmp_path / 'run'))
  found = {
    batching.buckets([c for part in job.padded.values() for c in part], 2, 32)
    for job in jobs
  }
  assert len(found) == 1
