"""AlexNet; its fifth pooling layer describes a face's appearance (Section 3.2).

There are published weights for two arrangements of the layers. In both, pool5
is 256 x 6 x 6:

  caffe        the original, as in Caffe's bvlc_alexnet: two groups in conv2,
               conv4 and conv5, local response normalisation before pooling
  torchvision  one column of fewer channels, without normalisation

Caffe's variant CaffeNet normalises after pooling. Its arrays have the shapes
of bvlc_alexnet's, but its weights do not work here.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from avjax.features.crops import aligned
from avjax.shapes import Array, Float, Int

SIDE = 227  # pixels of a crop
POOL5 = 9216  # values per frame: 256 channels of 6 x 6
BATCH = 8  # crops per call; a fixed size, so that the network compiles once
_HIDDEN = 4096  # units of fc6 and fc7

he = nn.initializers.he_normal()


@dataclasses.dataclass(frozen=True)
class Arrangement:
  """The differences between the published AlexNets.

  Attributes:
    channels: output channels of conv1 to conv5.
    groups: groups of channels in conv1 to conv5.
    side: height and width of conv1's input, in pixels.
    padding: of conv1.
    normalised: whether local response normalisation follows conv1 and conv2.
    bgr: whether the input's channels are blue, green, red.
    mean, std: mean and standard deviation of the pixels, in the order red,
      green, blue.
    pixel: factor from conv1's weights in a file to those used here: the
      file's expect pixels that are not divided by it. A power of two, so that
      the multiplication is exact.
  """

  channels: tuple[int, ...]
  groups: tuple[int, ...]
  side: int
  padding: int
  normalised: bool
  bgr: bool
  mean: tuple[float, ...]
  std: tuple[float, ...]
  pixel: float


ARRANGEMENTS = {
  'caffe': Arrangement(
    channels=(96, 256, 384, 384, 256),
    groups=(1, 2, 1, 2, 2),
    side=227,
    padding=0,
    normalised=True,
    bgr=True,
    mean=(123.0, 117.0, 104.0),
    std=(64.0, 64.0, 64.0),  # ours: training needs pixels of order one
    pixel=64.0,
  ),
  'torchvision': Arrangement(
    channels=(64, 192, 384, 256, 256),
    groups=(1, 1, 1, 1, 1),
    side=224,
    padding=2,
    normalised=False,
    bgr=False,
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    pixel=1.0,
  ),
}


def normalise(
  x: Float[Array, 'B height width channels'],
) -> Float[Array, 'B height width channels']:
  """Returns x / (1 + a/5 sum of squares over 5 neighbouring channels)^0.75.

  The local response normalisation of Krizhevsky, Sutskever and Hinton (2012),
  Section 3.3, with Caffe's a = 1e-4, which Caffe divides by the number of
  neighbours.
  """
  squares = jnp.pad(x * x, ((0, 0), (0, 0), (0, 0), (2, 2)))
  total = sum(squares[..., i : i + x.shape[-1]] for i in range(5))
  root = jax.lax.rsqrt(1 + 1e-4 / 5 * total)
  return x * root * jnp.sqrt(root)  # five times as fast as a power


class Convolution(nn.Module):
  """A grouped convolution followed by a ReLU."""

  channels: int
  size: int
  stride: int = 1
  padding: int = 0
  groups: int = 1

  @nn.compact
  def __call__(
    self, x: Float[Array, 'B _ _ _']
  ) -> Float[Array, 'B rows columns channels']:
    inward = x.shape[-1] // self.groups
    shape = (self.size, self.size, inward, self.channels)
    kernel = self.param('kernel', he, shape)
    bias = self.param('bias', nn.initializers.zeros, (self.channels,))
    # One call per group: XLA on a CPU takes three times as long with
    # feature_group_count.
    outputs = [
      jax.lax.conv_general_dilated(
        inputs,
        weights,
        (self.stride, self.stride),
        [(self.padding, self.padding)] * 2,
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      )
      for inputs, weights in zip(
        jnp.split(x, self.groups, axis=-1),
        jnp.split(kernel, self.groups, axis=-1),
        strict=True,
      )
    ]
    return nn.relu(jnp.concatenate(outputs, axis=-1) + bias[None, None, None])


class Convolutions(nn.Module):
  """The five convolutions: crops -> pool5.

  Attributes:
    arrangement: a key of ARRANGEMENTS.
    width: factor for the number of channels; below 1 only for trials.
  """

  arrangement: str = 'caffe'
  width: float = 1.0

  @nn.compact
  def __call__(
    self, crops: Float[Array, 'B 227 227 3']
  ) -> Float[Array, 'B pool5']:
    """Returns pool5 flattened as in Caffe and PyTorch: channel, row, column.

    Args:
      crops: RGB values from 0 to 255.
    """
    form = ARRANGEMENTS[self.arrangement]
    layers = [
      Convolution(
        2 * max(1, round(self.width * channels / 2)),  # even, for two groups
        *geometry,
        groups=groups,
        name=f'conv{i + 1}',
      )
      for i, (channels, groups, geometry) in enumerate(
        zip(form.channels, form.groups, _geometry(form), strict=True)
      )
    ]
    x = layers[0](_standardised(crops, form))
    x = _pool(normalise(x) if form.normalised else x)
    x = layers[1](x)
    x = _pool(normalise(x) if form.normalised else x)
    x = _pool(layers[4](layers[3](layers[2](x))))
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def _geometry(form: Arrangement) -> list[tuple[int, int, int]]:
  """Returns kernel size, stride and padding of conv1 to conv5."""
  return [(11, 4, form.padding), (5, 1, 2), *[(3, 1, 1)] * 3]


def _standardised(crops: Float[Array, 'B _ _ 3'], form: Arrangement):
  """Returns the crops preprocessed as for the arrangement's training."""
  first = (crops.shape[1] - form.side) // 2
  inside = slice(first, first + form.side)
  mean = jnp.asarray(form.mean)[None, None, None]
  std = jnp.asarray(form.std)[None, None, None]
  x = (crops[:, inside, inside] - mean) / std
  return x[..., ::-1] if form.bgr else x


def _pool(x: Float[Array, 'B _ _ channels']):
  return nn.max_pool(x, (3, 3), (2, 2))


class AlexNet(nn.Module):
  """All eight layers, for training on the identities of faces (Section 3.2)."""

  classes: int
  arrangement: str = 'caffe'
  width: float = 1.0

  @nn.compact
  def __call__(
    self, crops: Float[Array, 'B 227 227 3'], training: bool = False
  ) -> Float[Array, 'B classes']:
    """Returns one logit per class; training needs the rng 'dropout'."""
    net = Convolutions(self.arrangement, self.width, name='convolutions')
    x = net(crops)
    hidden = max(1, round(self.width * _HIDDEN))
    for name in ('fc6', 'fc7'):
      x = nn.relu(nn.Dense(hidden, kernel_init=he, name=name)(x))
      x = nn.Dropout(0.5, deterministic=not training)(x)
    return nn.Dense(self.classes, kernel_init=he, name='fc8')(x)


@dataclasses.dataclass(frozen=True)
class FaceNetwork:
  """An AlexNet up to pool5: from `seeded` or from a file of weights.

  Attributes:
    arrangement: a key of ARRANGEMENTS.
    variables: layer -> {'kernel', 'bias'}, for conv1 to conv5.
    description: one line of text, which states whether it was trained.
  """

  arrangement: str
  variables: Mapping[str, Mapping[str, Float[Array, '...']]]
  description: str

  def crops(
    self,
    frames: np.ndarray,
    points: Float[np.ndarray, 'T 49 2'],
    chosen: Int[np.ndarray, ' n'],
  ) -> np.ndarray:
    """Returns the crops (n, 227, 227, 3) uint8 RGB; see `crops.aligned`."""
    return aligned(frames, points, chosen)

  def pool5(self, crops: np.ndarray) -> Float[np.ndarray, 'T 9216']:
    """Returns pool5 (T, 9216) of (T, 227, 227, 3) uint8 RGB crops."""
    return pool5(self.variables, crops, self.arrangement)

  values = pool5

  @property
  def fingerprint(self) -> str:
    """SHA-256 of the arrangement and the weights of the convolutions."""
    digest = hashlib.sha256(self.arrangement.encode())
    for layer in sorted(self.variables):
      for name, array in sorted(self.variables[layer].items()):
        digest.update(f'{layer} {name} {array.shape}'.encode())
        digest.update(np.ascontiguousarray(array, '<f4').data)
    return digest.hexdigest()


def pool5(
  variables: Mapping[str, Any], crops: np.ndarray, arrangement: str = 'caffe'
) -> Float[np.ndarray, 'T 9216']:
  """Returns the output of the fifth pooling layer per crop (Section 3.2).

  The output of a crop does not depend on the other crops.

  Args:
    variables: parameters of `Convolutions`.
    crops: (T, 227, 227, 3) uint8 RGB.
    arrangement: a key of ARRANGEMENTS.
  """
  values = np.empty((len(crops), POOL5), np.float32)
  for k in range(0, len(crops), BATCH):
    batch = crops[k : k + BATCH]
    padding = np.zeros((BATCH - len(batch), *crops.shape[1:]), np.uint8)
    padded = np.concatenate([batch, padding])
    out = _compiled(arrangement, variables, padded)
    values[k : k + BATCH] = np.asarray(out)[: len(batch)]
  return values


@functools.partial(jax.jit, static_argnums=0)
def _compiled(arrangement: str, variables: Mapping[str, Any], crops: Array):
  return Convolutions(arrangement).apply(
    {'params': variables}, crops.astype(jnp.float32)
  )


def shapes(module: nn.Module) -> Mapping[str, Any]:
  """Returns the shape and dtype of a module's parameters, as a tree."""
  crops = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
  key = jax.eval_shape(lambda: jax.random.key(0))
  return jax.eval_shape(module.init, key, crops)['params']


def initial(module: nn.Module, seed: int) -> dict[str, Any]:
  """Returns random parameters: N(0, 2 / fan-in), zero biases (He et al. 2015).

  NumPy draws them, layer by layer in the order of their names, so that a seed
  gives the same weights with every release of JAX.
  """
  rng = np.random.default_rng(seed)

  def draw(shape: jax.ShapeDtypeStruct) -> jax.Array:
    if len(shape.shape) == 1:
      return jnp.zeros(shape.shape)
    normal = rng.standard_normal(shape.shape, np.float32)
    inputs = np.prod(shape.shape[:-1])
    return jnp.asarray(normal * np.float32(np.sqrt(2 / inputs)))

  return jax.tree.map(draw, shapes(module))


def seeded(seed: int) -> FaceNetwork:
  """Returns an untrained network with random weights."""
  weights = initial(Convolutions(), seed)
  return FaceNetwork('caffe', weights, untrained(seed))


def untrained(seed: int) -> str:
  """Returns the description of an untrained network."""
  return f'alexnet: untrained, random weights of seed {seed}'
