r"""The largest-class baseline: it hears and sees nothing (ours).

  bin/train --config=configs/majority.py --workdir=runs/majority

What any model must beat. The paper's test clips: 29.5 %.
"""

from avjax import settings


def get_config(size: str = 'full'):
  """Returns the settings; `size` is what follows the colon."""
  config = settings.default(size)
  config.model.variant = 'majority'
  return config
