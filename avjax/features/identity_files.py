"""The files of a face network's training: its results and its checkpoint.

  config.json    the settings, the people and the versions of the packages
  metrics.jsonl  one line per epoch
  weights.npz    the best epoch's convolutions, for `alexnet_weights.read`
  state.npz      the checkpoint, from which a training resumes

Each file is written atomically, and state.npz last: an interrupted epoch is
repeated and gives the same result.
"""

import dataclasses
import importlib.metadata
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from avjax import files, records
from avjax.data import npy
from avjax.errors import CheckpointError, DataError
from avjax.features import alexnet, alexnet_weights, persons
from avjax.records import RUN

WEIGHTS = 'weights.npz'
STATE = 'state.npz'
_PACKAGES = ('avjax', 'jax', 'jaxlib', 'flax', 'optax', 'numpy')

State = tuple[Mapping[str, Any], optax.OptState]
"""Parameters and the state of the optimiser."""


@dataclasses.dataclass
class Record:
  """The progress of a training.

  Attributes:
    rate: learning rate of the next epoch.
    lines: the metrics of each epoch, as in metrics.jsonl.
    best: the metrics of the epoch with the best validation accuracy.
    drops: how many times the learning rate was divided.
    waited: epochs since the best one, or since the last division.
  """

  rate: float
  lines: list[dict[str, Any]] = dataclasses.field(default_factory=list)
  best: dict[str, Any] = dataclasses.field(default_factory=dict)
  drops: int = 0
  waited: int = 0

  def add(self, line: dict[str, Any], patience: int) -> None:
    """Adds the metrics of an epoch, and sets `line['best']`."""
    accuracy = line['validation_accuracy']
    better = not self.best or accuracy > self.best['validation_accuracy']
    line['best'] = better
    self.lines.append(line)
    self.waited = 0 if better else self.waited + 1
    if better:
      self.best = line
    if self.waited >= patience:
      self.rate, self.drops, self.waited = self.rate / 10, self.drops + 1, 0


def begin(
  workdir: pathlib.Path, about: Mapping[str, Any], people: persons.People
) -> None:
  """Writes config.json, or checks that an existing one has the same content.

  Raises:
    CheckpointError: it has another, or is damaged.
  """
  path = workdir / 'config.json'
  workdir.mkdir(parents=True, exist_ok=True)
  if path.exists():
    before = RUN.json(path, dict[str, Any])
    if any(before.get(key) != value for key, value in about.items()):
      raise CheckpointError(
        f'{workdir} holds a training with other images or settings; use those,'
        ' or another --workdir'
      )
    return
  if any(workdir.iterdir()):
    raise CheckpointError(
      f'{workdir} holds other files; give a new folder as --workdir'
    )
  versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
  content = {
    **about,
    'people': people.names,
    'training_images': len(people.training.paths),
    'validation_images': len(people.validation.paths),
    'versions': versions,
  }
  files.put(path, json.dumps(content, indent=2).encode() + b'\n')


def save(
  workdir: pathlib.Path,
  arrangement: str,
  people: persons.People,
  state: State,
  record: Record,
) -> None:
  """Writes the files of an epoch, the checkpoint last."""
  line = record.lines[-1]
  if line['best']:
    network = alexnet.FaceNetwork(
      arrangement,
      state[0]['convolutions'],
      f'alexnet: trained on {len(people.training.paths)} images of'
      f' {len(people.names)} people, {line["epoch"] + 1} epochs; validation'
      f' accuracy {100 * line["validation_accuracy"]:.1f} %',
    )
    alexnet_weights.write(workdir / WEIGHTS, network)
  lines = ''.join(json.dumps(line) + '\n' for line in record.lines)
  files.put(workdir / 'metrics.jsonl', lines.encode())
  text = json.dumps(dataclasses.asdict(record)).encode()
  arrays = {str(i): np.asarray(x) for i, x in enumerate(jax.tree.leaves(state))}
  arrays['record'] = np.frombuffer(text, np.uint8)
  files.put(workdir / STATE, npy.pack(arrays))


def restored(workdir: pathlib.Path, like: State) -> tuple[State, Record]:
  """Returns the state and the record from the checkpoint.

  Args:
    workdir: folder of the training.
    like: a state with arrays of the right shapes.

  Raises:
    CheckpointError: the file is damaged.
  """
  path = workdir / STATE
  try:
    arrays = npy.unpack(path.read_bytes())
    content = records.parse(arrays.pop('record').tobytes())
    record = records.typed(Record, content)
    leaves, tree = jax.tree.flatten(like)
    found = [arrays[str(i)] for i in range(len(leaves))]
    if [x.shape for x in found] != [x.shape for x in leaves]:
      raise DataError('arrays of other shapes')
  except (DataError, ValueError, TypeError, KeyError) as error:
    raise RUN.fault(path, f'{error!r:.100}') from error
  state = jax.tree.unflatten(tree, [jnp.asarray(x) for x in found])
  return state, record
