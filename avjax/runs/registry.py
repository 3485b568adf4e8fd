"""The kinds of model that an experiment can fit, by `model.variant`."""

from avjax.errors import ConfigError
from avjax.runs.decision_fusion import DecisionFusion
from avjax.runs.linear import Linear
from avjax.runs.majority import Majority
from avjax.runs.model import Model
from avjax.runs.network import Network
from avjax.settings import Settings

MODELS: dict[str, Model] = {
  'average_pool5': Network(streams=('appearance',)),
  'last_time': Network(),
  'average': Network(),
  'proposed': Network(reference=True),
  'linear': Linear(),
  'majority': Majority(),
  'decision_fusion': DecisionFusion(),
}
"""Kinds of models by `model.variant`, in the order of the tables' rows.

  average_pool5    appearance alone: an LSTM and the mean of its states, Eq. 8
  last_time        sound and face, aligned: the last state, Eq. 7
  average          the same: the mean of the states, Eq. 8
  proposed         the same: perception attention, Eqs. 9-11
  linear           logistic regression on mean and deviation of every column
  majority         the most frequent emotion of the training clips
  decision_fusion  an `average` network of the sound and one of the face
"""


def model_of(config: Settings) -> Model:
  """Returns the kind of model that `model.variant` names.

  Raises:
    ConfigError: no kind of model has this name.
  """
  variant = config.model.variant
  if variant not in MODELS:
    raise ConfigError(
      f'model.variant is {variant!r}; it must be one of {", ".join(MODELS)}'
    )
  return MODELS[variant]
