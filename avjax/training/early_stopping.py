"""Early stopping and the choice of the epoch to keep (Section 4.1)."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class BestEpoch:
  """The best validation result so far, and how long ago it was.

  Higher accuracy is better; of equal accuracies, the lower loss.
  """

  accuracy: float = -1.0
  loss: float = 0.0
  epoch: int = -1
  waited: int = 0

  def update(
    self, epoch: int, accuracy: float, loss: float
  ) -> tuple['BestEpoch', bool]:
    """Returns the selection after an epoch, and whether that was the best."""
    if (accuracy, -loss) > (self.accuracy, -self.loss):
      return BestEpoch(accuracy, loss, epoch), True
    return dataclasses.replace(self, waited=self.waited + 1), False
