"""AlexNet up to pool5, and files of weights."""

import itertools
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from avjax.errors import DataError
from avjax.features import alexnet, alexnet_weights
from tests.golden import alexnet_torch

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden' / 'alexnet_torch.npz'
TORCHVISION = (0, 3, 6, 8, 10)


def caffe_arrays(kernel='conv{}_w', bias='conv{}_b'):
  arrays = {}
  for i, (w, b) in enumerate(alexnet_torch.weights('caffe')):
    arrays[kernel.format(i + 1)] = w
    arrays[bias.format(i + 1)] = b
  return arrays


def torchvision_arrays():
  arrays = {}
  layers = alexnet_torch.weights('torchvision')
  for i, (w, b) in zip(TORCHVISION, layers, strict=True):
    arrays[f'features.{i}.weight'] = w
    arrays[f'features.{i}.bias'] = b
  return arrays


@pytest.mark.parametrize(
  'arrangement, arrays, ending',
  [
    ('caffe', caffe_arrays(), 'npz'),
    ('caffe', caffe_arrays('conv{}.weight', 'conv{}.bias'), 'safetensors'),
    ('torchvision', torchvision_arrays(), 'npz'),
    ('torchvision', torchvision_arrays(), 'safetensors'),
  ],
)
def test_pool5_of_imported_weights(arrangement, arrays, ending, tmp_path):
  """Golden: pool5 equals PyTorch's, for every arrangement and file format.

  python tests/golden/alexnet_torch.py    # NumPy and torch 2.13.0 (CPU)
  """
  path = tmp_path / f'weights.{ending}'
  # Other arrays than those of the convolutions are ignored.
  arrays = {**arrays, 'fc8_w': np.zeros((3, 4096), np.float32)}
  if ending == 'npz':
    np.savez(path, **arrays)
  else:
    save_file(arrays, path)
  network = alexnet_weights.read(path)
  assert network.arrangement == arrangement
  assert path.name in network.description
  theirs = np.load(GOLDEN)[arrangement]
  ours = network.pool5(alexnet_torch.crops())[:, ::71]
  assert (theirs > 0).mean() > 0.5
  # Five layers of sums of up to 3,456 float32 products, in another order.
  atol = 1e-5 * theirs.max()
  np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=atol)


def test_normalisation_is_caffes():
  """Equation: b = a / (1 + 1e-4/5 sum_{|j - i| <= 2} a_j^2)^0.75."""
  a = 100 * np.random.default_rng(0).normal(size=(1, 2, 3, 9))
  b = np.empty_like(a)
  for y, x, i in itertools.product(range(2), range(3), range(9)):
    near = [a[0, y, x, j] ** 2 for j in range(9) if abs(j - i) <= 2]
    b[0, y, x, i] = a[0, y, x, i] / (1 + 1e-4 / 5 * sum(near)) ** 0.75
  ours = alexnet.normalise(a.astype(np.float32))
  np.testing.assert_allclose(ours, b, rtol=1e-5)


def test_grouped_convolution():
  """Equation: output o of group g sums over the inputs of group g only."""
  rng = np.random.default_rng(0)
  x = rng.normal(size=(1, 5, 5, 6))
  kernel, bias = rng.normal(size=(3, 3, 3, 4)), rng.normal(size=4)
  padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  y = np.zeros((1, 3, 3, 4))
  for r, c, o in itertools.product(range(3), range(3), range(4)):
    first = 3 * (o // 2)  # two groups of 3 inputs and 2 outputs
    total = bias[o]
    for i, j, k in itertools.product(range(3), repeat=3):
      total += padded[0, 2 * r + i, 2 * c + j, first + k] * kernel[i, j, k, o]
    y[0, r, c, o] = max(total, 0)
  layer = alexnet.Convolution(4, 3, 2, 1, groups=2)
  variables = {'kernel': jnp.float32(kernel), 'bias': jnp.float32(bias)}
  ours = layer.apply({'params': variables}, x.astype(np.float32))
  np.testing.assert_allclose(ours, y, rtol=1e-4, atol=1e-5)


def test_a_crop_does_not_depend_on_its_neighbours():
  """Law: pool5 of a crop is bit-identical in any batch."""
  network = alexnet.seeded(0)
  crops = np.tile(alexnet_torch.crops(), (9, 1, 1, 1))
  together = network.pool5(crops)
  assert together.shape == (18, alexnet.POOL5)
  np.testing.assert_array_equal(together[17], together[1])
  np.testing.assert_array_equal(network.pool5(crops[:1]), together[:1])
  assert network.pool5(crops[:0]).shape == (0, alexnet.POOL5)


def test_random_weights():
  """Law: a seed gives the same weights; the description says 'untrained'."""
  first, same, other = (alexnet.seeded(seed) for seed in (1, 1, 2))
  assert first.description == 'alexnet: untrained, random weights of seed 1'
  assert first.fingerprint == same.fingerprint != other.fingerprint


def test_write_and_read(tmp_path):
  """Law: a written network reads back equal; writing it again, too."""
  network = alexnet.seeded(3)
  alexnet_weights.write(tmp_path / 'a.npz', network)
  back = alexnet_weights.read(tmp_path / 'a.npz')
  assert back.fingerprint == network.fingerprint
  assert back.description == network.description
  alexnet_weights.write(tmp_path / 'b.npz', back)
  a, b = ((tmp_path / name).read_bytes() for name in ('a.npz', 'b.npz'))
  assert a == b


def damaged(change):
  arrays = caffe_arrays()
  change(arrays)
  return arrays


@pytest.mark.parametrize(
  'arrays, message',
  [
    (damaged(lambda a: a.pop('conv4_b')), 'no conv4.bias or conv4_b'),
    (
      damaged(lambda a: a.update(conv2_w=a['conv2_w'][:192])),
      r'conv2_w has the shape \(192, 48, 5, 5\), not \(256, 48, 5, 5\)',
    ),
    (
      damaged(lambda a: a['conv1_b'].put(7, np.nan)),
      'conv1_b has a NaN or infinite value',
    ),
    (
      damaged(lambda a: a.update(conv3_b=np.full(384, 1e300))),
      'conv3_b has a NaN or infinite value',
    ),
    (
      damaged(lambda a: a.update(conv5_w=np.array([{}], object))),
      'conv5_w.npy has the type object; wanted numbers',
    ),
    ({'conv1_w': np.zeros(3)}, 'and 7 more'),
    ({'about': np.zeros(9, np.uint8)}, 'damaged'),
  ],
)
def test_wrong_weights_are_named(arrays, message, tmp_path):
  """Law: the error for a wrong array names the file, the array and why."""
  np.savez(tmp_path / 'w.npz', **arrays)
  with pytest.raises(DataError, match=rf'w\.npz: .*{message}.*; give an \.npz'):
    alexnet_weights.read(tmp_path / 'w.npz')


@pytest.mark.parametrize(
  'name, content, message',
  [
    ('none.npz', None, 'No such file'),
    ('none.safetensors', None, 'No such file'),
    ('text.npz', b'no archive', 'not a .npz archive'),
    ('text.safetensors', b'no tensors here', 'damaged'),
    ('net.pth', b'\x80\x02', r'ends in \.pth; .* safetensors.torch.save_file'),
  ],
)
def test_other_files_are_refused(name, content, message, tmp_path):
  """Law: a file without weights is refused; the error gives the reason."""
  if content is not None:
    (tmp_path / name).write_bytes(content)
  with pytest.raises(DataError, match=message):
    alexnet_weights.read(tmp_path / name)


def test_truncated_files(tmp_path):
  """Law: a truncated file is refused, wherever it ends."""
  whole = tmp_path / 'whole.npz'
  np.savez_compressed(whole, **caffe_arrays())
  content = whole.read_bytes()
  path = tmp_path / 'cut.npz'
  for fraction in (0.01, 0.5, 0.999):
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(DataError, match=r'cut\.npz: '):
      alexnet_weights.read(path)
  # A flipped bit in the data is found by the checksums of the archive.
  path.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
  with pytest.raises(DataError, match=r'cut\.npz: '):
    alexnet_weights.read(path)
