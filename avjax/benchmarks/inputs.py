"""The shapes of the cases, and random clips and sequences of these shapes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from avjax.clips import AUDIO, EMOTIONS, Batch
from avjax.errors import AvjaxError
from avjax.shapes import Int

WIDTHS = {AUDIO: 50, 'shape': 20, 'appearance': 1024}
PRECISIONS = ('float32', 'tf32', 'bfloat16')


@dataclasses.dataclass(frozen=True)
class Shape:
  """The shape of a case.

  Attributes:
    batch: number of clips.
    frames: video frames of the longest clip, or steps of a layer.
    cells: hidden size of a layer; the networks have the paper's.
    ragged: whether lengths vary from half of `frames` to `frames`, as in a
      bucket; otherwise all are `frames`.
    precision: 'float32'; 'tf32': float32 with matrix multiplications in
      TensorFloat-32, only on GPUs; 'bfloat16': for the arrays of a layer.
  """

  batch: int = 32
  frames: int = 60
  cells: int = 32
  ragged: bool = True
  precision: str = 'float32'

  def __post_init__(self):
    if self.precision not in PRECISIONS:
      raise AvjaxError(
        f'precision is {self.precision!r}; it must be one of '
        + ', '.join(PRECISIONS)
      )

  @property
  def dtype(self):
    """The dtype of the arrays."""
    return jnp.bfloat16 if self.precision == 'bfloat16' else jnp.float32


def lengths(shape: Shape) -> Int[np.ndarray, ' B']:
  """Returns the frames of each clip; the first clip has all."""
  full = np.full(shape.batch, shape.frames, np.int32)
  if not shape.ragged:
    return full
  random, low = np.random.default_rng(0), max(1, shape.frames // 2)
  drawn = random.integers(low, shape.frames + 1, shape.batch, np.int32)
  return np.where(np.arange(shape.batch) == 0, full, drawn)


def clips(shape: Shape, emotions: int = len(EMOTIONS)) -> Batch:
  """Returns a batch of random clips with the paper's three streams."""
  random = np.random.default_rng(1)
  visual_length = lengths(shape)
  audio_length = (visual_length * 5) // 4  # 31.25 frames per second, video 25

  def stream(width, lengths):
    size = len(lengths), lengths.max(), width
    x = random.standard_normal(size, np.float32)
    within = np.arange(size[1])[None] < lengths[:, None]
    return jnp.asarray(np.where(within[..., None], x, 0))

  return Batch(
    audio=stream(WIDTHS[AUDIO], audio_length),
    visual={
      name: stream(width, visual_length)
      for name, width in WIDTHS.items()
      if name != AUDIO
    },
    audio_length=jnp.asarray(audio_length),
    visual_length=jnp.asarray(visual_length),
    label=jnp.asarray(random.integers(emotions, size=shape.batch, dtype='i4')),
    zero_padded=True,
  )


def layer(shape: Shape) -> list[jax.Array]:
  """Returns inputs (B, T, 2 C) and parameters, as for `avjax.lstm`."""
  random, hidden_size = np.random.default_rng(2), shape.cells
  # Standard deviations for which the gates do not saturate.
  sizes = (
    ((shape.batch, shape.frames, 2 * hidden_size), 1.0),
    ((2 * hidden_size, 4, hidden_size), (2 * hidden_size) ** -0.5),
    ((hidden_size, 4, hidden_size), hidden_size**-0.5),
    ((4, hidden_size), 0.3),
  )
  return [
    jnp.asarray(std * random.standard_normal(size), shape.dtype)
    for size, std in sizes
  ]
