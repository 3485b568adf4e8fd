"""The synthetic raw clips: repeatability, truth, and their difficulty."""

import collections
import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from avjax.data.corpora import catalogue
from avjax.errors import DataError
from avjax.features import random_forest
from avjax.synthesis import (
  afew_layout,
  curves,
  difficulty,
  face,
  raw_clips,
  scene,
  voice,
)

SIZE = (160, 120)


def contents(folder):
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in sorted(folder.rglob('*'))
    if path.is_file()
  }


def test_bytes_do_not_depend_on_the_processes(tmp_path):
  """Law: the same takes give the same bytes with one process and with two."""
  takes = raw_clips.plan(4, 3, SIZE, seed=5)
  raw_clips.make(tmp_path / 'one', takes, workers=1)
  raw_clips.make(tmp_path / 'two', takes, workers=2)
  first, second = contents(tmp_path / 'one'), contents(tmp_path / 'two')
  assert len(first) == 4 + 4 + 2
  assert first == second
  assert len(set(first.values())) == len(first)
  assert sorted(path.name for path in tmp_path.iterdir()) == ['one', 'two']


def test_a_clip_does_not_depend_on_the_others(tmp_path):
  """Law: further clips change nothing; another seed changes everything."""
  small, large = (raw_clips.plan(count, 3, SIZE, 0) for count in (9, 30))
  assert large[:9] == small
  (tmp_path / 'truth').mkdir()
  scene.draw(small[8], tmp_path)
  first = contents(tmp_path)
  scene.draw(raw_clips.plan(9, 3, SIZE, 1)[8], tmp_path)
  second = contents(tmp_path)
  assert first.keys() == second.keys()
  assert all(first[name] != second[name] for name in first)


def test_speakers_of_splits():
  """Law: no speaker is in two splits; emotions and splits are balanced."""
  takes = raw_clips.plan(350, 10, SIZE, 0)
  splits = collections.defaultdict(set)
  for take in takes:
    splits[take.speaker].add(take.split)
  assert all(len(each) == 1 for each in splits.values())
  count = collections.Counter((take.split, take.label) for take in takes)
  assert len(count) == 21
  assert {count[key] for key in count if key[0] == 'training'} == {30}
  assert {count[key] for key in count if key[0] != 'training'} == {10}
  cells = {take.label: take.cell for take in takes}
  for axis in (0, 1):
    counts = collections.Counter(cell[axis] for cell in cells.values())
    assert max(counts.values()) <= 3


def test_file_agrees_with_the_truth(tmp_path):
  """Law: the decoded clip has the length and the landmarks of the truth."""
  import av

  (tmp_path / 'truth').mkdir()
  takes = raw_clips.plan(1, 1, SIZE, 3)
  record = scene.draw(takes[0], tmp_path)
  with av.open(str(tmp_path / record['clip'])) as file:
    frames = [f.to_ndarray(format='rgb24') for f in file.decode(video=0)]
  assert len(frames) == record['frames']
  assert frames[0].shape == (120, 160, 3)
  waveform = difficulty.read_waveform(tmp_path / record['clip'])
  # AAC has whole frames of 1024 samples.
  assert 0 <= len(waveform) - 640 * record['frames'] < 1024
  start, stop = record['salient']
  assert 0 <= start < stop <= record['frames']

  points = np.load(tmp_path / 'truth' / 's00_0000.npy')
  assert points.shape == (record['frames'], 68, 2)
  wide = points[:, 45] - points[:, 36]
  assert np.all(wide[:, 0] > 20)
  # The pupils are the darkest pixels of the eyes, which move with the head.
  for image, landmarks in zip(frames, points, strict=True):
    left, right = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    x, y = np.round(0.5 * (left + right)).astype(int)
    between = image[y, x].mean()
    for x, y in np.round([left, right]).astype(int):
      assert image[y - 2 : y + 3, x - 1 : x + 2].mean(-1).min() < between - 20


def test_layout_of_afew(tmp_path):
  """Law: the reader of AFEW finds each clip, as it would be in a table."""
  takes = raw_clips.plan(21, 3, SIZE, seed=5)
  films = afew_layout.place(takes)
  chosen = [films[number] for number in (0, 1, 7, 14)]
  raw_clips.make(tmp_path / 'films', chosen, workers=1)
  raw_clips.make(tmp_path / 'clips', [takes[0]], workers=1)
  found = catalogue.read('afew', tmp_path / 'films/AFEW')
  told = {entry.name: entry.targets for entry in found.entries}
  assert told == {
    'training/angry/000000000': {'annotated': 'angry'},
    'training/disgust/000004000': {'annotated': 'disgust'},
    'validation/angry/000028000': {'annotated': 'angry'},
    'test/000056000': {},
  }
  assert not (tmp_path / 'films/clips.csv').exists()
  faces = tmp_path / 'films/SFEW/Train/Train_Aligned_Faces'
  images, labels = random_forest.read_images(faces)
  assert labels == ['angry', 'disgust'] and images.std(axis=(1, 2)).min() > 20
  waves = [
    difficulty.read_waveform(folder / clip)
    for folder, clip in (
      (tmp_path / 'films', films[0].clip),
      (tmp_path / 'clips', takes[0].clip),
    )
  ]
  both = np.stack([wave[: len(waves[0])] for wave in waves])
  assert np.corrcoef(both)[0, 1] > 0.98  # AAC changes the rest


def test_lag():
  """Law: the voice follows the mouth, later by the lag in whole frames."""
  from dataclasses import replace

  random = curves.generator(0, 0)
  speaker = voice.random_voice(random, 0.0)
  script = scene.random_script(random, (0, 0))
  speech = voice.random_syllables(random, speaker, len(script.marker))
  waves = {
    lag: scene.waveform(
      curves.generator(1, 0), replace(script, lag=lag), speaker, speech
    )
    for lag in (-2, 0, 1)
  }
  assert waves[0].shape == (640 * script.frames,)
  np.testing.assert_array_equal(waves[-2][:-1024], waves[0][1024:])
  np.testing.assert_array_equal(waves[1][512:], waves[0][:-512])
  loud = np.sqrt((waves[0].reshape(-1, 640) ** 2).mean(axis=1))
  still = replace(script, marker=0 * script.marker)
  loud /= 10 ** (5 * script.marker[12:][::4][: len(loud)] / 20)
  controls, _ = scene.motion(curves.generator(2, 0), still, speech)
  mouth = controls[:, face.CONTROLS.index('mouth')]
  fit = [
    np.corrcoef(np.roll(loud, shift)[5:-5], mouth[5:-5])[0, 1]
    for shift in range(-3, 4)
  ]
  assert np.argmax(fit) == 3
  assert fit[3] > 0.6


def test_voice_follows_its_controls():
  """Law: pitch rises by 2.5 semitones per unit, and breath adds noise."""
  speaker = voice.Voice(150.0, 1.0, 4.5, 0.3, np.zeros(5))
  flat = voice.Syllables(np.ones(100), np.full((100, 5), 500.0), np.zeros(100))
  flat.formants[:] = (500, 1500, 2500, 3500, 4500)

  def spectrum(**controls):
    track = np.zeros((100, 5))
    for name, value in {'tremble': -1, **controls}.items():
      track[:, voice.CONTROLS.index(name)] = value
    wave = voice.speak(
      curves.generator(0, 0), speaker, flat, track, np.zeros(100)
    )
    middle = wave[7000:9048] * np.hanning(2048)
    return np.abs(np.fft.rfft(middle, 16384))

  # The melody falls by a semitone until the middle.
  for pitch in (0.0, 2.0):
    tone = 150 * 2 ** ((2.5 * pitch - 1) / 12)
    found = spectrum(pitch=pitch)[: int(1.5 * tone * 16384 / 16000)].argmax()
    assert found * 16000 / 16384 == pytest.approx(tone, rel=0.02)
  above = slice(4000, 7000)  # from 3.9 kHz on
  clear, breathy = spectrum()[above].sum(), spectrum(breath=2.0)[above].sum()
  assert breathy > 1.5 * clear
  assert spectrum(bright=2.0)[above].sum() > 2 * clear


def test_points_follow_their_controls():
  """Law: the controls move the points after which they are named."""
  look = face.random_look(curves.generator(0, 0), 0.0)
  rest, still = np.zeros((1, 8)), np.zeros((1, 5))
  base = face.pose(look, rest, still, (192, 144))[0]

  def moved(**controls):
    track = rest.copy()
    for name, value in controls.items():
      track[0, face.CONTROLS.index(name)] = value
    return face.pose(look, track, still, (192, 144))[0] - base

  assert np.all(moved(brow=1)[17:27, 1] < -2)
  assert np.all(moved(corner=1)[[48, 54], 1] < -2)
  mouth = moved(mouth=1)
  assert mouth[66, 1] - mouth[62, 1] > 5
  assert moved(stretch=1)[54, 0] - moved(stretch=1)[48, 0] > 3
  eye = moved(eye=1)
  assert eye[40, 1] - eye[38, 1] > 1
  assert np.all(moved(eye=1)[48:68] == 0)


def test_detector_finds_the_face():
  """Agreement: dlib detects a face in every frame, with its landmarks."""
  dlib = pytest.importorskip('dlib')
  package = importlib.util.find_spec('face_recognition_models')
  if package is None:
    pytest.skip('the package face_recognition_models is not installed')
  folder = pathlib.Path(package.submodule_search_locations[0], 'models')
  model = folder / 'shape_predictor_68_face_landmarks.dat'
  detect = dlib.get_frontal_face_detector()
  predict = dlib.shape_predictor(str(model))
  errors = []
  for seed in range(6):
    random = curves.generator(seed, 0)
    look = face.random_look(random, 0.4)
    painter = face.Painter(look, (192, 144))
    controls = 0.4 * random.standard_normal((3, 8))
    controls[:, face.CONTROLS.index('mouth')] = (0, 0.5, 1)
    for true in face.pose(look, controls, np.zeros((3, 5)), (192, 144)):
      image = painter(true).mean(axis=2).astype(np.uint8)
      boxes, _, _ = detect.run(image, 0, -0.1)
      assert len(boxes) == 1
      landmarks = predict(image, boxes[0]).parts()
      found = np.array([(point.x, point.y) for point in landmarks])
      errors.append(np.hypot(*(found - true[:68])[17:].T))
  # The eyes are 40 pixels apart.
  assert np.mean(errors) < 2.5


def test_measure(tmp_path, monkeypatch):
  """Law: accuracies are of the test clips; only both streams give the label."""
  pytest.importorskip('sklearn')
  random = np.random.default_rng(0)
  (tmp_path / 'truth').mkdir()
  records, waveforms = [], {}
  for number in range(160):
    row, column = number % 2, number // 2 % 2
    split = 'training' if number < 100 else 'test'
    record = {'clip': f'{number}.mp4', 'landmarks': f'truth/{number}.npy'}
    records.append(record | {'emotion': f'{row}{column}', 'split': split})
    points = random.standard_normal((5, 68, 2))
    points[:, 30, 1] += 20 * row
    np.save(tmp_path / 'truth' / f'{number}.npy', points)
    tone = np.sin(np.arange(5000) * (0.1 + 0.1 * column))
    waveforms[f'{number}.mp4'] = tone + 0.1 * random.standard_normal(5000)
  lines = [json.dumps(record) for record in records]
  (tmp_path / 'truth.jsonl').write_text('\n'.join(lines))
  monkeypatch.setattr(
    difficulty, 'read_waveform', lambda path: waveforms[path.name]
  )
  found = difficulty.measure(tmp_path)
  assert (found['clips'], found['chance']) == (60, 0.25)
  assert 0.3 < found['face'] < 0.7
  assert 0.3 < found['voice'] < 0.7
  assert found['both'] > 0.95


@pytest.mark.parametrize(('clips', 'speakers'), [(1, 1), (70, 1), (7, 2)])
def test_too_small_to_measure(clips, speakers):
  """Law: too few clips to train or test on are an error before drawing."""
  with pytest.raises(DataError, match='too few'):
    difficulty.check(raw_clips.plan(clips, speakers, SIZE, 0))


def test_workers_do_not_load_jax():
  """Law: a process that draws clips does not import JAX."""
  code = 'import sys, avjax.synthesis.raw_clips; sys.exit("jax" in sys.modules)'
  assert subprocess.run([sys.executable, '-c', code]).returncode == 0
