r"""Six settings of dropout and batch size, for bin/sweep.

  bin/sweep configs/sweeps/dropout.py --config=configs/proposed.py \
    --workdir=runs/sweep
"""

SETTINGS = [
  {'model.dropout': dropout, 'training.batch_size': size}
  for dropout in (0.3, 0.5, 0.7)
  for size in (16, 32)
]
