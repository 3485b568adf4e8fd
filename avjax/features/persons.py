"""Images of people, to train a network on their identities.

  FOLDER/<person>/<image>     .png or .jpg, each with one face

The faces should be cropped like the faces that the network will later see.
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
class ImageSplit:
  """The images of one split, and the label of the person on each."""

  paths: tuple[pathlib.Path, ...]
  labels: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class People:
  """A folder of people.

  Attributes:
    names: of the people, in the order of their labels.
    training, validation: their images; every person with two images or more
      is in both.
    fingerprint: SHA-256 of the images' names and sizes.
  """

  names: tuple[str, ...]
  training: ImageSplit
  validation: ImageSplit
  fingerprint: str


@dataclasses.dataclass(frozen=True)
class Images:
  """A batch of images, padded to a fixed size.

  Attributes:
    crops: (B, 227, 227, 3) uint8 RGB.
    labels: (B,) label of the person.
    weights: (B,) 1 for an image; 0 for a padding row or an unreadable file.
    unreadable: the files that could not be read.
  """

  crops: Array
  labels: Int[Array, ' B']
  weights: Float[Array, ' B']
  unreadable: tuple[pathlib.Path, ...]


def find(folder: str | os.PathLike, share: float, seed: int) -> People:
  """Returns the people of a folder, without opening any image.

  Args:
    folder: contains one folder per person.
    share: fraction of each person's images to validate on; at least one image
      of a person with two or more.
    seed: of the random split.

  Raises:
    DataError: there are fewer than two people, or none with two images.
  """
  folder = pathlib.Path(folder)
  if not folder.is_dir():
    raise DataError(
      f'{folder} is not a folder; give one that contains a folder of images'
      ' for each person'
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
    held_out = max(1, round(share * len(paths))) if len(paths) > 1 else 0
    for rank, k in enumerate(order):
      split = validation if rank < held_out else training
      split.append((paths[k], label))
    for path in paths:
      digest.update(f'{name}/{path.name} {path.stat().st_size}\n'.encode())
  if not validation:
    raise DataError(
      f'{folder} has only one image of each person; add a second image of at'
      ' least one person to validate on'
    )
  return People(
    tuple(images),
    ImageSplit(*zip(*training, strict=True)),
    ImageSplit(*zip(*validation, strict=True)),
    digest.hexdigest(),
  )


def batches(
  split: ImageSplit, order: np.ndarray, size: int
) -> Iterator[Images]:
  """Yields the images of a split in the given order, in batches of `size`.

  Threads read the next batch while the current one is in use.
  """
  with concurrent.futures.ThreadPoolExecutor() as pool:

    def read(first: int) -> list[concurrent.futures.Future]:
      chosen = order[first : first + size]
      return [
        pool.submit(random_forest.read_image, split.paths[k]) for k in chosen
      ]

    following = read(0)
    for first in range(0, len(order), size):
      current, following = following, read(first + size)
      crops = np.zeros(
        (size, random_forest.SIDE, random_forest.SIDE, 3), np.uint8
      )
      labels = np.zeros(size, np.int32)
      weights = np.zeros(size, np.float32)
      unreadable = []
      for i, future in enumerate(current):
        k = order[first + i]
        image = future.result()
        if image is None:
          unreadable.append(split.paths[k])
          continue
        crops[i], labels[i], weights[i] = image, split.labels[k], 1
      yield Images(crops, labels, weights, tuple(unreadable))
