r"""Decision fusion of an audio network and a visual network.

  bin/train --config=configs/decision_fusion.py --workdir=runs/fusion
  bin/train --config=configs/decision_fusion.py:smoke --workdir=runs/smoke

Section 4.3 names decision fusion as the stronger alternative, without a number.
Each network is that of configs/average.py on its own streams. Ours:
docs/results.md.
"""

from avjax import settings


def get_config(size: str = 'full'):
  """Returns the settings; `size` is 'full' or 'smoke'."""
  config = settings.default(size)
  config.model.variant = 'decision_fusion'
  config.model.lstm_cells = 64  # Section 4.1, of the average network
  return config
