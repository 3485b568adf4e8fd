"""The best epoch so far, for early stopping and evaluation (Section 4.1)."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class BestEpoch:
  """The best validation result so far.

  The higher accuracy is better; with equal accuracies the lower loss.

  Attributes:
    accuracy: its validation accuracy, in [0, 1]; -1 before the first epoch.
    loss: its validation loss.
    epoch: its number, from 0; -1 before the first epoch.
    waited: epochs since then without a better one.
  """

  accuracy: float = -1.0
  loss: float = 0.0
  epoch: int = -1
  waited: int = 0

  def update(
    self, epoch: int, accuracy: float, loss: float
  ) -> tuple['BestEpoch', bool]:
    """Returns the best epoch including this one, and whether it is this one.

    Args:
      epoch: number of the epoch, from 0.
      accuracy: validation accuracy after it, in [0, 1].
      loss: validation loss after it.
    """
    if (accuracy, -loss) > (self.accuracy, -self.loss):
      return BestEpoch(accuracy, loss, epoch), True
    return dataclasses.replace(self, waited=self.waited + 1), False
