"""Images of people, from which a network learns to tell them apart.

  FOLDER/<person>/<image>     .png or .jpg, each with one face

The faces should be cropped as those that the network is for: the whole crop is
seen, after a small shift.
"""

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from avjax.errors import DataError
from avjax.features import random_forest
from avjax.shapes import Array, Float, Int


@dataclasses.dataclass(frozen=True)
class Part:
  """Images to learn from, or to be judged by, and who is on each."""

  paths: tuple[pathlib.Path, ...]
  labels: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class People:
  """A folder of people.

  Attributes:
    names: of the people, in the order of their labels.
    training, validation: their images; some of every person in either.
    fingerprint: SHA-256 over the images' names and sizes.
  """

  names: tuple[str, ...]
  training: Part
  validation: Part
  fingerprint: str


@dataclasses.dataclass(frozen=True)
class Images:
  """A batch, filled up to its size.

  Attributes:
    crops: (B, 227, 227, 3) uint8 RGB.
    labels: who is on each.
    weights: 1 for an image; 0 for filler, or what could not be read.
    unreadable: the files that could not be read.
  """

  crops: Array
  labels: Int[Array, ' B']
  weights: Float[Array, ' B']
  unreadable: tuple[pathlib.Path, ...]


def find(folder: str | os.PathLike, share: float, seed: int) -> People:
  """Returns the people of a folder; no image is opened.

  Args:
    folder: holds a folder for each person.
    share: of a person's images, to validate on: one at least, if there are
      two.
    seed: of the choice.

  Raises:
    DataError: there are fewer than two people, or none with two images.
  """
  folder = pathlib.Path(folder)
  if not folder.is_dir():
    raise DataError(
      f'{folder} is not a folder; give one with a folder of images for each'
      ' person'
    )
  inside = [path for path in sorted(folder.iterdir()) if path.is_dir()]
  images = {path.name: random_forest.image_files(path) for path in inside}
  images = {name: paths for name, paths in images.items() if paths}
  if len(images) < 2:
    raise DataError(
      f'{folder} has images of {len(images)} people; give one with a folder of'
      f' images ({", ".join(random_forest.ENDINGS)}) for each of two or more'
    )
  digest = hashlib.sha256()
  training: list[tuple[pathlib.Path, int]] = []
  validation: list[tuple[pathlib.Path, int]] = []
  for label, (name, paths) in enumerate(images.items()):
    order = np.random.default_rng((seed, label)).permutation(len(paths))
    held = max(1, round(share * len(paths))) if len(paths) > 1 else 0
    for rank, k in enumerate(order):
      part = validation if rank < held else training
      part.append((paths[k], label))
    for path in paths:
      digest.update(f'{name}/{path.name} {path.stat().st_size}\n'.encode())
  if not validation:
    raise DataError(
      f'{folder} has one image of each person; to validate it takes a second'
      ' one of some'
    )
  return People(
    tuple(images),
    Part(*zip(*training, strict=True)),
    Part(*zip(*validation, strict=True)),
    digest.hexdigest(),
  )


def batches(part: Part, order: np.ndarray, size: int) -> Iterator[Images]:
  """Yields the images of a part, `size` at once, in the order given.

  Threads read the next batch while one is in use.
  """
  with concurrent.futures.ThreadPoolExecutor() as pool:

    def ask(first: int) -> list[concurrent.futures.Future]:
      chosen = order[first : first + size]
      return [
        pool.submit(random_forest.read_image, part.paths[k]) for k in chosen
      ]

    ahead = ask(0)
    for first in range(0, len(order), size):
      asked, ahead = ahead, ask(first + size)
      crops = np.zeros(
        (size, random_forest.SIDE, random_forest.SIDE, 3), np.uint8
      )
      labels = np.zeros(size, np.int32)
      weights = np.zeros(size, np.float32)
      unreadable = []
      for i, future in enumerate(asked):
        k = order[first + i]
        image = future.result()
        if image is None:
          unreadable.append(part.paths[k])
          continue
        crops[i], labels[i], weights[i] = image, part.labels[k], 1
      yield Images(crops, labels, weights, tuple(unreadable))
