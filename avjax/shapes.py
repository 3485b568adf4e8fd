"""The letters of the array dimensions, and the array types of signatures.

  B   clips in a batch
  T   video frames (25 per second)      t, with the length `visual_length`
  Ta  audio frames (31.25 per second)   j, with the length `audio_length`
  W   positions of the alignment window, 2w                 Section 2.1
  D   width of a feature stream
  C   hidden size of an LSTM, the paper's d
  V   width of the visual representation v_t
  A   width of the alignment's hidden layer                 Eq. 5
  S   hidden size of the selector LSTM, h_sel               Section 2.3
  K   width of an emotion embedding                         Eq. 9
  N   emotions

Signatures read `Float[Array, 'B T D']`. The tests check the shapes; elsewhere
they cost nothing. Without the package jaxtyping they are documentation only.
"""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

Array = jax.Array | np.ndarray

if TYPE_CHECKING:
  from jaxtyping import Bool, Complex, Float, Int, Key
else:
  try:
    from jaxtyping import Bool, Complex, Float, Int, Key
  except ImportError:

    class _Unchecked:
      """Replaces an array type if jaxtyping is not installed."""

      def __class_getitem__(cls, item):
        return Any

    Bool = Complex = Float = Int = Key = _Unchecked

__all__ = ['Array', 'Bool', 'Complex', 'Float', 'Int', 'Key']
