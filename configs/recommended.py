r"""Ours for real recordings: the paper's network, trained with additions.

  bin/train --config=configs/recommended.py --config.training.seeds=5 \
    --config.data.store=STORE --config.data.protocol=speakers/4 \
    --config.model.streams=audio,shape --workdir=runs/recommended

Chosen on the validation clips of RAVDESS; docs/results.md has what was tried.
`--config.model.variant=average` trains another network in this way.
"""

from avjax import settings


def get_config(size: str = 'full'):
  """Returns the settings; `size` is 'full' or 'smoke'."""
  config = settings.default(size)
  config.model.variant = 'proposed'
  config.training.regularisation.update(
    time_mask=0.3,
    modality_dropout=0.1,
    offset=0.3,
    mixup=0.2,
    label_smoothing=0.1,
    speaker_exchange=0.8,
    speaker_spread=1.0,
    average=0.99,
  )
  return config
