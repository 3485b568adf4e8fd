"""bin/extract on sound and landmarks without pictures."""

import csv
import json
import wave

import numpy as np
import pytest

import avjax
from avjax.data import store
from avjax.data.corpora import tree
from avjax.features import extractor as extractors
from avjax.features import fitting
from avjax.runs import finished
from avjax.synthesis import raw_clips
from tests.bin.programs import ROOT, fails, forked

SPEAKERS, LABELS = ('anna', 'ben', 'cleo'), ('happy', 'sad')
RATE = 30  # of the landmarks
NAMES = [f'{s}-{e}-{k}' for s in SPEAKERS for e in LABELS for k in (0, 1)]
GIVEN = (
  '--clips=clips.csv', '--clip_column=take', '--landmarks_rate=30',
  '--streams=audio,shape', '--audio_width=4', '--shape_width=3', '--workers=1',
)  # fmt: skip


def landmarks():
  """Returns clip -> faces (36, 68, 2) that move at random."""
  random = np.random.default_rng(0)
  face = random.uniform(100, 300, (68, 2))
  return {
    name: face + random.normal(size=(36, 68, 2)).cumsum(axis=0)
    for name in NAMES
  }


def pack(path, faces):
  """Writes the landmarks of all clips into one file."""
  offsets = np.cumsum([0, *(len(xy) for xy in faces.values())])
  xy = np.concatenate(list(faces.values()))
  np.savez_compressed(path, takes=np.array([*faces]), offsets=offsets, xy=xy)


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
  """See `make_corpus`."""
  return make_corpus(tmp_path_factory.mktemp('sound'))


def make_corpus(folder):
  """Returns a folder with 12 takes of 1.2 s by three speakers, as of RAVDESS.

  `R/audio` has the sound, `R/clips.csv` the table, `R/all.npz` the landmarks.
  """
  (folder / 'R/audio').mkdir(parents=True)
  random = np.random.default_rng(1)
  lines = ['take,label,speaker']
  for k, name in enumerate(NAMES):
    lines.append(f'{name},{name.split("-")[1]},{name.split("-")[0]}')
    sound = random.normal(0, 300 * (1 + k % 5), 19200).astype('<i2')
    with wave.open(str(folder / f'R/audio/{name}.wav'), 'wb') as file:
      file.setparams((1, 2, 16000, 0, 'NONE', ''))
      file.writeframes(sound.tobytes())
  (folder / 'R/clips.csv').write_text('\n'.join(lines) + '\n')
  pack(folder / 'R/all.npz', landmarks())
  return folder


def extract(folder, out, *arguments):
  """Returns exit code, standard output and standard error."""
  return forked('extract', 'R/audio', out, *GIVEN, *arguments, cwd=folder)


def test_sound_with_landmarks(corpus, tmp_path):
  """Program: one file, or a file a clip; what changes is measured again."""
  archive, fit = '--landmarks=all.npz', '--fit_on=all'
  assert extract(corpus, 'one', archive, fit, '--shard=1/2')[0] == 0
  # Half is measured; then a face moves, one is gone, and the file is elsewhere.
  changed = landmarks()
  changed[NAMES[0]][:, 20:30] *= 1.5
  del changed[NAMES[-1]]
  pack(tmp_path / 'all.npz', changed)
  moved = f'--landmarks={tmp_path}/all.npz'
  code, out, error = extract(corpus, 'one', moved, fit)
  assert code == 3 and f'left out {NAMES[-1]}: all.npz has no' in out, error
  assert 'no video' not in out  # the landmarks take its place
  one = store.read(corpus / 'one')
  assert [clip.name for clip in one] == NAMES[:-1]
  for clip in one:
    lengths = {name: len(array) for name, array in clip.streams.items()}
    assert lengths == {'audio': 38, 'shape': 30, 'face': 30}
  # The same from a file a clip.
  for name, xy in changed.items():
    np.save(tmp_path / f'{name}.npy', xy)
  code, out, error = extract(
    corpus, 'each', f'--landmarks={tmp_path}/{{clip}}.npy', fit
  )
  assert code == 3 and f'left out {NAMES[-1]}: landmarks' in out, error
  # An extractor is applied to landmarks that are elsewhere.
  given = f'--extractor={corpus}/each/extractor', moved, '--transfer'
  code, _, error = extract(corpus, 'again', *given)
  assert code == 3, error
  for other in ('each', 'again'):
    for a, b in zip(one, store.read(corpus / other), strict=True):
      assert a.streams.keys() == b.streams.keys()
      for name, array in a.streams.items():
        np.testing.assert_array_equal(array, b.streams[name])


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (('--landmarks=none.npz', '--fit_on=all'), 'none.npz: No such file'),
    (('--landmarks=all.npz',), '--fit_on=all'),
    (('--fit_on=all', '--landmarks_rate='), 'name files of landmarks'),
    (
      ('--landmarks=all.npz', '--fit_on=all', '--streams=shape,appearance'),
      'the appearance is measured from pictures',
    ),
  ],
)
def test_what_is_refused_of_sound(corpus, arguments, message):
  """Program: one line, exit code 2, before anything is measured or written."""
  error = fails('extract', 'R/audio', 'new', *GIVEN, *arguments, cwd=corpus)
  assert message in error


def test_an_extractor_for_every_fold(corpus):
  """Program: each is fitted on its training clips, and every program finds it.

  Fold 1 tests ben, validates with cleo and trains with anna.
  """
  folds = '--fit_on=folds', '--protocol=speakers/3'
  archive = '--landmarks=all.npz'
  code, out, error = extract(corpus, 'folds', archive, *folds)
  assert code == 0, error
  assert 'fold 2: fitted on 4 of 12 clips' in out
  assert '--config.data.protocol=speakers/3' in error.splitlines()[-1]
  own = corpus / 'folds/fold-1'
  rows = [
    dict(zip(('clip', 'label'), (n, n.split('-')[1]), strict=True))
    for n in NAMES[:4]
  ]
  hashes = [tree.digest(corpus / f'R/audio/{name}.wav') for name in NAMES[:4]]
  made = extractors.load(own / 'extractor')
  assert made.corpus == fitting.fingerprint(rows, dict(enumerate(hashes)))
  for stream in ('audio', 'shape'):  # white on the clips it was fitted on
    frames = np.concatenate([c.streams[stream] for c in store.read(own)[:4]])
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(
      frames.T @ frames / len(frames), np.eye(len(frames.T)), atol=1e-4
    )
  again = extract(corpus, 'folds', archive, *folds)
  assert again[:2] == (0, out) and 'finished already' in again[2]
  for other in (('--fit_on=all',), (folds[0], '--protocol=loso')):
    assert 'other settings' in extract(corpus, 'folds', archive, *other)[2]

  def does(name, *arguments):
    code, out, error = forked(name, *arguments, cwd=corpus)
    assert code == 0, error
    return out

  streams = '--config.model.streams=audio,shape'
  data = f'--config.data.store={corpus}/folds', '--config.data.protocol='
  trained = data[0], f'{data[1]}speakers/3', streams
  does('train', f'--config={ROOT}/configs/linear.py', *trained, '--workdir=l')
  small = 'hidden_size=3', 'lstm_cells=3'
  does(
    'train', f'--config={ROOT}/configs/average.py:smoke', *trained,
    '--config.training.seeds=2', '--config.training.epochs=1', '--workdir=n',
    *(f'--config.model.{setting}' for setting in small),
  )  # fmt: skip
  prints = set()
  for run in ('l/fold-1', 'n/seed-1/fold-2'):
    does('evaluate', f'--workdir={run}', '--output=evaluated')
    before, after = (
      json.loads((corpus / folder / 'results.json').read_text())['splits']
      for folder in (run, 'evaluated')
    )
    assert after['test'] == before['test']
    info = json.loads((corpus / run / 'config.json').read_text())
    prints.add(info['data_fingerprint'])
    assert (
      info['extractor']
      == extractors.load(corpus / f'folds/{run[-6:]}/extractor').fingerprint
    )
    out = does('predict', f'R/audio/{NAMES[0]}.wav', f'--workdir={run}')
    assert 'but no picture' in out
  # The bundle of a run answers as the run, and says how good it is.
  does('bundle', run, 'n.zip', '--about=noise')
  assert does('predict', f'R/audio/{NAMES[0]}.wav', '--model=n.zip') == (
    out.replace(f'{run}/predictions', 'predictions')
  )
  (accuracy,) = avjax.load(corpus / 'n.zip').card.accuracies
  assert accuracy.accuracy == after['test']['accuracy']
  assert (accuracy.clips, accuracy.speakers) == (after['test']['n'], 0)
  error = fails('bundle', run, 'm.zip', '--figures=l/fold-1', cwd=corpus)
  assert 'is a run of another network' in error
  over_time(corpus, 'l/fold-1')
  faces(corpus, 'l/fold-1')
  assert len(prints) == 2
  assert finished.load(corpus / 'l').speakers == {
    name: name.split('-')[0] for name in NAMES
  }
  error = fails(
    'train', f'--config={ROOT}/configs/linear.py', data[0], f'{data[1]}loso',
    streams, '--workdir=x', cwd=corpus,
  )  # fmt: skip
  assert "fitted with data.protocol='speakers/3' and not 'loso'" in error
  error = fails('evaluate', '--workdir=l', '--store=folds/fold-1', cwd=corpus)
  assert 'give the folder of that fold, such as l/fold-0' in error


def over_time(corpus, run):
  """Time lines of listed files; the same command again asks nothing again."""
  paths = [f'R/audio/{name}.wav' for name in NAMES[:2]]
  (corpus / 'list.txt').write_text('\n'.join(['R/gone.wav', *paths]))
  given = (
    '@list.txt',
    f'--workdir={run}',
    '--window=0.6',
    '--hop=0.3',
    '--csv=t',
  )
  code, out, error = forked('predict', *given, cwd=corpus)
  assert code == 3 and 'left out' in error, error
  assert f'{paths[0]}: 1 s, 3 windows of 0.6 s - but no picture' in out
  assert (corpus / run / f'predictions/{NAMES[0]}.png').exists()
  table = (corpus / 't').read_bytes()
  lines = list(csv.DictReader(table.decode().splitlines()))
  assert [(line['clip'], line['time']) for line in lines] == [
    (path, f'{time:.6f}') for path in paths for time in (0.3, 0.6, 0.9)
  ]
  assert {line['audible'] for line in lines} == {'1.000000'}
  for line in lines:
    shares = {name: float(line[name]) for name in LABELS}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert line['predicted'] == max(shares, key=shares.get)
  with open(corpus / 't.jsonl', 'a') as file:
    file.write('{"clip": "cut o')  # as by a kill
  (corpus / 't').unlink()
  code, out, error = forked('predict', *given, cwd=corpus)
  assert out.count(': answered before\n') == 2
  assert (corpus / 't').read_bytes() == table
  out = forked('predict', *given[:-2], '--hop=0.6', '--csv=t', cwd=corpus)[1]
  assert 'answered before' not in out  # another request
  assert 'the window is 0 s' in fails(
    'predict', *given[:2], '--window=0', cwd=corpus
  )


def faces(corpus, run):
  """A table with the time line of every face, and of sound without one."""
  raw_clips.make(corpus / 'd', raw_clips.plan(1, 1, (192, 144), 0), 1)
  (drawn,) = (corpus / 'd').glob('*.mp4')
  paths = f'd/{drawn.name}', f'R/audio/{NAMES[0]}.wav'
  code, out, error = forked(
    'predict', *paths, f'--workdir={run}', '--face=all', '--window=1.2',
    '--hop=0.5', '--csv=f', cwd=corpus,
  )  # fmt: skip
  assert code == 0, error
  assert f'{paths[0]}: 2 s, 1 face\nface 1 of 1 (middle): 2 windows of' in out
  assert f'{paths[1]}: 1 s, 0 faces - but no picture\nno face: 1 win' in out
  lines = list(csv.DictReader((corpus / 'f').read_text().splitlines()))
  assert [(row['clip'], row['face'], float(row['time'])) for row in lines] == [
    (paths[0], '1', 0.6), (paths[0], '1', 1.1), (paths[1], '', 0.6)
  ]  # fmt: skip
  assert [float(row['found']) > 0.9 for row in lines] == [True, True, False]


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (('--fit_on=folds',), 'give another with --protocol, such as speakers/4'),
    (('--protocol=loso',), 'add --fit_on=folds'),
    (('--fit_on=folds', '--protocol=speakers/2'), 'K must be at least 3'),
    (('--fit_on=folds', '--protocol=speakers/4'), 'needs 4 speakers or more'),
    (
      ('--fit_on=folds', '--protocol=loso', '--extractor=x'),
      'leave out --extractor',
    ),
  ],
)
def test_folds_that_cannot_be(corpus, arguments, message):
  """Program: one line, exit code 2, before anything is measured or written."""
  given = *GIVEN, '--landmarks=all.npz', *arguments
  assert message in fails('extract', 'R/audio', 'new', *given, cwd=corpus)
