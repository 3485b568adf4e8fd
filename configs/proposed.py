r"""The proposed network, last row of Table 1: perception attention.

  bin/train --config=configs/proposed.py --workdir=runs/proposed
  bin/train --config=configs/proposed.py:smoke --workdir=runs/smoke  # seconds

Paper: 58.23 train, 46.90 validation, 44.90 test (% accuracy on AFEW).
Ours: docs/results.md.
"""

from avjax import settings


def get_config(size: str = 'full'):
  """Returns the settings; `size` is 'full' or 'smoke'."""
  config = settings.default(size)
  config.model.variant = 'proposed'
  config.model.lstm_cells = 32  # for h_av; Section 4.1
  config.model.selector_cells = 8  # for h_sel, the smaller network
  config.model.embedding_size = 8
  return config
