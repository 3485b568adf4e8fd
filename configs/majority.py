r"""The largest-class baseline, which uses no features (ours).

  bin/train --config=configs/majority.py --workdir=runs/majority

A model has learnt something only if it does better. The paper's test clips:
29.5 %.
"""

from avjax import settings


def get_config(size: str = 'full'):
  """Returns the settings; `size` is 'full' or 'smoke'."""
  config = settings.default(size)
  config.model.variant = 'majority'
  return config
