"""bin/extract on sound and landmarks without pictures."""

import wave

import numpy as np
import pytest

from avjax.data import store
from tests.bin.programs import fails, forked

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
  """A folder with 12 takes of 1.2 s by three speakers, in the way of RAVDESS.

  `R/audio` has the sound, `R/clips.csv` the table, `R/all.npz` the landmarks.
  """
  folder = tmp_path_factory.mktemp('sound')
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
