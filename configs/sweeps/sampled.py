r"""Thirty settings that a sampler of Optuna suggests, for bin/sweep.

  bin/sweep configs/sweeps/sampled.py --config=configs/recommended.py \
    --workdir=runs/sampled
"""

TRIALS = 30


def suggest(trial):
  """Returns the settings of a trial."""
  return {
    'model.dropout': trial.suggest_float('dropout', 0.2, 0.7),
    'model.lstm_cells': trial.suggest_categorical('cells', [16, 32, 64]),
    'training.learning_rate': trial.suggest_float('rate', 0.1, 2, log=True),
  }
