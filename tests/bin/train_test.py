"""bin/train as a user meets it."""

import csv
import dataclasses
import gzip
import html
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from avjax.data import store
from tests.bin.programs import ROOT, fails, forked, run, start
from tests.training import examples

CONFIGS = sorted(path.stem for path in (ROOT / 'configs').glob('*.py'))
BASELINES = ('decision_fusion', 'linear', 'majority')
SMALL = (
  f'--config={ROOT}/configs/average.py:smoke',
  '--config.model.streams=audio,face',
  '--config.model.hidden_size=4',
  '--config.model.lstm_cells=4',
  '--config.training.batch_size=8',
)


def make_store(folder, shared=False):
  """Writes a store of 34 small clips; returns its folder.

  The splits share their 4 speakers, or have 4 each.
  """
  clips = []
  for seed, (name, n) in enumerate(
    [('train', 20), ('validation', 7), ('test', 7)]
  ):
    for clip in examples.make_clips(n, name, seed):
      speaker = clip.speaker if shared else f'{clip.speaker} of {name}'
      clips.append(dataclasses.replace(clip, speaker=speaker))
  store.write(folder, clips)
  return folder


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config(name, tmp_path):
  """Program: each config trains, evaluates and leaves its files."""
  code, out, error = run(
    'train',
    f'--config={ROOT}/configs/{name}.py:smoke',
    '--workdir=w',
    cwd=tmp_path,
  )
  assert code == 0, error
  assert out.startswith('split ')
  assert error.splitlines()[0] == 'workdir: w'
  results = json.loads((tmp_path / 'w/results.json').read_text())
  test = results['splits']['test']
  assert {k: results['splits'][k]['n'] for k in results['splits']} == {
    'training': 48,
    'validation': 16,
    'test': 16,
  }
  assert np.sum(test['confusion']) == 16
  assert np.trace(test['confusion']) == test['correct']
  assert ('attention' in test) == (name in ('proposed', 'recommended'))
  assert ('alignment' in test) == (name not in ('average_pool5', *BASELINES))
  epochs = {name: [] for name in BASELINES}
  epochs['decision_fusion'] = ['audio/', 'vision/']
  for folder in epochs.get(name, ['']):
    metrics = tmp_path / 'w' / folder / 'metrics.jsonl'
    lines = metrics.read_text().splitlines()
    assert [json.loads(line)['epoch'] for line in lines] == [0, 1]
  config = json.loads((tmp_path / 'w/config.json').read_text())
  variant = 'proposed' if name == 'recommended' else name
  assert config['settings']['model']['variant'] == variant
  assert config['versions']['jax']
  with open(tmp_path / 'w/predictions.csv') as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 80
  for row in rows:
    shares = {emotion: float(row[emotion]) for emotion in test['emotions']}
    assert abs(sum(shares.values()) - 1) < 1e-5
    assert shares[row['predicted']] == max(shares.values())
  hits = sum(r['label'] == r['predicted'] for r in rows if r['split'] == 'test')
  assert hits == test['correct']


def test_finished_run(tmp_path):
  """Program: a finished run says so; one with other settings is refused."""
  made = make_store(tmp_path / 'store')
  arguments = *SMALL, f'--config.data.store={made}', '--workdir=w'
  assert forked('train', *arguments, cwd=tmp_path)[0] == 0
  before = {p: p.read_bytes() for p in tmp_path.rglob('*') if p.is_file()}
  code, _, error = forked('train', *arguments, cwd=tmp_path)
  assert code == 0
  assert 'holds a finished run' in error
  assert before == {p: p.read_bytes() for p in before}
  line = fails('train', *arguments, '--config.seed=3', cwd=tmp_path)
  assert 'seed was 0 and is 3' in line


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """The arguments of a longer run, and the folder of one without a break."""
  folder = tmp_path_factory.mktemp('whole')
  arguments = (
    *SMALL,
    f'--config.data.store={make_store(folder / "store")}',
    '--config.training.epochs=40',
    '--config.training.patience=40',
  )
  code, _, error = forked('train', *arguments, '--workdir=w', cwd=folder)
  assert code == 0, error
  return arguments, folder / 'w'


def test_sigterm(whole, tmp_path):
  """Program: SIGTERM saves and exits with 143; the rest gives the same."""
  arguments = *whole[0], '--workdir=parts'
  process = start('train', *arguments, cwd=tmp_path)
  metrics = tmp_path / 'parts/metrics.jsonl'
  while not (metrics.exists() and metrics.read_text().count('\n') >= 3):
    assert process.poll() is None
    time.sleep(0.01)
  asked = time.monotonic()
  process.send_signal(signal.SIGTERM)
  process.communicate(timeout=30)
  assert time.monotonic() - asked < 10
  assert process.returncode == 143
  assert not (tmp_path / 'parts/results.json').exists()
  assert forked('train', *arguments, cwd=tmp_path)[0] == 0
  assert_same_run(whole[1], tmp_path / 'parts')


def assert_same_run(first, second):
  """Two folders hold the same run, down to the last digit."""
  assert (first / 'predictions.csv').read_bytes() == (
    second / 'predictions.csv'
  ).read_bytes()
  times = ('seconds', 'clips_per_second')
  lines = [
    [
      {k: v for k, v in json.loads(line).items() if k not in times}
      for line in (folder / 'metrics.jsonl').read_text().splitlines()
    ]
    for folder in (first, second)
  ]
  assert lines[0] == lines[1]


def test_kill(whole, tmp_path):
  """Program: after kill -9 in the middle the same command ends the run."""
  arguments = *whole[0], '--workdir=parts'
  metrics = tmp_path / 'parts/metrics.jsonl'
  for lines in (1, 9):
    process = start('train', *arguments, cwd=tmp_path)
    while not (metrics.exists() and metrics.read_text().count('\n') > lines):
      assert process.poll() is None
      time.sleep(0.01)
    process.kill()
    process.communicate(timeout=30)
  assert forked('train', *arguments, cwd=tmp_path)[0] == 0
  assert_same_run(whole[1], tmp_path / 'parts')


def test_two_processes(whole, tmp_path):
  """Program: two under SLURM train one run; one dies, and one goes on alone."""
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    port = free.getsockname()[1]
  slurm = {
    'SLURM_JOB_ID': '7',
    'SLURM_STEP_NODELIST': '127.0.0.1',
    'SLURM_NTASKS': '2',
    'JAX_COORDINATOR_PORT': str(port),
  }
  arguments = *whole[0], '--workdir=w'
  metrics = tmp_path / 'w/metrics.jsonl'
  both = [
    start(
      *('train', *arguments, '--distributed', '--heartbeat=10'),
      cwd=tmp_path,
      SLURM_PROCID=str(k),
      SLURM_LOCALID=str(k),
      **slurm,
    )
    for k in range(2)
  ]
  try:
    while not (metrics.exists() and metrics.read_text().count('\n') >= 3):
      assert [one.poll() for one in both] == [None, None]
      time.sleep(0.01)
    both[1].kill()
    asked = time.monotonic()
    out, error = both[0].communicate(timeout=30)
    assert time.monotonic() - asked < 12
    assert both[1].communicate(timeout=30)[0] == ''
  finally:
    for one in both:
      one.kill()
  assert both[0].returncode == 1
  assert all(line.startswith('[Gloo] ') for line in out.splitlines())
  said = 'train: error: another process of this training has ended'
  assert error.splitlines()[-1].startswith(said)
  assert 'epoch 3/40' in (tmp_path / 'w/process-1.log').read_text()
  trace = '--profile=trace'
  code, _, error = forked('train', *arguments, trace, cwd=tmp_path)
  assert code == 0, error
  assert 'w: resumed at step' in error
  lines = [
    [json.loads(line) for line in path.read_text().splitlines()]
    for path in (whole[1] / 'metrics.jsonl', metrics)
  ]
  for a, b in zip(*lines, strict=True):
    assert a['epoch'] == b['epoch']
  alone, together = (own[0]['training_loss'] for own in lines)
  assert together == pytest.approx(alone, rel=1e-5)
  (made,) = (tmp_path / 'trace').rglob('perfetto_trace.json.gz')
  events = json.loads(gzip.decompress(made.read_bytes()))['traceEvents']
  assert sum(event.get('name') == 'train' for event in events) == 3


def test_leave_one_speaker_out(tmp_path):
  """Program: all folds in one run; a fold alone gives the same numbers."""
  made = make_store(tmp_path / 'store', shared=True)
  arguments = (
    *SMALL,
    f'--config.data.store={made}',
    '--config.data.protocol=loso',
    '--config.data.standardise=speaker',
  )
  code, out, error = forked('train', *arguments, '--workdir=all', cwd=tmp_path)
  assert code == 0, error
  assert 'test over 4 folds' in out
  results = json.loads((tmp_path / 'all/results.json').read_text())
  each = [
    json.loads((tmp_path / f'all/fold-{k}/results.json').read_text())
    for k in range(4)
  ]
  tested = [one['splits']['test'] for one in each]
  assert (results['protocol'], results['audit']) == ('loso', [])
  assert results['splits']['test']['n'] == 34 == sum(t['n'] for t in tested)
  assert results['splits']['test']['correct'] == sum(
    t['correct'] for t in tested
  )
  assert results['folds']['test']['mean'] == pytest.approx(
    np.mean([t['accuracy'] for t in tested])
  )
  forked(
    'train',
    *arguments,
    '--config.data.fold=2',
    '--workdir=one',
    cwd=tmp_path,
  )
  assert_same_run(tmp_path / 'all/fold-2', tmp_path / 'one')


def test_a_loss_that_grew(tmp_path):
  """Program: a training that diverged ends with a warning, wherever it is."""
  made = make_store(tmp_path / 'store')
  code, out, error = forked(
    'train', *SMALL, f'--config.data.store={made}', '--workdir=w',
    '--config.training.learning_rate=1e12', cwd=tmp_path,
  )  # fmt: skip
  assert code == 0, error
  results = json.loads((tmp_path / 'w/results.json').read_text())
  (text,) = results['warnings']
  assert re.search('the training diverged: its loss .*learning_rate$', text)
  assert out.splitlines()[-1] == f'warning: {text}'
  for name, output in ('tables', '--output=t'), ('report', '--output=r.html'):
    code, _, error = forked(name, 'w', output, cwd=tmp_path)
    assert code == 0, error
  assert text in (tmp_path / 't/table-1.md').read_text()
  assert text in html.unescape((tmp_path / 'r.html').read_text())


def test_a_leak(tmp_path):
  """Program: shared speakers stop a run, or are stamped where they may be."""
  made = make_store(tmp_path / 'store', shared=True)
  arguments = *SMALL, f'--config.data.store={made}', '--workdir=w'
  line = fails('train', *arguments, cwd=tmp_path)
  assert '4 speakers in training and test (speaker 0, speaker 1,' in line
  assert 'data.allow_leaks=speaker ' in line
  allow = '--config.data.allow_leaks=speaker'
  code, out, error = forked('train', *arguments, allow, cwd=tmp_path)
  assert code == 0, error
  assert 'allowed: 4 speakers in training and test' in out
  for name in ('config', 'results'):
    said = json.loads((tmp_path / f'w/{name}.json').read_text())['audit']
    assert {(one['kind'], one['status']) for one in said} == {
      ('speaker', 'allowed')
    }
    assert len(said) == 3


def test_two_runs_in_one_folder(tmp_path):
  """Program: a second run does not touch a folder that is in use."""
  made = make_store(tmp_path / 'store')
  arguments = *SMALL, f'--config.data.store={made}', '--workdir=w'
  first = start(
    'train',
    *arguments,
    '--config.training.epochs=500',
    '--config.training.patience=500',
    cwd=tmp_path,
  )
  try:
    while not (tmp_path / 'w/metrics.jsonl').exists():
      assert first.poll() is None
      time.sleep(0.01)
    code, _, error = forked('train', *arguments, cwd=tmp_path)
  finally:
    first.kill()
    first.communicate(timeout=30)
  assert code == 2
  assert 'another run is using' in error


PROPOSED = f'--config={ROOT}/configs/proposed.py:smoke'
BAD = {
  'no config': ([], '--config is missing'),
  'no such config, and a setting': (
    ['--config=configs/nope.py', '--config.seed=1'],
    '--config=configs/nope.py cannot be read',
  ),
  'no such config': ([f'--config={ROOT}/configs/propsed.py'], 'proposed.py'),
  'config is no Python': ([f'--config={ROOT}/setup.cfg'], 'invalid syntax'),
  'size': ([PROPOSED.replace('smoke', 'tiny')], 'one of full, smoke'),
  'flag': ([PROPOSED, '--wrkdir=w'], 'Did you mean: workdir'),
  'argument': ([PROPOSED, 'w'], "'w' is not a flag"),
  'field': ([PROPOSED, '--config.model.varient=x'], 'Did you mean "variant"'),
  'type': ([PROPOSED, '--config.training.epochs=4.5'], "'4.5'"),
  'variant': ([PROPOSED, '--config.model.variant=x'], 'average_pool5, last_'),
  'streams': ([PROPOSED, '--config.model.streams=audio'], 'no visual stream'),
  'stream': ([PROPOSED, '--config.model.streams=audio,lips'], 'appearance'),
  'kernel': (
    [PROPOSED, '--config.model.implementation=cudnn'],
    'reference, fused',
  ),
  'store': ([PROPOSED, '--config.data.store=nowhere'], 'bin/ingest'),
  'protocol': (
    [PROPOSED, '--config.data.protocol=kfold'],
    'ravdess/5fold-luna',
  ),
  'fold': (
    [PROPOSED, '--config.data.protocol=loso', '--config.data.fold=77'],
    'from 0 to',
  ),
  'batch': ([PROPOSED, '--config.training.batch_size=0'], 'at least 1'),
  'rate': ([PROPOSED, '--config.training.learning_rate=-1'], 'above 0'),
  'dropout': ([PROPOSED, '--config.model.dropout=1.5'], '[0, 0.99]'),
  'row': ([PROPOSED, '--config.model.variant=average_pool5'], 'one visual'),
  'leaks': (
    [PROPOSED, '--config.data.allow_leaks=speaker,all'],
    'one of speaker, take, content',
  ),
  'target': (
    [PROPOSED, '--config.data.target=voice'],
    'the targets in the store',
  ),
  'no folds': ([PROPOSED, '--config.data.fold=3'], 'has no folds'),
  'window': ([PROPOSED, '--config.model.alignment.half_window=0'], 'least 1'),
  'workdir': ([PROPOSED, '--workdir=/proc/nowhere'], '/proc/nowhere'),
  'no workdir': ([PROPOSED, '--distributed'], '--workdir is missing'),
  'process': (
    [PROPOSED, '--workdir=w', '--process=1'],
    '--coordinator and --processes is missing',
  ),
  'no cluster': ([PROPOSED, '--workdir=w', '--distributed'], 'start this with'),
}


@pytest.mark.parametrize('name', BAD)
def test_what_is_wrong(name, tmp_path):
  """Program: one line that names it, exit code 2, nothing written."""
  arguments, wanted = BAD[name]
  line = fails('train', *arguments, cwd=tmp_path)
  assert wanted in line


@pytest.mark.parametrize(
  'name, flag',
  [
    ('train', '--config'),
    ('evaluate', '--split'),
    ('ingest', '--stream'),
    ('benchmark', '--case'),
    ('tables', '--output'),
    ('figures', '--clips'),
    ('report', '--clips'),
  ],
)
def test_help_does_not_load_jax(name, flag, tmp_path):
  """Program: --help lists the flags though JAX cannot be imported."""
  (tmp_path / 'jax.py').write_text('raise RuntimeError')
  done = subprocess.run(
    [sys.executable, ROOT / 'bin' / name, '--help'],
    env={**os.environ, 'PYTHONPATH': f'{tmp_path}:{ROOT}'},
    capture_output=True,
    text=True,
  )
  assert (done.returncode, done.stderr) == (0, '')
  assert flag in done.stdout


def test_several_seeds(tmp_path):
  """Program: two seeds in one run are each the run alone, to the bit.

  Optimised, as a user's runs are.
  """
  store_folder = make_store(tmp_path / 'store')
  arguments = (*SMALL, f'--config.data.store={store_folder}')
  code, out, error = run(
    'train',
    *arguments,
    '--config.training.seeds=2',
    '--workdir=both',
    '--compilation_cache=kept',
    cwd=tmp_path,
    XLA_FLAGS='',
  )
  assert code == 0, error
  assert 'test over 2 seeds: ' in out
  assert any((tmp_path / 'kept').iterdir())
  results = json.loads((tmp_path / 'both/results.json').read_text())
  code, _, error = run(
    'train',
    *arguments,
    '--config.seed=1',
    '--workdir=alone',
    cwd=tmp_path,
    XLA_FLAGS='',
  )
  assert code == 0, error
  alone = json.loads((tmp_path / 'alone/results.json').read_text())
  accuracy = alone['splits']['test']['accuracy']
  assert results['seeds']['test']['each'][1] == accuracy
  assert_same_run(tmp_path / 'both/seed-1', tmp_path / 'alone')
  code, out, error = forked('evaluate', '--workdir=both/seed-1', cwd=tmp_path)
  assert code == 0, error
  ensemble = results['ensemble']['splits']['test']
  code, out, error = run(
    'evaluate', '--workdir=both', cwd=tmp_path, XLA_FLAGS=''
  )
  assert code == 0, error
  assert 'mean probabilities of 2 runs' in out
  found = tmp_path / 'both/evaluation-own-test'
  again = json.loads((found / 'results.json').read_text())
  assert again['splits']['test'] == ensemble
  lines = (tmp_path / 'both/predictions.csv').read_text().splitlines()
  wanted = [line for line in lines if ',test,' in line]
  assert (found / 'predictions.csv').read_text().splitlines()[1:] == wanted
  code, out, error = forked('tables', 'both', cwd=tmp_path)
  assert code == 0, error
  accuracy = f'{100 * ensemble["accuracy"]:.1f} ['
  row = next(x for x in out.splitlines() if ', ensemble of 2 |' in x)
  assert f'| {accuracy}' in row
