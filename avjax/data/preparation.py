"""Prepares the clips of a run: read, standardised, divided and audited."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from avjax.clips import Clip, Splits
from avjax.data import (
  audit,
  batching,
  corpus,
  fold_stores,
  protocols,
  splits,
)
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
    alone: the fold alone, where each has clips of its own; or None.
  """

  fold: int | None
  splits: Splits
  findings: Findings
  alone: 'Prepared | None' = None


@dataclasses.dataclass(frozen=True)
class Prepared:
  """The clips of a run, ready for training.

  Attributes:
    clips: all clips, with the streams that the model reads; those of the first
      fold, where each has clips of its own.
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
  if config.data.several and corpus.own_folds(config.data):
    return _each_fold(config)
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
  if corpus.own_folds(config.data):
    fold_stores.check_fitted(
      os.path.expanduser(config.data.store),
      config.data.first_fold,
      folds[None],
    )
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


def _each_fold(config: Settings) -> Prepared:
  """Returns the clips of a store that has a store for every fold."""
  parts = []
  for k in range(corpus.own_folds(config.data)):
    data = dataclasses.replace(config.data, fold=str(k))
    parts.append(prepare(dataclasses.replace(config, data=data)))
  return dataclasses.replace(
    parts[0],
    divisions=[
      dataclasses.replace(part.divisions[0], fold=k, alone=part)
      for k, part in enumerate(parts)
    ],
    findings=[
      {**found, 'fold': k}
      for k, part in enumerate(parts)
      for found in part.findings
    ],
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
