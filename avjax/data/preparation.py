"""The clips of a config, standardised, divided and audited."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from avjax.clips import Clip, Splits
from avjax.data import audit, batching, corpus, protocols, splits
from avjax.data.manifest import Origin
from avjax.settings import DataConfig, Settings

Findings = list[dict[str, Any]]
"""What the audit of a division records, as JSON."""


@dataclasses.dataclass(frozen=True)
class Division:
  """One division of the clips.

  Attributes:
    fold: its number, or None for the only one.
    splits: the clips.
    findings: of its audit.
  """

  fold: int | None
  splits: Splits
  findings: Findings


@dataclasses.dataclass(frozen=True)
class Prepared:
  """Everything that is known of the clips before a model sees them.

  Attributes:
    clips: all of them, as the model reads them.
    emotions: their labels, in the order of the probabilities.
    divisions: one, or one for every fold.
    findings: of the audit of all divisions.
    origin: where the clips come from.
  """

  clips: Sequence[Clip]
  emotions: tuple[str, ...]
  divisions: Sequence[Division]
  findings: Findings
  origin: Origin


def prepare(config: Settings) -> Prepared:
  """Returns the clips that a config asks for, in order to be trained on.

  Raises:
    DataError: they cannot be read or divided, or a split gives the tested
      clips away; see `audit`.
  """
  stored = corpus.read(config)
  origin = corpus.origin(config)
  contents = audit.contents(stored)
  clips = splits.standardise(stored, config.data.standardise)
  emotions = splits.emotions(clips)
  clips = corpus.as_read(clips, config.model.streams)
  batching.check_streams(clips, config.model.streams)
  folds = _folds(clips, config.data)
  return Prepared(
    clips,
    emotions,
    # Each as the run of this fold alone records it.
    [
      Division(fold, parts, _audited({None: parts}, contents, config.data))
      for fold, parts in folds.items()
    ],
    _audited(folds, contents, config.data),
    origin,
  )


def _folds(
  clips: Sequence[Clip], data: DataConfig
) -> Mapping[int | None, Splits]:
  """Returns the splits of every fold that is asked for."""
  if not data.several:
    return {None: protocols.split(clips, data.protocol, data.first_fold)}
  return {
    k: protocols.split(clips, data.protocol, k)
    for k in range(protocols.folds(clips, data.protocol))
  }


def _audited(
  folds: Mapping[int | None, Splits],
  contents: Mapping[str, Sequence[str]],
  data: DataConfig,
) -> Findings:
  """Returns what is on two sides of a split; refuses what is not allowed."""
  findings = [
    finding
    for fold, parts in folds.items()
    for finding in audit.examine(parts, contents, fold)
  ]
  return audit.settle(findings, data.protocol, data.allowed)
