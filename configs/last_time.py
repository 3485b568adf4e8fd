r"""Last-time encoding, second row of Table 1: the last state (Eq. 7).

  bin/train --config=configs/last_time.py --workdir=runs/last_time
  bin/train --config=configs/last_time.py:smoke --workdir=runs/smoke  # seconds

Paper: 82.70 train, 36.39 validation, 41.19 test (% accuracy on AFEW).
Ours: docs/results.md.
"""

from avjax import settings


def get_config(size: str = 'full'):
  """Returns the settings; `size` is 'full' or 'smoke'."""
  config = settings.default(size)
  config.model.variant = 'last_time'
  config.model.lstm_cells = 64  # Section 4.1
  return config
