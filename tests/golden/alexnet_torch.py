"""Makes alexnet_torch.npz: pool5 by PyTorch, of random weights and pictures.

  python tests/golden/alexnet_torch.py    # NumPy and torch 2.13.0 (CPU)

For either arrangement `<arrangement>` (2, 130) float32 are every 71st value of
pool5, in PyTorch's order, of the two crops of `crops()`.
"""

import pathlib

import numpy as np

SHAPES = {
  'caffe': ((96, 3, 11), (256, 48, 5), (384, 256, 3), (384, 192, 3),
            (256, 192, 3)),
  'torchvision': ((64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3),
                  (256, 256, 3)),
}  # fmt: skip


def crops():
  """Returns two crops (2, 227, 227, 3) uint8: coloured waves and noise."""
  rng = np.random.default_rng(5)
  y, x, c = np.mgrid[:227, :227, :3]
  waves = [np.sin(x / (9 + k) + c) * np.cos(y / (23 - k)) for k in range(2)]
  noise = rng.normal(0, 0.2, (2, 227, 227, 3))
  return np.clip(120 + 90 * (np.stack(waves) + noise), 0, 255).astype(np.uint8)


def weights(arrangement):
  """Returns the weights (outputs, inputs, n, n) and biases of conv1 to 5."""
  rng = np.random.default_rng(7)
  made = []
  for outputs, inputs, size in SHAPES[arrangement]:
    kernel = rng.normal(size=(outputs, inputs, size, size))
    kernel *= np.sqrt(2 / (inputs * size**2))
    bias = rng.normal(0, 0.1, outputs)
    made.append((kernel.astype(np.float32), bias.astype(np.float32)))
  return made


def caffe(nn):
  """Returns the layers of Caffe's bvlc_alexnet up to pool5."""
  return nn.Sequential(
    nn.Conv2d(3, 96, 11, stride=4),
    nn.ReLU(),
    nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0),
    nn.MaxPool2d(3, 2, ceil_mode=True),
    nn.Conv2d(96, 256, 5, padding=2, groups=2),
    nn.ReLU(),
    nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0),
    nn.MaxPool2d(3, 2, ceil_mode=True),
    nn.Conv2d(256, 384, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(384, 384, 3, padding=1, groups=2),
    nn.ReLU(),
    nn.Conv2d(384, 256, 3, padding=1, groups=2),
    nn.ReLU(),
    nn.MaxPool2d(3, 2, ceil_mode=True),
  )


def torchvision(nn):
  """Returns the layers of torchvision's AlexNet up to pool5."""
  return nn.Sequential(
    nn.Conv2d(3, 64, 11, stride=4, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(3, 2),
    nn.Conv2d(64, 192, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(3, 2),
    nn.Conv2d(192, 384, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(384, 256, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(256, 256, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(3, 2),
  )


def main():
  import torch

  rgb = crops().astype(np.float32)
  inside = rgb[:, 1:225, 1:225] / 255
  mean = np.float32((0.485, 0.456, 0.406))
  deviation = np.float32((0.229, 0.224, 0.225))
  seen = {
    'caffe': rgb[..., ::-1] - np.float32((104, 117, 123)),
    'torchvision': (inside - mean) / deviation,
  }
  layers = {'caffe': caffe, 'torchvision': torchvision}
  golden = {}
  for name, make in layers.items():
    net = make(torch.nn)
    convolutions = [m for m in net if isinstance(m, torch.nn.Conv2d)]
    for layer, (kernel, bias) in zip(convolutions, weights(name), strict=True):
      layer.weight.data = torch.from_numpy(kernel)
      layer.bias.data = torch.from_numpy(bias)
    picture = np.ascontiguousarray(seen[name].transpose(0, 3, 1, 2))
    with torch.no_grad():
      pool5 = net(torch.from_numpy(picture)).flatten(1).numpy()
    golden[name] = pool5[:, ::71]
  path = pathlib.Path(__file__).with_suffix('.npz')
  np.savez_compressed(path, **golden)


if __name__ == '__main__':
  main()
