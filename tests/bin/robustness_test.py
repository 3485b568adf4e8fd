"""bin/robustness on made sound and landmarks."""

import csv
import json

import pytest

from tests.bin.extract_sound_test import extract, make_corpus
from tests.bin.programs import ROOT, fails, forked, run, written

TRAINED = (
  '--config.data.protocol=loso', '--config.model.streams=audio,shape',
  '--config.data.store=store',
)  # fmt: skip


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A folder with a corpus, its store, and two linear runs of three folds."""
  folder = make_corpus(tmp_path_factory.mktemp('robust'))
  given = '--landmarks=all.npz', '--fit_on=all'
  code, _, error = extract(folder, 'store', *given)
  assert code == 0, error
  for how in ('speaker', 'none'):
    code, _, error = forked(
      'train', f'--config={ROOT}/configs/linear.py', *TRAINED,
      f'--config.data.standardise={how}', f'--workdir={how}', cwd=folder,
    )  # fmt: skip
    assert code == 0, error
  return folder


def rows(folder):
  with open(folder / 'robustness.csv', newline='') as file:
    return list(csv.DictReader(file))


def test_robustness(trained):
  """Program: all curves of two runs; what is finished is not done again."""
  given = 'speaker', '--output=out', '--corpus=R/audio'
  some = '--disturbances=white,shift'
  code, _, error = run('robustness', *given, some, cwd=trained)
  assert code == 0, error
  kept = written(trained / 'out/kept')
  code, out, error = forked('robustness', 'none', *given, cwd=trained)
  assert code == 0, error
  assert kept.items() <= written(trained / 'out/kept').items()
  assert out == (trained / 'out/robustness.md').read_text()
  assert 'linear, streams=audio,shape, transductive: sound disturbed in' in out
  found = rows(trained / 'out')
  assert {row['disturbance'] for row in found} == {
    'undisturbed', 'white noise', 'babble of four other speakers',
    'reverberation', 'sound later than the picture', 'landmark jitter',
    'frames lost, each on its own', 'frames lost in bursts', 'no sound',
    'no picture',
  }  # fmt: skip
  for name in ('none', 'speaker'):
    results = json.loads((trained / name / 'results.json').read_text())
    share = results['splits']['test']['accuracy']
    own = [
      row
      for row in found
      if ('transductive' in row['run']) == (name == 'speaker')
    ]
    assert len(own) == 1 + 3 * 6 - 2 + 8 + 5 * 3 + 2
    assert own[0]['disturbance'] == 'undisturbed'
    assert own[0]['accuracy'] == f'{100 * share:.1f}'
    assert all(row['clips'] == '12' for row in own)
  for suffix in ('png', 'pdf'):
    assert (trained / f'out/robustness.{suffix}').stat().st_size > 10_000


def test_without_recordings(trained):
  """Program: noise is added to the streams, and table and picture say so."""
  code, out, error = run(
    'robustness', 'none', '--output=streams',
    '--disturbances=noisy_audio,noisy_vision,lost,white', cwd=trained,
  )  # fmt: skip
  assert code == 0, error
  assert 'no recordings: noise is added to the feature streams' in out
  assert 'white noise' not in out
  assert out.count('noise on the visual streams') == 6


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ((), 'no run is given'),
    (('none',), '--output is missing'),
    (('none', '--disturbances=rain'), "there is no disturbance 'rain'"),
    (('none', '--disturbances=babble'), 'the recordings with --corpus'),
    (('none', '--corpus=store'), 'all.npz: No such file'),
    (('store',), 'give a folder that bin/train has made'),
  ],
)
def test_what_is_refused(trained, arguments, message):
  """Program: one line, and nothing is written."""
  output = (
    ['--output=new'] if len(arguments) != 1 or arguments == ('store',) else []
  )
  assert message in fails('robustness', *arguments, *output, cwd=trained)
