"""The errors for users.

A message is one line that names what was found, what was wanted and what to do.
The programs print it on standard error and exit with 2, or with 1 if a training
failed.
"""


class AvjaxError(ValueError):
  """Base class of all errors that a user can fix."""


class ConfigError(AvjaxError):
  """A setting has an invalid value, or a package is not installed."""


class DataError(AvjaxError):
  """A store, a clip or a table is missing, damaged or of the wrong format."""


class CheckpointError(AvjaxError):
  """The folder of a run or its checkpoints cannot be used."""


class BusyError(CheckpointError):
  """Another process is using the folder."""


class TrainingError(AvjaxError):
  """A training failed: its loss is not finite."""
