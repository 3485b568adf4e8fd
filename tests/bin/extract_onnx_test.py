"""bin/extract --stream: from an ONNX model to a prediction."""

import json
import shutil

import numpy as np
import pytest

import avjax
from avjax.data import store
from avjax.errors import AvjaxError
from avjax.runs import finished
from avjax.streaming import live_stream
from tests.bin.extract_sound_test import NAMES, make_corpus
from tests.bin.programs import ROOT, fails, forked
from tests.features import onnx_made

GIVEN = (
  '--clips=clips.csv', '--clip_column=take', '--landmarks_rate=30',
  '--landmarks=all.npz', '--shape_width=3', '--fit_on=all',
)  # fmt: skip
STREAMS = '--streams=shape', '--stream=bank:bank.onnx,hop=0.01,whiten=3'
SMALL = (
  f'--config={ROOT}/configs/average.py:smoke', '--config.training.epochs=1',
  '--config.model.hidden_size=3', '--config.model.lstm_cells=3',
  '--config.data.protocol=speakers/3', '--config.data.fold=0',
)  # fmt: skip


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
  """A folder with takes, their landmarks and models."""
  folder = make_corpus(tmp_path_factory.mktemp('onnx'))
  onnx_made.bank(folder / 'bank.onnx')
  onnx_made.bank(folder / 'other.onnx', seed=1)
  onnx_made.mean(folder / 'mean.onnx', size=8)
  return folder


def does(folder, name, *arguments):
  code, out, error = forked(name, *arguments, cwd=folder)
  assert code == 0, error
  return out, error


def contents(folder):
  """Returns path -> bytes of everything below a folder."""
  return {
    path.relative_to(folder): path.read_bytes()
    for path in folder.rglob('*')
    if path.is_file()
  }


def test_from_a_model_to_a_prediction(corpus):
  """Program: extract, train, evaluate, predict, bundle."""
  sound = 'extract', 'R/audio', 'one', *GIVEN, *STREAMS, '--workers=1'
  out, error = does(corpus, *sound)
  assert 'audio.bank: 3 whitened values of the model bank.onnx, SHA-256' in out
  assert error.splitlines()[-1].endswith(
    '--config.model.streams=shape,audio.bank --config.data.protocol=loso'
  )
  for clip in store.read(corpus / 'one'):
    assert {k: v.shape for k, v in clip.streams.items()} == {
      'shape': (30, 3), 'audio.bank': (120, 3), 'face': (30, 1),
    }  # fmt: skip
  # In two goes, and by two processes.
  again = 'extract', 'R/audio', 'two', *GIVEN, *STREAMS, '--workers=2'
  does(corpus, *again, '--shard=1/2')
  does(corpus, *again)
  assert contents(corpus / 'one') == contents(corpus / 'two')
  assert 'finished already' in does(corpus, *again)[1]
  other = 'extract', 'R/audio', 'two', *GIVEN, STREAMS[0]
  changed = forked(*other, '--stream=bank:other.onnx,hop=0.01', cwd=corpus)
  assert changed[0] == 2 and 'other settings' in changed[2]
  data = '--config.data.store=one', '--config.model.streams=shape,audio.bank'
  does(corpus, 'train', *SMALL, *data, '--workdir=r')
  config = json.loads((corpus / 'r/config.json').read_text())
  model = config['settings']['model']
  assert (model['streams'], model['audio']) == (['shape', 'audio'], 'bank')
  finished_run = finished.load(corpus / 'r')
  assert finished_run.title.endswith('streams=shape,audio.bank')
  assert len(finished_run.speakers) == len(NAMES)
  # A file of sound has no face.
  clip = store.read(corpus / 'one')[0]
  blind = clip.changed(lambda name, x: x if name == 'audio.bank' else 0 * x)
  made = avjax.load(corpus / 'r')
  (wanted,) = made.outcome([made.features(blind)]).probabilities
  with pytest.raises(AvjaxError, match=r'hears audio\.bank, which an'):
    live_stream.stream(made)
  error = fails(
    'robustness', 'r', '--output=o', '--corpus=R/audio', cwd=corpus,
  )  # fmt: skip
  assert 'hears audio.bank, which is not measured' in error
  does(corpus, 'bundle', 'r', 'r.zip', '--about=noise')
  shutil.rmtree(corpus / 'one')
  (corpus / 'bank.onnx').unlink()
  asked = 'predict', f'R/audio/{NAMES[0]}.wav', '--json', '--nopicture'
  (answer,) = json.loads(does(corpus, *asked, '--model=r.zip')[0])
  got = [*answer['probabilities'].values()]
  np.testing.assert_allclose(got, wanted, atol=2e-6)
  error = fails(*asked, '--model=r.zip', '--stream=bank:other.onnx', cwd=corpus)
  assert 'other.onnx has' in error and error.count('SHA-256') == 1
  error = fails(*asked, '--model=r.zip', '--window=0.6', cwd=corpus)
  assert 'without streams of ONNX models (audio.bank)' in error


@pytest.mark.parametrize(
  ('stream', 'message'),
  [
    ('x:none.onnx', 'none.onnx cannot be read (No such file'),
    ('x:mean.onnx', 'are sound files, and x is measured from pictures'),
    ('x:R/clips.csv', 'clips.csv is no ONNX model'),
  ],
)
def test_what_is_refused_of_models(corpus, stream, message):
  """Program: one line, exit code 2, before anything is measured or written."""
  error = fails(
    'extract', 'R/audio', 'new', *GIVEN, '--streams=', f'--stream={stream}',
    cwd=corpus,
  )  # fmt: skip
  assert message in error
