"""What a freshly compiled library must get right before it is kept."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from avjax.kernels import compiled, dense, windowed
from avjax.kernels.lstm import cpu, fused


def run(path: str) -> None:
  """Raises if the library at `path` gives wrong results."""
  compiled.register(pathlib.Path(path))
  _lstm()
  _attention()
  _dense()


def _lstm() -> None:
  """Raises if values or gradients are not those of `fused`."""
  random = np.random.default_rng(0)
  shapes = (5, 9, 3), (3, 4, 20), (20, 4, 20), (4, 20)
  arrays = [random.standard_normal(s, np.float32) for s in shapes]
  lengths = np.full(5, 9, np.int32)

  def total(run, *arrays):
    return jnp.sin(run(*arrays)).sum()

  def kernel(*arrays):
    return cpu.untried('gates', *arrays, lengths)[0]

  def scan(inputs, *weights):
    return fused.scan(inputs.swapaxes(0, 1), *weights)[0]

  got, wanted = (
    jax.jit(jax.value_and_grad(functools.partial(total, run), (0, 1, 2, 3)))(
      *arrays
    )
    for run in (kernel, scan)
  )
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4),
    got,
    wanted,
  )


def _attention() -> None:
  """Raises if equal audio is not aligned to itself.

  Weights sum to one, so it comes out as it went in, and scores do not matter.
  """
  random = np.random.default_rng(0)
  audio = np.broadcast_to(random.standard_normal(20, np.float32), (3, 9, 20))
  shapes = (3, 9, 20), (3, 7, 20), (8, 20)
  scored = [random.standard_normal(s, np.float32) for s in shapes]
  centre = np.broadcast_to(np.arange(7, dtype=np.int32), (3, 7))
  lengths = np.full(3, 9, np.int32), np.full(3, 7, np.int32)

  def aligned(*scored):
    return windowed.untried(audio, *scored, centre, *lengths)[0]

  close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
  x, pull = jax.vjp(jax.jit(aligned), *scored)
  close(x, audio[:, :7])
  for gradient in pull(jnp.sin(x)):
    close(gradient, 0)


def _dense() -> None:
  """Raises if values or gradients are not those of a product."""
  random = np.random.default_rng(0)
  shapes = (3, 9, 5), (5, 20), (20,)
  arrays = [random.standard_normal(s, np.float32) for s in shapes]
  lengths = np.full(3, 9, np.int32)
  got, pull = jax.vjp(lambda *a: dense.untried(*a, lengths), *arrays)
  wanted, other = jax.vjp(lambda x, w, b: x @ w + b[None, None], *arrays)
  close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
  close(got, wanted)
  jax.tree.map(close, pull(jnp.sin(wanted)), other(jnp.sin(wanted)))
