"""AlexNet, whose fifth pooling layer is the face's appearance (Section 3.2).

Two arrangements have published weights, and pool5 is 256 x 6 x 6 in both:

  caffe        the original, as in Caffe's bvlc_alexnet: two groups in conv2,
               conv4 and conv5, local response normalisation before pooling
  torchvision  one column of fewer channels, without normalisation

Caffe's own variant CaffeNet normalises after pooling; its arrays look like
those of bvlc_alexnet and must not be given for them.
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

from avjax.shapes import Array, Float

SIDE = 227  # pixels of a crop
POOL5 = 9216  # values a frame: 256 channels of 6 x 6
BATCH = 16  # crops at once; with one size the network is compiled once
_HIDDEN = 4096  # units of fc6 and fc7

he = nn.initializers.he_normal()


@dataclasses.dataclass(frozen=True)
class Arrangement:
  """What differs between the published AlexNets.

  Attributes:
    channels: of conv1 to conv5.
    groups: of conv1 to conv5.
    side: pixels of what conv1 sees.
    padding: of conv1.
    normalised: whether responses are normalised after conv1 and conv2.
    bgr: whether blue comes first.
    mean, deviation: of the pixels, red first.
    pixel: conv1's weights in a file are for pixels that are not divided by
      this. A power of two: no weight is rounded when it is multiplied.
  """

  channels: tuple[int, ...]
  groups: tuple[int, ...]
  side: int
  padding: int
  normalised: bool
  bgr: bool
  mean: tuple[float, ...]
  deviation: tuple[float, ...]
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
    deviation=(64.0, 64.0, 64.0),  # ours: training needs pixels of size one
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
    deviation=(58.395, 57.12, 57.375),
    pixel=1.0,
  ),
}


def normalise(
  x: Float[Array, 'B height width channels'],
) -> Float[Array, 'B height width channels']:
  """Returns the responses over (1 + a/5 sum of 5 neighbours' squares)^0.75.

  Krizhevsky, Sutskever and Hinton (2012), Section 3.3, with Caffe's a = 1e-4,
  which it divides by the number of neighbouring channels.
  """
  squares = jnp.pad(x * x, ((0, 0), (0, 0), (0, 0), (2, 2)))
  total = sum(squares[..., i : i + x.shape[-1]] for i in range(5))
  root = jax.lax.rsqrt(1 + 1e-4 / 5 * total)
  return x * root * jnp.sqrt(root)  # five times as fast as a power


class Convolution(nn.Module):
  """A convolution in groups, and its rectifier."""

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
    # One call a group: on CPUs XLA takes three times as long for the same with
    # feature_group_count.
    parts = [
      jax.lax.conv_general_dilated(
        part,
        weights,
        (self.stride, self.stride),
        [(self.padding, self.padding)] * 2,
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      )
      for part, weights in zip(
        jnp.split(x, self.groups, axis=-1),
        jnp.split(kernel, self.groups, axis=-1),
        strict=True,
      )
    ]
    return nn.relu(jnp.concatenate(parts, axis=-1) + bias[None, None, None])


class Convolutions(nn.Module):
  """The five convolutions: crops -> pool5.

  Attributes:
    arrangement: a key of ARRANGEMENTS.
    width: share of the channels, below 1 for trials alone.
  """

  arrangement: str = 'caffe'
  width: float = 1.0

  @nn.compact
  def __call__(
    self, crops: Float[Array, 'B 227 227 3']
  ) -> Float[Array, 'B pool5']:
    """Returns pool5 in the order of Caffe and PyTorch: channel, row, column.

    Args:
      crops: red, green, blue, each from 0 to 255.
    """
    form = ARRANGEMENTS[self.arrangement]
    layers = [
      Convolution(
        2 * max(1, round(self.width * channels / 2)),  # two groups divide it
        *where,
        groups=groups,
        name=f'conv{i + 1}',
      )
      for i, (channels, groups, where) in enumerate(
        zip(form.channels, form.groups, _places(form), strict=True)
      )
    ]
    x = layers[0](_prepared(crops, form))
    x = _pool(normalise(x) if form.normalised else x)
    x = layers[1](x)
    x = _pool(normalise(x) if form.normalised else x)
    x = _pool(layers[4](layers[3](layers[2](x))))
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def _places(form: Arrangement) -> list[tuple[int, int, int]]:
  """Returns size, stride and padding of conv1 to conv5."""
  return [(11, 4, form.padding), (5, 1, 2), *[(3, 1, 1)] * 3]


def _prepared(crops: Float[Array, 'B _ _ 3'], form: Arrangement):
  """Returns the pixels as the arrangement was trained on them."""
  first = (crops.shape[1] - form.side) // 2
  inside = slice(first, first + form.side)
  mean = jnp.asarray(form.mean)[None, None, None]
  deviation = jnp.asarray(form.deviation)[None, None, None]
  x = (crops[:, inside, inside] - mean) / deviation
  return x[..., ::-1] if form.bgr else x


def _pool(x: Float[Array, 'B _ _ channels']):
  return nn.max_pool(x, (3, 3), (2, 2))


class AlexNet(nn.Module):
  """All eight layers, to be trained for whose face it is (Section 3.2)."""

  classes: int
  arrangement: str = 'caffe'
  width: float = 1.0

  @nn.compact
  def __call__(
    self, crops: Float[Array, 'B 227 227 3'], training: bool = False
  ) -> Float[Array, 'B classes']:
    """Returns a logit per class; in training it needs the rng 'dropout'."""
    net = Convolutions(self.arrangement, self.width, name='convolutions')
    x = net(crops)
    hidden = max(1, round(self.width * _HIDDEN))
    for name in ('fc6', 'fc7'):
      x = nn.relu(nn.Dense(hidden, kernel_init=he, name=name)(x))
      x = nn.Dropout(0.5, deterministic=not training)(x)
    return nn.Dense(self.classes, kernel_init=he, name='fc8')(x)


@dataclasses.dataclass(frozen=True)
class FaceNetwork:
  """An AlexNet that measures faces: made by `seeded`, or read from a file.

  Attributes:
    arrangement: a key of ARRANGEMENTS.
    variables: layer -> its kernel and bias, for conv1 to conv5.
    description: one line for people, which tells whether it was trained.
  """

  arrangement: str
  variables: Mapping[str, Mapping[str, Float[Array, '...']]]
  description: str

  def pool5(self, crops: np.ndarray) -> Float[np.ndarray, 'T 9216']:
    """Returns pool5 of (T, 227, 227, 3) uint8 RGB crops."""
    return pool5(self.variables, crops, self.arrangement)

  @property
  def fingerprint(self) -> str:
    """SHA-256 over the arrangement and the convolutions' weights."""
    digest = hashlib.sha256(self.arrangement.encode())
    for layer in sorted(self.variables):
      for name, array in sorted(self.variables[layer].items()):
        digest.update(f'{layer} {name} {array.shape}'.encode())
        digest.update(np.ascontiguousarray(array, '<f4').data)
    return digest.hexdigest()


def pool5(
  variables: Mapping[str, Any], crops: np.ndarray, arrangement: str = 'caffe'
) -> Float[np.ndarray, 'T 9216']:
  """Returns the fifth pooling layer's values of every crop (Section 3.2).

  A crop's values do not depend on the crops beside it.

  Args:
    variables: of `Convolutions`.
    crops: (T, 227, 227, 3) uint8 RGB.
    arrangement: a key of ARRANGEMENTS.
  """
  values = np.empty((len(crops), POOL5), np.float32)
  for k in range(0, len(crops), BATCH):
    batch = crops[k : k + BATCH]
    filler = np.zeros((BATCH - len(batch), *crops.shape[1:]), np.uint8)
    full = np.concatenate([batch, filler])
    out = _compiled(arrangement, variables, full)
    values[k : k + BATCH] = np.asarray(out)[: len(batch)]
  return values


@functools.partial(jax.jit, static_argnums=0)
def _compiled(arrangement: str, variables: Mapping[str, Any], crops: Array):
  return Convolutions(arrangement).apply(
    {'params': variables}, crops.astype(jnp.float32)
  )


def shapes(module: nn.Module) -> Mapping[str, Any]:
  """Returns the shapes of a module's parameters, as its parameters' tree."""
  crops = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
  key = jax.eval_shape(lambda: jax.random.key(0))
  return jax.eval_shape(module.init, key, crops)['params']


def initial(module: nn.Module, seed: int) -> dict[str, Any]:
  """Returns random parameters: N(0, 2 / inputs), biases zero (He et al. 2015).

  Drawn by NumPy, layer by layer in the order of their names, so that a seed
  means the same weights whatever the release of JAX.
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
  """Returns a network of random weights, whose description says so."""
  weights = initial(Convolutions(), seed)
  return FaceNetwork('caffe', weights, untrained(seed))


def untrained(seed: int) -> str:
  """Returns the description of a network with random weights."""
  return f'alexnet: untrained, random weights of seed {seed}'
