"""Perception attention: Section 2.3, Eqs. 9-10."""

import jax
import jax.numpy as jnp

from avjax.shapes import Array, Float, Int, checked


@checked
def attend(
  selector: Float[Array, 'T S'],
  w_state: Float[Array, 'S K'],
  embeddings: Float[Array, 'N K'],
  length: Int[Array, ''] | int | None = None,
) -> Float[Array, 'N T']:
  """Returns the attention f^n of every emotion over the video frames.

  `f^n = softmax over t of (W^h h_sel,t) . e_n`: each emotion looks for the
  frames that speak of it.

  Args:
    selector: h_sel, one row a video frame; finite on padding.
    w_state: W^h.
    embeddings: e_n, one row an emotion.
    length: true video frames; all of T where None.

  Returns:
    one row an emotion; each sums to one and is zero on padding.
  """
  scores = jnp.einsum('nk,tk->nt', embeddings, selector @ w_state)
  if length is None:
    return jax.nn.softmax(scores, axis=-1)
  within = (jnp.arange(selector.shape[0]) < length)[None]
  return jax.nn.softmax(
    scores, axis=-1, where=jnp.broadcast_to(within, scores.shape)
  )
