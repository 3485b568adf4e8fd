"""What goes wrong for a user, by kind. Each message is one line that names
what was found, what was wanted and what to do; the programs print it on
standard error and exit with 2, or with 1 where a training broke off."""


class AvjaxError(ValueError):
  """The base of every error that a user can mend."""


class ConfigError(AvjaxError):
  """A setting has a value that the model or the training cannot take."""


class DataError(AvjaxError):
  """A store, a clip or a table is missing, damaged or of the wrong form."""


class CheckpointError(AvjaxError):
  """A run's folder or its checkpoints cannot be used as asked."""


class TrainingError(AvjaxError):
  """The training itself broke off: a loss that is not finite."""
