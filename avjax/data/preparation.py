"""Prepares the clips of a run: read, divided, standardised and audited."""

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
  standardising,
)
from avjax.data.manifest import Origin
from avjax.data.standardising import Average, Enrolled, Gathered
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
    apart: clips of no split, which are set apart for enrolment.
    average: stream -> the average training speaker, if clips are standardised
      by enrolment.
    alone: the fold alone, where each has clips of its own; or None.
  """

  fold: int | None
  splits: Splits
  findings: Findings
  apart: Sequence[Clip] = ()
  average: Mapping[str, Average] = dataclasses.field(default_factory=dict)
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
  streams = config.model.streams
  clips = standardising.standardise(stored, config.data.standardise)
  emotions = splits.emotions(clips)
  batching.check_streams(corpus.as_read(clips, streams), streams)
  folds = _folds(clips, config)
  # The findings of a fold equal those of a run of this fold only.
  found = {
    k: audit.examine(one.splits, contents, k) for k, one in folds.items()
  }
  every = [finding for own in found.values() for finding in own]
  findings = _settled(every, config.data)
  if corpus.own_folds(config.data):
    fold_stores.check_fitted(
      os.path.expanduser(config.data.store),
      config.data.first_fold,
      folds[None].splits,
    )
  return Prepared(
    corpus.as_read(clips, streams),
    emotions,
    [
      Division(
        fold,
        folds[fold].splits,
        _settled([dataclasses.replace(f, fold=None) for f in own], config.data),
        folds[fold].apart,
        folds[fold].average,
      )
      for fold, own in found.items()
    ],
    findings,
    origin,
  )


def divide(
  clips: Sequence[Clip],
  config: Settings,
  fold: int,
  known: Gathered | None = None,
) -> Enrolled:
  """Returns the division of a fold, with the streams that the model reads.

  Args:
    clips: as `corpus.load` returns them.
    config: the settings.
    fold: number of the fold; ignored without folds.
    known: see `standardising.enrol`.

  Raises:
    DataError: the clips lack something that the protocol or enrolment needs.
  """
  by_split = protocols.split(clips, config.data, fold)
  made = standardising.enrol(clips, by_split, config.data, known)
  streams = config.model.streams
  return dataclasses.replace(
    made,
    splits={k: corpus.as_read(v, streams) for k, v in made.splits.items()},
    clips=corpus.as_read(made.clips, streams),
    apart=corpus.as_read(made.apart, streams),
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
    origin=Origin(f'fold 0: {parts[0].origin.source}'),
  )


def _folds(
  clips: Sequence[Clip], config: Settings
) -> Mapping[int | None, Enrolled]:
  """Returns fold -> its division, for every fold that the config asks for."""
  if not config.data.several:
    return {None: divide(clips, config, config.data.first_fold)}
  count, known = protocols.folds(clips, config.data), Gathered()
  return {k: divide(clips, config, k, known) for k in range(count)}


def _settled(findings: Sequence[audit.Finding], data: DataConfig) -> Findings:
  """Returns the findings as JSON; raises DataError for leaks."""
  return audit.settle(findings, data.protocol, data.allowed)
