"""The LSTM of Eqs. 1-3: one operation, several implementations.

  reference   the equations as printed, one step at a time, autodiff
  fused       input projection outside the loop, hand-written backward pass

An implementation is a function `scan(inputs, w_input, w_recurrent, bias)` of
dense time-major arrays that returns h and c of every step; `api.lstm` gives
all of them lengths, masking and final states.
"""

from avjax.kernels.lstm.api import IMPLEMENTATIONS, lstm, lstm_together

__all__ = ['IMPLEMENTATIONS', 'lstm', 'lstm_together']
