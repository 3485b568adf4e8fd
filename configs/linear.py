r"""The linear baseline: regression on means and standard deviations (ours).

  bin/train --config=configs/linear.py --workdir=runs/linear
  bin/train --config=configs/linear.py:smoke --workdir=runs/smoke  # seconds

It needs scikit-learn: pip install 'avjax[features]'. Ours: docs/results.md.
"""

from avjax import settings


def get_config(size: str = 'full'):
  """Returns the settings; `size` is 'full' or 'smoke'."""
  config = settings.default(size)
  config.model.variant = 'linear'
  return config
