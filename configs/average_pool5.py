r"""Average encoding of the appearance only, first row of Table 1.

  bin/train --config=configs/average_pool5.py --workdir=runs/average_pool5
  bin/train --config=configs/average_pool5.py:smoke --workdir=runs/smoke

Paper: 73.84 train, 43.14 validation, 39.89 test (% accuracy on AFEW).
Ours: docs/results.md.
"""

from avjax import settings


def get_config(size: str = 'full'):
  """Returns the settings; `size` is 'full' or 'smoke'."""
  config = settings.default(size)
  config.model.variant = 'average_pool5'
  config.model.streams = ('appearance',)  # pool5 of the face network
  config.model.lstm_cells = 64  # Section 4.1
  return config
