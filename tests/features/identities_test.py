"""Training the face network on a folder of people."""

import dataclasses
import json

import cv2
import jax
import numpy as np
import pytest

from avjax.data import npy
from avjax.errors import (
  CheckpointError,
  ConfigError,
  DataError,
  TrainingError,
)
from avjax.features import (
  alexnet,
  identities,
  identity_files,
  persons,
)
from tests.bin import programs

COLOURS = {'ann': (220, 40, 40), 'bob': (40, 200, 60), 'cy': (50, 60, 220)}
TINY = identities.IdentityTraining(
  width=1 / 32, epochs=3, batch_size=8, held_out=0.3
)


def save(path, image):
  path.parent.mkdir(parents=True, exist_ok=True)
  assert cv2.imwrite(str(path), image[..., ::-1])


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Returns a folder of three people, a colour each, with seven images each."""
  folder = tmp_path_factory.mktemp('people')
  rng = np.random.default_rng(0)
  for name, colour in COLOURS.items():
    for k in range(7):
      noise = rng.normal(0, 25, (60, 60, 3))
      image = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
      save(folder / name / f'{k}.png', image)
  return folder


def quiet(*_):
  pass


def train(folder, workdir, settings=TINY, log=quiet):
  return identities.train(folder, workdir, settings, log, quiet)


def test_colours_are_classified(folder, tmp_path):
  """Law: validation images of people who differ in colour are classified."""
  settings = dataclasses.replace(TINY, epochs=12, patience=12)
  record = train(folder, tmp_path / 'run', settings)
  assert record.best['validation_accuracy'] == 1
  trained = (tmp_path / 'run' / identity_files.WEIGHTS).read_bytes()
  about = npy.unpack(trained)['about'].tobytes()
  assert json.loads(about)['description'].startswith(
    'alexnet: trained on 15 images of 3 people, '
  )
  assert record.lines[-1]['training_loss'] < record.lines[0]['training_loss']
  lines = (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line) for line in lines] == record.lines
  config = json.loads((tmp_path / 'run' / 'config.json').read_text())
  assert config['people'] == ['ann', 'bob', 'cy']
  assert (config['training_images'], config['validation_images']) == (15, 6)


def test_resumed_is_uninterrupted(folder, tmp_path):
  """Law: a resumed training is bit-identical to an uninterrupted one."""

  class CutError(Exception):
    pass

  def cut(line):
    raise CutError

  whole = train(folder, tmp_path / 'whole')
  with pytest.raises(CutError):
    train(folder, tmp_path / 'cut', log=cut)
  assert len((tmp_path / 'cut/metrics.jsonl').read_text().splitlines()) == 1
  lines = []
  resumed = train(folder, tmp_path / 'cut', log=lines.append)
  assert [line['epoch'] for line in lines] == [1, 2]
  for line, other in zip(whole.lines, resumed.lines, strict=True):
    assert line['training_loss'] == other['training_loss']
  a, b = (tmp_path / run / identity_files.WEIGHTS for run in ('whole', 'cut'))
  assert a.read_bytes() == b.read_bytes()
  # A finished training runs no epoch.
  assert train(folder, tmp_path / 'cut', log=cut).lines == resumed.lines


def test_a_folder_belongs_to_one_training(folder, tmp_path):
  """Law: other settings, a damaged file and a folder of other files fail."""
  short = identities.IdentityTraining(width=1 / 32, epochs=1, batch_size=8)
  train(folder, tmp_path / 'run', short)
  with pytest.raises(CheckpointError, match='other images or settings'):
    train(folder, tmp_path / 'run', TINY)
  state = tmp_path / 'run' / identity_files.STATE
  state.write_bytes(state.read_bytes()[:-100])
  with pytest.raises(CheckpointError, match=r'state\.npz is damaged'):
    train(folder, tmp_path / 'run', short)
  with pytest.raises(CheckpointError, match='holds other files'):
    train(folder, folder, short)


def test_a_step_is_sgd_with_momentum_and_weight_decay():
  """Equation: v <- m v + (g + d w), w <- w - r v, for the bias of fc8.

  g is softmax - one-hot, averaged over the images.
  """
  momentum = identities.optimiser(0.9, 0.1)
  module = alexnet.AlexNet(3, width=1 / 32)
  parameters = alexnet.initial(module, 0)
  parameters['fc8']['kernel'] = 0 * parameters['fc8']['kernel']
  w = np.array([0.5, -1.0, 2.0])
  parameters['fc8']['bias'] = jax.numpy.float32(w)
  state = (parameters, momentum.init(parameters))
  crops = np.zeros((4, 227, 227, 3), np.uint8)
  labels = np.array([0, 2, 2, 1], np.int32)
  weights = np.array([1, 1, 1, 0], np.float32)  # the last row is padding
  v = np.zeros(3)
  for step in range(2):
    key = jax.random.key(step)
    if step:  # only the bias of this layer and its momentum may change
      state[0]['fc8']['kernel'] = 0 * state[0]['fc8']['kernel']
    state, loss = identities.train_step(
      module, momentum, state, (crops, labels, weights), key, 0.01
    )
    p = np.exp(w) / np.exp(w).sum()
    np.testing.assert_allclose(loss, -np.log(p[[0, 2, 2]]).mean(), rtol=1e-5)
    g = p - np.array([1, 0, 2]) / 3
    v = 0.9 * v + (g + 0.1 * w)
    w = w - 0.01 * v
    np.testing.assert_allclose(state[0]['fc8']['bias'], w, rtol=1e-5)


def test_shifts_and_mirrors():
  """Law: a shifted crop is a window of the crop padded with its border."""
  crops = np.random.default_rng(0).integers(0, 256, (12, 40, 40, 3), np.uint8)
  moved = np.asarray(identities.shifted(crops, jax.random.key(0)))
  found = set()
  for crop, image in zip(crops, moved, strict=True):
    padded = np.pad(crop, ((14, 14), (14, 14), (0, 0)), mode='edge')
    shifts = [
      (y, x, mirrored)
      for y in range(29)
      for x in range(29)
      for mirrored in (False, True)
      if (
        padded[y : y + 40, x : x + 40][:, :: -1 if mirrored else 1] == image
      ).all()
    ]
    assert len(shifts) == 1
    found.update(shifts)
  assert len(found) == 12 and {shift[2] for shift in found} == {False, True}


def test_the_learning_rate_falls_on_a_plateau():
  """Law: the rate is divided by 10 after `patience` epochs without progress."""
  record = identity_files.Record(0.01)
  for accuracy in (0.1, 0.3, 0.3, 0.2, 0.4, 0.4, 0.4):
    record.add({'validation_accuracy': accuracy}, patience=2)
  assert [line['best'] for line in record.lines] == [
    *(True, True, False, False, True, False, False)
  ]
  assert record.drops == 2
  np.testing.assert_allclose(record.rate, 1e-4)


def test_every_person_is_held_out(folder, tmp_path):
  """Law: the splits are disjoint; a person's only image is for training."""
  save(tmp_path / 'b' / 'one.png', np.zeros((9, 9, 3), np.uint8))
  for k in range(20):
    save(tmp_path / 'a' / f'{k}.png', np.zeros((9, 9, 3), np.uint8))
  (tmp_path / 'nobody').mkdir()
  people = persons.find(tmp_path, 0.1, 0)
  assert people.names == ('a', 'b')
  assert people.validation.labels == (0, 0)
  assert sorted(people.training.labels) == [0] * 18 + [1]
  assert not set(people.training.paths) & set(people.validation.paths)
  assert persons.find(folder, 0.1, 0) != persons.find(folder, 0.1, 1)


def test_unreadable_images_are_named(folder, tmp_path):
  """Law: unreadable images have weight zero and are listed in the metrics."""
  for path in folder.rglob('*.png'):
    target = tmp_path / 'people' / path.relative_to(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
  bad = tmp_path / 'people' / 'bob' / 'bad.jpg'
  bad.write_text('not an image')
  short = identities.IdentityTraining(width=1 / 32, epochs=1, batch_size=8)
  record = train(tmp_path / 'people', tmp_path / 'run', short)
  assert record.lines[0]['unreadable'] == [str(bad)]
  for path in (tmp_path / 'people').rglob('*.*'):
    path.write_text('not an image')
  with pytest.raises(DataError, match='no image to train on can be read'):
    train(tmp_path / 'people', tmp_path / 'other', short)


def test_invalid_settings_and_folders(folder, tmp_path):
  """Law: the error names the invalid setting or folder."""
  with pytest.raises(ConfigError, match=r"'vgg'; it must be caffe or torch"):
    identities.IdentityTraining(arrangement='vgg')
  with pytest.raises(ConfigError, match='width is 2'):
    identities.IdentityTraining(width=2.0)
  with pytest.raises(DataError, match='has images of 0 people'):
    train(tmp_path, tmp_path / 'run')
  diverging = identities.IdentityTraining(
    width=1 / 32, batch_size=8, learning_rate=1e30
  )
  with pytest.raises(TrainingError, match=r'not finite.*--learning_rate'):
    train(folder, tmp_path / 'run', diverging)


def test_train_faces(folder, tmp_path):
  """Program: prints a line per epoch and the result; errors are one line."""
  error = programs.fails('train_faces', folder, cwd=tmp_path)
  assert '--workdir is missing' in error
  error = programs.fails('train_faces', 'none', '--workdir=run', cwd=tmp_path)
  assert 'none is not a folder' in error
  code, out, error = programs.run(
    'train_faces',
    folder,
    *('--workdir=run', '--width=0.03', '--epochs=2', '--batch_size=8'),
    cwd=tmp_path,
  )
  assert code == 0, error
  assert out.startswith('run/weights.npz: validation accuracy ')
  lines = [line for line in error.splitlines() if line.startswith('epoch')]
  assert len(lines) == 2 and lines[0].startswith('epoch 1/2  loss ')
