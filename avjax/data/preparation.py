"""Prepares the clips of a run: read, divided, standardised and audited."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from avjax.clips import Clip, Splits
from avjax.data import (
  audit,
  batching,
  corpus,
  protocols,
  splits,
  standardising,
)
from avjax.data.manifest import Origin
from avjax.data.standardising import Average, Enrolled
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
  """

  fold: int | None
  splits: Splits
  findings: Findings
  apart: Sequence[Clip] = ()
  average: Mapping[str, Average] = dataclasses.field(default_factory=dict)


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
  streams = config.model.streams
  clips = standardising.standardise(stored, config.data.standardise)
  emotions = splits.emotions(clips)
  batching.check_streams(corpus.as_read(clips, streams), streams)
  folds = _folds(clips, config.data)
  # The findings of a fold equal those of a run of this fold only.
  found = {
    k: audit.examine(one.splits, contents, k) for k, one in folds.items()
  }
  every = [finding for own in found.values() for finding in own]
  findings = _settled(every, config.data)
  return Prepared(
    corpus.as_read(clips, streams),
    emotions,
    [
      Division(
        fold,
        {
          split: corpus.as_read(members, streams)
          for split, members in folds[fold].splits.items()
        },
        _settled([dataclasses.replace(f, fold=None) for f in own], config.data),
        corpus.as_read(folds[fold].apart, streams),
        folds[fold].average,
      )
      for fold, own in found.items()
    ],
    findings,
    origin,
  )


def _folds(
  clips: Sequence[Clip], data: DataConfig
) -> Mapping[int | None, Enrolled]:
  """Returns fold -> its division, for every fold that the config asks for."""
  folds: Sequence[int | None] = [None]
  if data.several:
    folds = range(protocols.folds(clips, data))
  return {
    k: standardising.enrol(
      clips,
      protocols.split(clips, data, data.first_fold if k is None else k),
      data,
    )
    for k in folds
  }


def _settled(findings: Sequence[audit.Finding], data: DataConfig) -> Findings:
  """Returns the findings as JSON; raises DataError for leaks."""
  return audit.settle(findings, data.protocol, data.allowed)
