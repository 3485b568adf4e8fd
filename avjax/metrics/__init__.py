"""Scores, significance tests, attention measures (Sections 4.2 and 4.3)."""

from avjax.metrics.classification import unweighted_recall, wilson_interval
from avjax.metrics.significance import clustered_bootstrap, mcnemar

__all__ = [
  'clustered_bootstrap',
  'mcnemar',
  'unweighted_recall',
  'wilson_interval',
]
