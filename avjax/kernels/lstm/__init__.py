"""The LSTM of Eqs. 1-3: one operation, several implementations.

  reference   the equations as printed, one step at a time, autodiff
  fused       input projection outside the loop, hand-written backward pass
  chunked     recomputed chunk by chunk, for very long sequences
  pallas_gpu  as fused, its loops one Triton kernel each
  pallas_tpu  as fused, its loops one TPU kernel each
  cpu         the whole layer in C++, compiled for the machine at first use

`fused`, `cpu` and the Pallas ones keep the gates for the backward pass, and as
`fused_hc` and so on only h and c.

An implementation is a function `scan(inputs, w_input, w_recurrent, bias)` of
dense time-major arrays that returns h and c of every step; `api.lstm` gives
all of them lengths, masking and final states. `cpu` has these itself.
`python -m avjax.kernels.lstm` tells which ones a machine has.
"""

from avjax.kernels.lstm.api import (
  IMPLEMENTATIONS,
  available,
  implementations,
  lstm,
  picked,
)

__all__ = [
  'IMPLEMENTATIONS',
  'available',
  'implementations',
  'lstm',
  'picked',
]
