"""Seeds and folds that processes divide among themselves."""

import json

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from avjax import files, host_flags
from avjax.clips import Clip
from avjax.data import store
from avjax.processes import Process
from avjax.runs import dividing, experiment
from avjax.settings import DataConfig, ModelConfig, Settings

TIMED = {'seconds', 'clips_per_second', 'digests', 'sha256'}
"""What differs from one training to the next; digests are of such files."""


def settings(folder, protocol='store'):
  """Returns settings of a linear baseline, whose store is made in a folder.

  It has 48 clips by eight speakers; two validate, and two test.
  """
  random = np.random.default_rng(0)
  splits = ['training'] * 4 + ['validation'] * 2 + ['test'] * 2
  clips = []
  for k in range(48):
    label, speaker = k % 3, k // 6
    audio = random.standard_normal((5, 3)) + label / 2 + speaker
    face = random.standard_normal((4, 2))
    streams = {'audio': np.float32(audio), 'face': np.float32(face)}
    name, split = f'clip-{k}', splits[speaker]
    clips.append(Clip(name, streams, 'abc'[label], f's{speaker}', split=split))
  store.write(folder / 'store', clips)
  return Settings(
    data=DataConfig(store=str(folder / 'store'), protocol=protocol),
    model=ModelConfig(variant='linear', streams=('audio', 'face')),
  )


def contents(folder):
  """Returns file -> its content, without what is timed."""
  found = {}
  for path in folder.rglob('*'):
    if path.suffix == '.json':
      content = json.loads(path.read_text())
      found[path.relative_to(folder)] = untimed(content)
    elif path.suffix == '.csv':
      found[path.relative_to(folder)] = path.read_bytes()
  return found


def untimed(content):
  """Returns JSON without what is timed."""
  if isinstance(content, dict):
    return {k: untimed(v) for k, v in content.items() if k not in TIMED}
  return content


def test_processes_divide_folds(tmp_path, capsys):
  """Program: the results of one process, from whoever comes last."""
  folds = settings(tmp_path, 'speakers/4')
  experiment.train(folds, tmp_path / 'one')
  shared = tmp_path / 'shared'
  with files.lock(shared / 'fold-1'):  # as a process has it that still lives
    assert dividing.train(folds, shared, Process(1, 2)) is None
    assert dividing.train(folds, shared, Process(0, 2)) is None
  said = capsys.readouterr().err
  assert f'{shared}/fold-1 is in other hands' in said
  assert '1 of 4 runs are left to other processes' in said
  assert not (shared / 'results.json').exists()
  with files.lock(shared / 'joining'):
    assert dividing.train(folds, shared, Process(1, 2)) is None
  assert 'another process joins' in capsys.readouterr().err
  results = dividing.train(folds, shared, Process(2, 3))
  assert results['splits']['test']['n'] == 48
  assert contents(shared) == contents(tmp_path / 'one')


SLURM = {'SLURM_PROCID': '1', 'SLURM_NTASKS': '3'}
ARRAY = {
  'SLURM_ARRAY_TASK_ID': '5', 'SLURM_ARRAY_TASK_MIN': '1',
  'SLURM_ARRAY_TASK_STEP': '2', 'SLURM_ARRAY_TASK_COUNT': '4',
}  # fmt: skip


@pytest.mark.parametrize(
  ('given', 'variables', 'wanted'),
  [
    ({}, SLURM, None),
    ({'distributed': True}, SLURM, Process(1, 3)),
    ({'distributed': True}, SLURM | ARRAY, Process(7, 12)),
    ({'distributed': True}, ARRAY, Process(2, 4)),
    ({'distributed': True}, SLURM | {'OMPI_COMM_WORLD_RANK': '0',
                                     'OMPI_COMM_WORLD_SIZE': '2'},
     Process(0, 2)),
    ({'process': 1, 'processes': 2}, {}, Process(1, 2)),
    ({'distributed': True}, {}, 'finds neither'),
    ({'distributed': True}, ARRAY | {'SLURM_ARRAY_TASK_ID': '9'}, 'gaps'),
    ({'process': 1}, {}, '--processes is missing'),
    ({'process': 2, 'processes': 2}, {}, 'from 0 to 1'),
    ({'coordinator': 'a:1'}, {}, 'leave out --coordinator'),
  ],
)  # fmt: skip
def test_which_share(monkeypatch, given, variables, wanted):
  """Law: by flags, or by what SLURM and Open MPI say."""
  for name in (*SLURM, *ARRAY, 'SLURM_STEP_NUM_TASKS'):
    monkeypatch.delenv(name, raising=False)
  for name, value in variables.items():
    monkeypatch.setenv(name, value)
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()
  with flagsaver.flagsaver(**given):
    if isinstance(wanted, str):
      with pytest.raises(flags.Error, match=wanted):
        host_flags.share()
    else:
      assert host_flags.share() == wanted
