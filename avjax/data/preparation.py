"""Prepares the clips of a run: read, standardised, divided and audited."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from avjax.clips import Clip, Splits
from avjax.data import audit, batching, corpus, protocols, splits
from avjax.data.manifest import Origin
from avjax.settings import DataConfig, Settings

Findings = list[dict[str, Any]]
"""The findings of an audit, as JSON."""


@dataclasses.dataclass(frozen=True)
class Division:
  """One division of the clips into splits.

  Attributes:
    fold: number of the fold, or None if it is the only division.
    splits: split -> its clips.
    findings: of the audit of this division.
  """

  fold: int | None
  splits: Splits
  findings: Findings


@dataclasses.dataclass(frozen=True)
class Prepared:
  """The clips of a run, ready for training.

  Attributes:
    clips: all clips, with the streams that the model reads.
    emotions: the labels, in the order of the probabilities.
    divisions: a single one, or one per fold.
    findings: of the audit of all divisions.
    origin: of the clips.
  """

  clips: Sequence[Clip]
  emotions: tuple[str, ...]
  divisions: Sequence[Division]
  findings: Findings
  origin: Origin


def prepare(config: Settings) -> Prepared:
  """Returns the clips of a config, ready for training.

  Raises:
    DataError: they cannot be read or divided, or a division leaks; see
      `audit`.
  """
  stored = corpus.read(config)
  origin = corpus.origin(config)
  contents = audit.contents(stored)
  clips = splits.standardise(stored, config.data.standardise)
  emotions = splits.emotions(clips)
  clips = corpus.as_read(clips, config.model.streams)
  batching.check_streams(clips, config.model.streams)
  folds = _folds(clips, config.data)
  # The findings of a fold equal those of a run of this fold only.
  found = {k: audit.examine(one, contents, k) for k, one in folds.items()}
  every = [finding for own in found.values() for finding in own]
  findings = _settled(every, config.data)
  return Prepared(
    clips,
    emotions,
    [
      Division(
        fold,
        folds[fold],
        _settled([dataclasses.replace(f, fold=None) for f in own], config.data),
      )
      for fold, own in found.items()
    ],
    findings,
    origin,
  )


def _folds(
  clips: Sequence[Clip], data: DataConfig
) -> Mapping[int | None, Splits]:
  """Returns fold -> its splits, for every fold that the config asks for."""
  if not data.several:
    return {None: protocols.split(clips, data, data.first_fold)}
  return {
    k: protocols.split(clips, data, k)
    for k in range(protocols.folds(clips, data))
  }


def _settled(findings: Sequence[audit.Finding], data: DataConfig) -> Findings:
  """Returns the findings as JSON; raises DataError for leaks."""
  return audit.settle(findings, data.protocol, data.allowed)
