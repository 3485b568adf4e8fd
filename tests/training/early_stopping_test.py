"""Which epoch is kept."""

from avjax.training.early_stopping import BestEpoch


def test_best_epoch():
  """Law: the higher accuracy; of equal ones the lower loss, then the first."""
  results = [(0.2, 2.0), (0.5, 1.5), (0.5, 1.4), (0.5, 1.4), (0.4, 0.1)]
  selection, best = BestEpoch(), []
  for epoch, (accuracy, loss) in enumerate(results):
    selection, better = selection.update(epoch, accuracy, loss)
    best.append(better)
  assert best == [True, True, True, False, False]
  assert selection == BestEpoch(accuracy=0.5, loss=1.4, epoch=2, waited=2)
