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
"""`model.variant` -> kind of model, in the order of the tables' rows."""


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
