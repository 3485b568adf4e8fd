"""Some small pictures of a recording whose length is not known before."""

import numpy as np

MOST = 48
"""Pictures that are kept; half of them go when there are more."""

_HEIGHT = 150  # pixels; a smaller picture is kept as it is


class SmallPictures:
  """Keeps pictures at equal distances, which double as the recording goes on.

  Attributes:
    numbers: of the frames whose pictures are kept.
  """

  def __init__(self) -> None:
    self.numbers: list[int] = []
    self._images: list[np.ndarray] = []
    self._step = 8

  @property
  def images(self) -> np.ndarray:
    """(K, height, width, 3) uint8 RGB."""
    if not self._images:
      return np.zeros((0, 1, 1, 3), np.uint8)
    return np.stack(self._images)

  def add(self, turn: int, number: int, image: np.ndarray) -> None:
    """Adds a picture if it is its turn.

    Args:
      turn: which picture it is of all that are shown.
      number: of its frame.
      image: (height, width, 3) uint8 RGB, of the size of all others.
    """
    if turn % self._step:
      return
    self.numbers.append(number)
    self._images.append(_small(image))
    if len(self.numbers) > MOST:
      self._step *= 2
      self.numbers = self.numbers[::2]
      self._images = self._images[::2]


def _small(image: np.ndarray) -> np.ndarray:
  """Returns the means of equal blocks of pixels."""
  block = max(image.shape[0] // _HEIGHT, 1)
  if block == 1:
    return image.copy()
  height, width = image.shape[0] // block, image.shape[1] // block
  blocks = image[: height * block, : width * block].reshape(
    height, block, width, block, 3
  )
  return blocks.mean(axis=(1, 3)).astype(np.uint8)
