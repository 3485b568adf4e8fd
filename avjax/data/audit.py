"""Checks the splits of a run for data leaks.

Before a training every pair of its splits is compared. These are leaks:

  speaker    a speaker is in both splits, or two whose names look alike; a model
             may learn the person
  take       files of one recording are in both splits
  content    a clip is in both splits under two names: equal files or streams
  selection  the epoch is selected on the reported clips: takes or contents of
             validation are in test, or no test clip has a label
  class      a label of validation or test that no training clip has, or labels
             that differ only in case, spaces or letters that look alike

A leak is an error unless `data.allow_leaks` names its kind; then it is recorded
in the results of the run. Leaks that are inherent in a protocol are recorded
too, but are no error:

  afew/official  The organisers divide by film and do not publish the actors,
                 who may play in several films. The labels of the test films are
                 not public, so results are reported on validation.
  meld/official  Six friends speak throughout one series: 69 of the 100 test
                 speakers are in training. The division is by dialogue.
  random         Divides without regard to speakers, for comparison.

If a store does not name the speakers, that is no leak, but it is recorded that
they were not compared. So are clips of equal content with different labels, in
whatever splits.
"""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from avjax.clips import Clip, Splits
from avjax.data import lookalikes
from avjax.data.splits import listed
from avjax.errors import DataError

DOCUMENTED = {
  'afew/official': ('speaker', 'selection'),
  'meld/official': ('speaker',),
  'random': ('speaker',),
}
"""Protocol -> kinds of leaks that are inherent in it; see above."""

PAIRS = (
  ('training', 'test'),
  ('training', 'validation'),
  ('validation', 'test'),
)
LISTED = 20  # names and findings in one message


@dataclasses.dataclass(frozen=True)
class Finding:
  """A leak between two splits, or a check that was not possible.

  Attributes:
    kind: one of `settings.LEAKS`.
    splits: the two splits, or the only one concerned.
    names: the speakers, the takes, or 'clip = other clip'.
    clips: number of clips concerned in the last split.
    text: the finding as a sentence for the user.
    status: 'leak', 'allowed', 'documented', 'unchecked' or 'warning'.
    fold: the fold in which it was found, or None.
  """

  kind: str
  splits: tuple[str, ...]
  names: tuple[str, ...]
  clips: int
  text: str
  status: str = 'leak'
  fold: int | None = None


def contents(clips: Iterable[Clip]) -> dict[str, tuple[str, ...]]:
  """Returns clip name -> keys of its content, equal for equal clips.

  The keys are the SHA-256 of all streams and, if known, that of the file.

  Args:
    clips: as stored. After standardisation by speaker, a copy under another
      speaker's name would differ.
  """
  keys = {}
  for clip in clips:
    digest = hashlib.sha256()
    for name in sorted(clip.streams):
      array = np.ascontiguousarray(clip.streams[name], '<f4')
      digest.update(f'{name} {array.shape}\n'.encode())
      digest.update(array.data)
    source = [f'file {clip.source}'] if clip.source else []
    keys[clip.name] = (f'streams {digest.hexdigest()}', *source)
  return keys


def examine(
  splits: Splits,
  content_keys: Mapping[str, Sequence[str]],
  fold: int | None = None,
) -> list[Finding]:
  """Returns the findings in one division of the clips, with status 'leak'.

  Args:
    splits: split -> its clips.
    content_keys: from `contents`, for all clips.
    fold: the fold to record in the findings.
  """
  findings = [
    *_unknown_speakers(splits),
    *_untrained_labels(splits),
    *_alike(splits),
    *_contradictions(splits, content_keys),
  ]
  if not any(clip.label is not None for clip in splits.get('test', ())):
    findings.append(
      Finding(
        kind='selection',
        splits=('validation',),
        names=(),
        clips=len(splits['validation']),
        text='no clip of a test split has a label, so that the epoch is'
        ' selected on the validation clips, which are also reported',
      )
    )
  for pair in PAIRS:
    first, second = (splits.get(name, ()) for name in pair)
    findings += _shared('speaker', pair, first, second)
    findings += _shared('take', pair, first, second)
    findings += _same_content(pair, first, second, content_keys)
  return [dataclasses.replace(finding, fold=fold) for finding in findings]


def examine_others(
  splits: Splits, others: Sequence[Clip], name: str
) -> list[Finding]:
  """Returns the findings for clips of another store than a run's own.

  They are compared with the clips that the run was trained and selected on.
  Where a clip names no corpus, speakers are compared by their names alone, and
  takes, whose names are often numbers, are not.

  Args:
    splits: 'training' and 'validation' of the run, as stored.
    others: clips of the other store, as stored.
    name: of the other store.
  """
  own = [*splits['training'], *splits['validation']]
  named = all(clip.corpus for clip in [*own, *others])

  def plain(clips: Sequence[Clip], before: str) -> list[Clip]:
    # A clip of either store may have the name of one of the other.
    return [
      dataclasses.replace(
        clip, name=before + clip.name, corpus=clip.corpus * named
      )
      for clip in clips
    ]

  divided = {k: plain(clips, '') for k, clips in splits.items()}
  divided |= {'test': plain(others, f'{name}/')}
  keys = contents(clip for clips in divided.values() for clip in clips)
  findings: list[Finding] = []
  if unknown := [clip for clip in divided['test'] if not clip.speaker]:
    findings += _unknown_speakers({name: unknown})
  findings += [
    f for f in _alike(divided) if f.kind == 'speaker' and 'test' in f.splits
  ]
  for split in ('training', 'validation'):
    pair, both = (split, name), (divided[split], divided['test'])
    findings += _shared('speaker', pair, *both)
    findings += _shared('take', pair, *both) if named else []
    findings += _same_content(pair, *both, keys)
  return findings


def settle(
  findings: Sequence[Finding],
  protocol: str,
  allowed: Sequence[str],
  store: str = '',
) -> list[dict[str, Any]]:
  """Returns the findings as a run records them in JSON; [] without any.

  Args:
    findings: of all folds of a run.
    protocol: of the run.
    allowed: kinds of leaks that the user allows.
    store: whose clips are evaluated, if it is not the run's own.

  Raises:
    DataError: there are other leaks; the message lists them.
  """
  settled = []
  for finding in findings:
    status = finding.status
    if status == 'leak' and finding.kind in DOCUMENTED.get(protocol, ()):
      status = 'documented'
    elif status == 'leak' and finding.kind in allowed:
      status = 'allowed'
    settled.append(dataclasses.replace(finding, status=status))
  if leaks := [finding for finding in settled if finding.status == 'leak']:
    texts = [
      finding.text
      if finding.fold is None
      else f'fold {finding.fold}: {finding.text}'
      for finding in leaks[:LISTED]
    ]
    more = len(leaks) - LISTED
    rest = f'; and {more} more' if more > 0 else ''
    kinds = ','.join(sorted({finding.kind for finding in leaks} | set(allowed)))
    if store:
      raise DataError(
        f'{store} leaks: {"; ".join(texts)}{rest}; take other clips;'
        f' --allow_leaks={kinds} evaluates these anyway and records the leaks'
        ' in the results'
      )
    raise DataError(
      f'data.protocol {protocol} leaks: {"; ".join(texts)}{rest}; correct the'
      ' store or set another data.protocol; data.allow_leaks='
      f'{kinds} trains anyway and records the leaks in every result'
    )
  return [
    {**dataclasses.asdict(f), 'splits': list(f.splits), 'names': list(f.names)}
    for f in settled
  ]


def _unknown_speakers(splits: Splits) -> list[Finding]:
  unknown = [c for clips in splits.values() for c in clips if not c.speaker]
  if not unknown:
    return []
  return [
    Finding(
      kind='speaker',
      splits=tuple(splits),
      names=(),
      clips=len(unknown),
      text=f'{listed(unknown)} have no speaker, so that it is not known whether'
      ' a speaker is in two splits',
      status='unchecked',
    )
  ]


def _untrained_labels(splits: Splits) -> list[Finding]:
  trained = {clip.label for clip in splits['training']}
  findings = []
  for split in ('validation', 'test'):
    untrained: dict[str, list[Clip]] = defaultdict(list)
    for clip in splits.get(split, ()):
      if clip.label is not None and clip.label not in trained:
        untrained[clip.label].append(clip)
    for label, clips in sorted(untrained.items()):
      findings.append(
        Finding(
          kind='class',
          splits=(split,),
          names=(label,),
          clips=len(clips),
          text=f'no training clip has the label {label!r} of {listed(clips)} in'
          f' the {split} split',
        )
      )
  return findings


def check_choosing(findings: Sequence[Mapping[str, Any]]) -> None:
  """Raises DataError if clips to choose settings by are also test clips.

  An allowed leak of one run is none that a sweep may have: every setting that
  is tried would be chosen a little by the test clips.

  Args:
    findings: of all folds, as `settle` returns them.
  """
  pair = ('validation', 'test')
  for one in findings:
    if one['kind'] == 'selection' and tuple(one['splits']) == pair:
      raise DataError(
        f'the validation clips, by which a sweep chooses, are among the test'
        f' clips: {one["text"]}; correct the store, since data.allow_leaks is'
        ' not for a sweep'
      )


def check_unseen(
  splits: Splits, predicted: Mapping[str, Iterable[tuple[str, str]]]
) -> None:
  """Raises DataError unless runs have predicted no test clip.

  Settings are chosen by these runs.

  Args:
    splits: of the runs, with 'test'.
    predicted: file -> (split, clip) of its predictions.
  """
  test = {clip.name for clip in splits.get('test', ())}
  for file, pairs in predicted.items():
    names = sorted(c for split, c in pairs if split == 'test' or c in test)
    if names:
      raise DataError(
        f'{file} has predictions of {_number(names, "test clip")}'
        f' ({_few(names)}); settings are chosen on validation alone: begin the'
        ' sweep again in another --workdir'
      )


def _alike(splits: Splits) -> list[Finding]:
  """Returns findings for labels, and speakers of two splits, that look alike.

  Since tables are checked when they are read, only older stores have any.
  """
  everyone = [(k, clip) for k, clips in splits.items() for clip in clips]
  labels = [clip.label for _, clip in everyone if clip.label is not None]
  findings = [
    _alike_finding('class', tuple(splits), spellings)
    for spellings in lookalikes.groups(labels)
  ]
  by_corpus: dict[str, list[tuple[str, str]]] = defaultdict(list)
  for split, clip in everyone:
    by_corpus[clip.corpus].append((split, clip.speaker))
  for pairs in by_corpus.values():
    for spellings in lookalikes.groups(speaker for _, speaker in pairs):
      places = {
        word: {split for split, speaker in pairs if speaker == word}
        for word in spellings
      }
      among = tuple(k for k in splits if any(k in p for p in places.values()))
      if len(among) > 1:
        findings.append(_alike_finding('speaker', among, spellings))
  return findings


def _alike_finding(
  kind: str, among: tuple[str, ...], spellings: Mapping[str, int]
) -> Finding:
  what = 'labels' if kind == 'class' else 'speakers'
  return Finding(
    kind=kind,
    splits=among,
    names=tuple(spellings),
    clips=sum(spellings.values()),
    text=f'the {what} {lookalikes.described(spellings)} look alike; make the'
    ' store again, with --merge_labels if they are one',
  )


def _contradictions(
  splits: Splits, content_keys: Mapping[str, Sequence[str]]
) -> list[Finding]:
  """Returns a finding for clips of equal content with different labels."""
  by_key: dict[str, list[tuple[str, Clip]]] = defaultdict(list)
  for split, clips in splits.items():
    for clip in clips:
      for key in content_keys[clip.name] if clip.label is not None else ():
        by_key[key].append((split, clip))
  groups = {  # equal files give equal streams, so that most are found twice
    ' = '.join(f'{clip.name} ({clip.label})' for _, clip in pairs): pairs
    for pairs in by_key.values()
    if len({clip.label for _, clip in pairs}) > 1
  }
  if not groups:
    return []
  concerned = {pair[1].name: pair[0] for g in groups.values() for pair in g}
  return [
    Finding(
      kind='content',
      splits=tuple(k for k in splits if k in concerned.values()),
      names=tuple(groups),
      clips=len(concerned),
      text=f'{len(concerned)} clips have the content of others and different'
      f' labels ({_few(list(groups))}); correct the labels',
      status='warning',
    )
  ]


def _shared(
  fact: str,
  pair: tuple[str, str],
  first: Sequence[Clip],
  second: Sequence[Clip],
) -> list[Finding]:
  """Returns a finding for speakers, or takes, that are in both splits."""

  def key(clip: Clip) -> tuple[str, str] | None:
    name = getattr(clip, fact)
    return (clip.corpus, name) if name else None  # names differ by corpus

  keys = {key(clip) for clip in first} - {None}
  clips = [clip for clip in second if key(clip) in keys]
  if not clips:
    return []
  names = sorted({getattr(clip, fact) for clip in clips})
  text = (
    f'{_number(names, fact)} in {pair[0]} and {pair[1]} ({_few(names)}), with'
    f' {_number(clips, "clip")} of {pair[1]}'
  )
  kind = fact if fact == 'speaker' else _kind(fact, pair)
  return [Finding(kind, pair, tuple(names), len(clips), text)]


def _same_content(
  pair: tuple[str, str],
  first: Sequence[Clip],
  second: Sequence[Clip],
  content_keys: Mapping[str, Sequence[str]],
) -> list[Finding]:
  """Returns a finding for clips of equal content in both splits."""
  clip_of: dict[str, str] = {}
  for clip in first:
    for key in content_keys[clip.name]:
      clip_of.setdefault(key, clip.name)
  same = {}
  for clip in second:
    for key in content_keys[clip.name]:
      if key in clip_of:
        same[clip.name] = f'{clip.name} = {clip_of[key]}'
  names = list(same.values())
  if not names:
    return []
  text = (
    f'{_number(names, "clip")} of {pair[1]} with the content of one of'
    f' {pair[0]} ({_few(names)})'
  )
  return [Finding(_kind('content', pair), pair, tuple(names), len(names), text)]


def _kind(kind: str, pair: tuple[str, str]) -> str:
  """Returns 'selection' if the pair is validation and test, else `kind`."""
  return 'selection' if pair == ('validation', 'test') else kind


def _number(items: Sequence[Any], name: str) -> str:
  return f'{len(items)} {name}{"s" * (len(items) != 1)}'


def _few(names: Sequence[str]) -> str:
  more = len(names) - LISTED
  return ', '.join(names[:LISTED]) + (f' and {more} more' if more > 0 else '')
