"""Trains AlexNet to tell people apart, for what its pool5 then says of faces.

Section 3.2 has its network from a set of faces for recognition; the training
is that of Krizhevsky, Sutskever and Hinton (2012) where nothing else is said.
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

_SHIFT = 14  # pixels; as far as a crop of 227 moves in an image of 256


@dataclasses.dataclass(frozen=True)
class IdentityTraining:
  """The settings of a training; from Krizhevsky et al. but where it says ours.

  Attributes:
    arrangement: a key of `alexnet.ARRANGEMENTS`.
    width: share of the channels; below 1 for trials, no program reads those.
    drops: how often the learning rate is divided by 10; then it ends.
    patience: epochs without a better validation before that. Ours.
    held_out: share of a person's images, to validate on. Ours.
    seed: of the weights, the order, the shifts and dropout. Ours.
  """

  arrangement: str = 'caffe'
  width: float = 1.0
  epochs: int = 90
  batch_size: int = 128
  learning_rate: float = 0.003  # theirs is 0.01, from smaller weights
  momentum: float = 0.9
  weight_decay: float = 0.0005
  drops: int = 3
  patience: int = 3
  held_out: float = 0.1
  seed: int = 0

  def __post_init__(self):
    known = ' or '.join(alexnet.ARRANGEMENTS)
    for name, wanted, right in (
      ('arrangement', known, self.arrangement in alexnet.ARRANGEMENTS),
      ('width', 'above 0 and at most 1', 0 < self.width <= 1),
      ('epochs', '1 or more', self.epochs >= 1),
      ('batch_size', '1 or more', self.batch_size >= 1),
      ('learning_rate', 'above 0', self.learning_rate > 0),
      ('seed', '0 or more', self.seed >= 0),
    ):
      if not right:
        got = getattr(self, name)
        raise ConfigError(f'{name} is {got!r}; it must be {wanted}')


def train(
  folder: str | os.PathLike,
  workdir: str | os.PathLike,
  settings: IdentityTraining,
  tell: Callable[[dict[str, Any]], None],
  show: Callable[[int, int, str], None],
) -> Record:
  """Returns the record of a whole training, which it begins or resumes.

  Leaves in `workdir` config.json, metrics.jsonl, weights.npz (of the best
  epoch, for `alexnet_weights.read`) and state.npz, from which it resumes.

  Args:
    folder: of people, see `persons`.
    workdir: new, empty, or that of a training with the same settings.
    settings: of the training.
    tell: called with the line of each epoch.
    show: called with images done, images in all and what goes on.

  Raises:
    DataError: there are too few images that can be read.
    CheckpointError: the folder belongs to another training.
    TrainingError: the loss is not finite.
  """
  workdir = pathlib.Path(workdir)
  people = persons.find(folder, settings.held_out, settings.seed)
  module = alexnet.AlexNet(
    len(people.names), settings.arrangement, settings.width
  )
  parameters = alexnet.initial(module, settings.seed)
  # So that the first loss is that of guessing: from He's own the first steps
  # are so wild that units die.
  parameters['fc8']['kernel'] *= 0.1
  about = {
    'settings': dataclasses.asdict(settings),
    'images': people.fingerprint,
  }
  identity_files.begin(workdir, about, people)
  momentum = rule(settings.momentum, settings.weight_decay)
  state: State = (parameters, momentum.init(parameters))
  record = Record(settings.learning_rate)
  if (workdir / identity_files.STATE).exists():
    state, record = identity_files.restored(workdir, state)
  while len(record.lines) < settings.epochs and record.drops <= settings.drops:
    state, line = _epoch(module, settings, people, state, record, show)
    record.add(line, settings.patience)
    identity_files.save(workdir, settings.arrangement, people, state, record)
    tell(line)
  return record


# One object for equal numbers: a compiled step is found again by it.
@functools.cache
def rule(momentum: float, decay: float) -> optax.GradientTransformation:
  """Returns momentum over gradient plus decay, without the learning rate."""
  return optax.chain(optax.add_decayed_weights(decay), optax.trace(momentum))


def _epoch(
  module: alexnet.AlexNet,
  settings: IdentityTraining,
  people: persons.People,
  state: State,
  record: Record,
  show: Callable[[int, int, str], None],
) -> tuple[State, dict[str, Any]]:
  """Returns the state after one epoch, and its line."""
  start = time.perf_counter()
  epoch, size, part = len(record.lines), settings.batch_size, people.training
  order = np.random.default_rng((settings.seed, epoch, 1)).permutation(
    len(part.paths)
  )
  steps = -(-len(order) // size)
  momentum = rule(settings.momentum, settings.weight_decay)
  total, count = 0.0, 0.0
  unreadable: list[pathlib.Path] = []
  for k, images in enumerate(persons.batches(part, order, size)):
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
    show(done, settings.epochs * len(order), f'loss {loss:.3f}')
  line: dict[str, Any] = {
    'epoch': epoch,
    'training_loss': total / max(count, 1),
    'learning_rate': record.rate,
    'images_per_second': count / (time.perf_counter() - start),
  }
  right, held, more = _validate(module, settings, people.validation, state[0])
  if not count or not held:
    raise DataError(
      f'no image to {"validate on" if count else "learn from"} can be read, not'
      f' {(unreadable or more)[0]} nor the others; restore them'
    )
  line['validation_accuracy'] = right / held
  line['unreadable'] = sorted(str(path) for path in unreadable + more)
  return state, line


def _validate(
  module: alexnet.AlexNet,
  settings: IdentityTraining,
  part: persons.Part,
  parameters: Mapping[str, Any],
) -> tuple[float, float, list[pathlib.Path]]:
  """Returns how many are right, of how many, and what could not be read."""
  right, count = 0.0, 0.0
  unreadable: list[pathlib.Path] = []
  order = np.arange(len(part.paths))
  for images in persons.batches(part, order, settings.batch_size):
    logits = np.asarray(_logits(module, parameters, images.crops))
    right += float(images.weights @ (logits.argmax(-1) == images.labels))
    count += float(images.weights.sum())
    unreadable += images.unreadable
  return right, count, unreadable


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
  """Returns the state after one step, and the mean loss of its images."""
  parameters, memory = state
  crops, labels, weights = images
  moved = shifted(crops, jax.random.fold_in(key, 0)).astype(jnp.float32)

  def mean_loss(parameters):
    logits = module.apply(
      {'params': parameters},
      moved,
      training=True,
      rngs={'dropout': jax.random.fold_in(key, 1)},
    )
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return (weights * losses).sum() / jnp.maximum(weights.sum(), 1)

  loss, gradient = jax.value_and_grad(mean_loss)(parameters)
  updates, memory = momentum.update(gradient, memory, parameters)
  parameters = jax.tree.map(lambda p, u: p - rate * u, parameters, updates)
  return (parameters, memory), loss


def shifted(crops: Array, key: Key[Array, '']) -> Array:
  """Returns the crops, each shifted by up to 14 pixels and perhaps mirrored.

  Krizhevsky et al. cut 227 of 256 pixels at random; a crop of a face has no
  pixels to spare, so that its border is repeated. Ours.
  """
  room = ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0))
  wide = jnp.pad(crops, room, mode='edge')
  where, mirror = jax.random.split(key)
  first = jax.random.randint(where, (len(crops), 2), 0, 2 * _SHIFT + 1)
  cut = jax.vmap(
    lambda image, at: jax.lax.dynamic_slice(
      image, (at[0], at[1], 0), crops.shape[1:]
    )
  )(wide, first)
  turned = jax.random.bernoulli(mirror, shape=(len(crops), 1, 1, 1))
  return jnp.where(turned, cut[:, :, ::-1], cut)
