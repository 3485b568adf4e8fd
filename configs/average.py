r"""Average encoding, third row of Table 1: the mean of the states (Eq. 8).

  bin/train --config=configs/average.py --workdir=runs/average
  bin/train --config=configs/average.py:smoke --workdir=runs/smoke  # seconds

Paper: 83.83 train, 43.40 validation, 41.19 test (% accuracy on AFEW).
Ours: docs/results.md.
"""

from avjax import settings


def get_config(size: str = 'full'):
  """Returns the settings; `size` is 'full' or 'smoke'."""
  config = settings.default(size)
  config.model.variant = 'average'
  config.model.lstm_cells = 64  # Section 4.1
  return config
