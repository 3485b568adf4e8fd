"""Dropout with a key for each clip.

A clip's mask depends on its row in the global batch and on the layer, not on
the devices the batch is spread over or on the length it is padded to.
"""

import zlib

import jax
import jax.numpy as jnp

from avjax.shapes import Array, Float, Key


def clip_keys(key: Key[Array, ''], first_row, rows: int) -> Key[Array, ' B']:
  """Returns one key a clip, for the rows first_row, first_row + 1, ..."""
  return jax.vmap(lambda row: jax.random.fold_in(key, row))(
    first_row + jnp.arange(rows)
  )


def dropout(
  x: Float[Array, 'B *rest'],
  rate: float,
  keys: Key[Array, ' B'] | None,
  layer: tuple[str, ...],
) -> Float[Array, 'B *rest']:
  """Returns x with a fraction of its entries zero, the others scaled up.

  Args:
    x: one row a clip.
    rate: the fraction, to the nearest 1/256: eight random bits an entry are
      four times cheaper than a random float, and exact for the paper's 0.5.
    keys: a key for each clip; None switches dropout off.
    layer: path of the layer, so that no two layers share a mask.
  """
  threshold = round(rate * 256)
  if keys is None or threshold == 0:
    return x
  size = x[0].size
  site = zlib.crc32('/'.join(layer).encode()) & 0x7FFFFFFF

  def draw(key):
    words = jax.random.bits(
      jax.random.fold_in(key, site), (-(-size // 4),), jnp.uint32
    )
    return jax.lax.bitcast_convert_type(words, jnp.uint8).reshape(-1)[:size]

  kept = jax.vmap(draw)(keys).reshape(x.shape) >= threshold
  return jnp.where(kept, x * (256 / (256 - threshold)), 0)
