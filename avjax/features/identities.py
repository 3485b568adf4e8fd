"""Trains AlexNet on face identities, so that its pool5 describes faces.

The paper trains its network on a face recognition data set (Section 3.2). The
hyperparameters are those of Krizhevsky, Sutskever and Hinton (2012) unless
marked otherwise.
"""

import dataclasses
import functools
import os
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from avjax.errors import ConfigError, DataError, TrainingError
from avjax.features import alexnet, identity_files, persons
from avjax.features.identity_files import Record, State
from avjax.shapes import Array, Float, Int, Key

_SHIFT = 14  # pixels; half of 256 - 227, the freedom of their random crops


@dataclasses.dataclass(frozen=True)
class IdentityTraining:
  """The settings of a training; Krizhevsky et al.'s unless marked "ours".

  Attributes:
    arrangement: a key of `alexnet.ARRANGEMENTS`.
    width: factor for the number of channels; below 1 only for trials, whose
      weights no program reads.
    drops: the learning rate is divided by 10 so many times; then training ends.
    patience: epochs without a better validation accuracy before each division.
      Ours.
    held_out: fraction of each person's images to validate on. Ours.
    seed: of the weights, the data order, the shifts and dropout. Ours.
  """

  arrangement: str = 'caffe'
  width: float = 1.0
  epochs: int = 90
  batch_size: int = 128
  learning_rate: float = 0.003  # theirs is 0.01, with smaller initial weights
  momentum: float = 0.9
  weight_decay: float = 0.0005
  drops: int = 3
  patience: int = 3
  held_out: float = 0.1
  seed: int = 0

  def __post_init__(self):
    known = ' or '.join(alexnet.ARRANGEMENTS)
    for name, wanted, valid in (
      ('arrangement', known, self.arrangement in alexnet.ARRANGEMENTS),
      ('width', 'above 0 and at most 1', 0 < self.width <= 1),
      ('epochs', '1 or more', self.epochs >= 1),
      ('batch_size', '1 or more', self.batch_size >= 1),
      ('learning_rate', 'above 0', self.learning_rate > 0),
      ('seed', '0 or more', self.seed >= 0),
    ):
      if not valid:
        got = getattr(self, name)
        raise ConfigError(f'{name} is {got!r}; it must be {wanted}')


def train(
  folder: str | os.PathLike,
  workdir: str | os.PathLike,
  settings: IdentityTraining,
  log: Callable[[dict[str, Any]], None],
  progress: Callable[[int, int, str], None],
) -> Record:
  """Trains, or resumes a training, and returns its record.

  Writes config.json, metrics.jsonl, weights.npz (of the best epoch, for
  `alexnet_weights.read`) and state.npz (to resume from) into `workdir`.

  Args:
    folder: one folder of images per person, see `persons`.
    workdir: a new or empty folder, or that of a training to resume.
    settings: of the training.
    log: called with the metrics of each epoch.
    progress: called with the images done, all images and a short text.

  Raises:
    DataError: there are too few readable images.
    CheckpointError: the folder belongs to another training.
    TrainingError: the loss is not finite.
  """
  workdir = pathlib.Path(workdir)
  people = persons.find(folder, settings.held_out, settings.seed)
  module = alexnet.AlexNet(
    len(people.names), settings.arrangement, settings.width
  )
  parameters = alexnet.initial(module, settings.seed)
  # Small logits, so that the first loss is that of a guess. With the full He
  # initialisation the first steps are so large that ReLUs die.
  parameters['fc8']['kernel'] *= 0.1
  about = {
    'settings': dataclasses.asdict(settings),
    'images': people.fingerprint,
  }
  identity_files.begin(workdir, about, people)
  momentum = optimiser(settings.momentum, settings.weight_decay)
  state: State = (parameters, momentum.init(parameters))
  record = Record(settings.learning_rate)
  if (workdir / identity_files.STATE).exists():
    state, record = identity_files.restored(workdir, state)
  while len(record.lines) < settings.epochs and record.drops <= settings.drops:
    state, line = _epoch(module, settings, people, state, record, progress)
    record.add(line, settings.patience)
    identity_files.save(workdir, settings.arrangement, people, state, record)
    log(line)
  return record


# Cached: the compiled step is looked up by this object's identity.
@functools.cache
def optimiser(momentum: float, decay: float) -> optax.GradientTransformation:
  """Returns SGD with weight decay and momentum, without the learning rate."""
  return optax.chain(optax.add_decayed_weights(decay), optax.trace(momentum))


def _epoch(
  module: alexnet.AlexNet,
  settings: IdentityTraining,
  people: persons.People,
  state: State,
  record: Record,
  progress: Callable[[int, int, str], None],
) -> tuple[State, dict[str, Any]]:
  """Returns the state after one epoch, and the metrics of the epoch."""
  start = time.perf_counter()
  epoch, size, split = len(record.lines), settings.batch_size, people.training
  order = np.random.default_rng((settings.seed, epoch, 1)).permutation(
    len(split.paths)
  )
  steps = -(-len(order) // size)
  momentum = optimiser(settings.momentum, settings.weight_decay)
  total, count = 0.0, 0.0
  unreadable: list[pathlib.Path] = []
  for k, images in enumerate(persons.batches(split, order, size)):
    key = jax.random.fold_in(jax.random.key(settings.seed), epoch * steps + k)
    state, loss = train_step(
      module,
      momentum,
      state,
      (images.crops, images.labels, images.weights),
      key,
      record.rate,
    )
    if not np.isfinite(loss):
      raise TrainingError(
        f'the loss of step {k} in epoch {epoch} is not finite; a smaller'
        f' --learning_rate than {settings.learning_rate} may help'
      )
    weight = float(images.weights.sum())
    total, count = total + float(loss) * weight, count + weight
    unreadable += images.unreadable
    done = epoch * len(order) + min((k + 1) * size, len(order))
    progress(done, settings.epochs * len(order), f'loss {loss:.3f}')
  line: dict[str, Any] = {
    'epoch': epoch,
    'training_loss': total / max(count, 1),
    'learning_rate': record.rate,
    'images_per_second': count / (time.perf_counter() - start),
  }
  correct, validated, more = _validate(
    module, settings, people.validation, state[0]
  )
  if not count or not validated:
    raise DataError(
      f'no image to {"validate" if count else "train"} on can be read, neither'
      f' {(unreadable or more)[0]} nor the others; restore them'
    )
  line['validation_accuracy'] = correct / validated
  line['unreadable'] = sorted(str(path) for path in unreadable + more)
  return state, line


def _validate(
  module: alexnet.AlexNet,
  settings: IdentityTraining,
  split: persons.ImageSplit,
  parameters: Mapping[str, Any],
) -> tuple[float, float, list[pathlib.Path]]:
  """Returns the correct images, all readable ones, and the unreadable files."""
  correct, count = 0.0, 0.0
  unreadable: list[pathlib.Path] = []
  order = np.arange(len(split.paths))
  for images in persons.batches(split, order, settings.batch_size):
    logits = np.asarray(_logits(module, parameters, images.crops))
    correct += float(images.weights @ (logits.argmax(-1) == images.labels))
    count += float(images.weights.sum())
    unreadable += images.unreadable
  return correct, count, unreadable


@functools.partial(jax.jit, static_argnums=0)
def _logits(module, parameters, crops):
  return module.apply({'params': parameters}, crops.astype(jnp.float32))


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def train_step(
  module: alexnet.AlexNet,
  momentum: optax.GradientTransformation,
  state: State,
  images: tuple[Array, Int[Array, ' B'], Float[Array, ' B']],
  key: Key[Array, ''],
  rate: float | Float[Array, ''],
) -> tuple[State, Float[Array, '']]:
  """Returns the state after one step, and the mean loss over the batch.

  Args:
    module: the network.
    momentum: from `optimiser`.
    state: parameters and optimiser state; donated.
    images: crops (B, 227, 227, 3) uint8, labels (B,), weights (B,); the loss
      is averaged with the weights.
    key: for the shifts and dropout.
    rate: the learning rate.
  """
  parameters, momenta = state
  crops, labels, weights = images
  inputs = shifted(crops, jax.random.fold_in(key, 0)).astype(jnp.float32)

  def mean_loss(parameters):
    logits = module.apply(
      {'params': parameters},
      inputs,
      training=True,
      rngs={'dropout': jax.random.fold_in(key, 1)},
    )
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return (weights * losses).sum() / jnp.maximum(weights.sum(), 1)

  loss, gradient = jax.value_and_grad(mean_loss)(parameters)
  updates, momenta = momentum.update(gradient, momenta, parameters)
  parameters = jax.tree.map(lambda p, u: p - rate * u, parameters, updates)
  return (parameters, momenta), loss


def shifted(crops: Array, key: Key[Array, '']) -> Array:
  """Returns the crops (B, 227, 227, 3), randomly shifted and mirrored.

  Shifts are up to 14 pixels; half of the crops are mirrored. Krizhevsky et al.
  cut 227 of 256 pixels at random. A face crop has no margin, so its border is
  repeated. Ours.
  """
  widths = ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0))
  padded = jnp.pad(crops, widths, mode='edge')
  shift_key, mirror_key = jax.random.split(key)
  first = jax.random.randint(shift_key, (len(crops), 2), 0, 2 * _SHIFT + 1)
  cut = jax.vmap(
    lambda image, corner: jax.lax.dynamic_slice(
      image, (corner[0], corner[1], 0), crops.shape[1:]
    )
  )(padded, first)
  mirrored = jax.random.bernoulli(mirror_key, shape=(len(crops), 1, 1, 1))
  return jnp.where(mirrored, cut[:, :, ::-1], cut)
