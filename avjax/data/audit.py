"""Whether the reported clips could be known from those that are trained on.

Before a training every pair of its splits is compared, and these are leaks:

  speaker    somebody speaks in both; an emotion is then partly the person
  take       files of one recording are in both
  content    a clip is in both under two names: the same file, the same streams
  selection  the epoch is chosen on what is reported: takes or contents of
             validation are in test, or no clip of a test split has a label
  class      a label that no training clip has

A leak is refused unless its kind is named in `data.allow_leaks`, and is then
written into everything that the run leaves. Some protocols have one by their
nature, which is written there as well but stops nobody:

  afew/official  The organisers divide by film and name no actor, who may play
                 in two films; the labels of the test films are not public, so
                 that validation is what anyone, the paper too, can report.
  meld/official  Six friends speak in all of one series: 69 of the 100 speakers
                 of test are in training. The division is by dialogue.
  random         Asked for by its name: it is there to show what it hides.

Not knowing the speakers of a store is no leak; that they were not compared is
written down.
"""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from avjax.clips import Clip
from avjax.data.splits import listed
from avjax.errors import DataError

Parts = Mapping[str, Sequence[Clip]]

DOCUMENTED = {
  'afew/official': ('speaker', 'selection'),
  'meld/official': ('speaker',),
  'random': ('speaker',),
}
"""Protocol -> kinds of leaks that are in its nature; see above."""

PAIRS = (
  ('training', 'test'),
  ('training', 'validation'),
  ('validation', 'test'),
)
LISTED = 20  # names and findings in one message


@dataclasses.dataclass(frozen=True)
class Finding:
  """One thing that is on two sides of a split.

  Attributes:
    kind: one of `settings.LEAKS`.
    splits: the two sides, or the one that is concerned.
    names: the speakers, the takes, or 'this = that' of clips.
    clips: how many clips of the last split are concerned.
    text: all of this for people.
    status: 'leak', 'allowed', 'documented', or 'unchecked'.
    fold: of the run, or None.
  """

  kind: str
  splits: tuple[str, ...]
  names: tuple[str, ...]
  clips: int
  text: str
  status: str = 'leak'
  fold: int | None = None


def contents(clips: Iterable[Clip]) -> dict[str, tuple[str, ...]]:
  """Returns clip -> what tells that another clip is the same.

  The SHA-256 of all its streams and, where it is known, that of its file.

  Args:
    clips: as they are in the store; standardised by speaker, a copy under
      another speaker's name would differ.
  """
  known = {}
  for clip in clips:
    digest = hashlib.sha256()
    for name in sorted(clip.streams):
      array = np.ascontiguousarray(clip.streams[name], '<f4')
      digest.update(f'{name} {array.shape}\n'.encode())
      digest.update(array.data)
    source = [f'file {clip.source}'] if clip.source else []
    known[clip.name] = (f'streams {digest.hexdigest()}', *source)
  return known


def examine(
  parts: Parts, held: Mapping[str, Sequence[str]], fold: int | None = None
) -> list[Finding]:
  """Returns what is found in one split of the clips, all of it as leaks.

  Args:
    parts: split -> its clips.
    held: as `contents` gives it, of all clips.
    fold: what the findings are marked with.
  """
  findings = [*_unknown_speakers(parts), *_strange_labels(parts)]
  if not any(clip.label is not None for clip in parts.get('test', ())):
    findings.append(
      Finding(
        kind='selection',
        splits=('validation',),
        names=(),
        clips=len(parts['validation']),
        text='no clip of a test split has a label, so that the epoch is chosen'
        ' on the clips that are reported, those of validation',
      )
    )
  for pair in PAIRS:
    one, other = (parts.get(name, ()) for name in pair)
    findings += _named('speaker', pair, one, other)
    findings += _named('take', pair, one, other)
    findings += _contents(pair, one, other, held)
  return [dataclasses.replace(finding, fold=fold) for finding in findings]


def settle(
  findings: Sequence[Finding], protocol: str, allowed: Sequence[str]
) -> list[dict[str, Any]]:
  """Returns what a run says of the findings, for JSON; [] where it is clean.

  Args:
    findings: of all splits of a run.
    protocol: the run's.
    allowed: kinds of leaks that the user allows.

  Raises:
    DataError: there are others; one message names them all.
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
    raise DataError(
      f'data.protocol {protocol} leaks: {"; ".join(texts)}{rest}; correct the'
      ' store or take another data.protocol; data.allow_leaks='
      f'{kinds} trains all the same, and every result will say so'
    )
  return [
    {**dataclasses.asdict(f), 'splits': list(f.splits), 'names': list(f.names)}
    for f in settled
  ]


def _unknown_speakers(parts: Parts) -> list[Finding]:
  nobody = [c for part in parts.values() for c in part if not c.speaker]
  if not nobody:
    return []
  return [
    Finding(
      kind='speaker',
      splits=tuple(parts),
      names=(),
      clips=len(nobody),
      text=f'{listed(nobody)} have no speaker, so that it is not known whether'
      ' somebody speaks in two splits',
      status='unchecked',
    )
  ]


def _strange_labels(parts: Parts) -> list[Finding]:
  known = {clip.label for clip in parts['training']}
  findings = []
  for split in ('validation', 'test'):
    strange: dict[str, list[Clip]] = defaultdict(list)
    for clip in parts.get(split, ()):
      if clip.label is not None and clip.label not in known:
        strange[clip.label].append(clip)
    for label, clips in sorted(strange.items()):
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


def _named(fact: str, pair: tuple[str, str], one, other) -> list[Finding]:
  """Returns the speakers, or the takes, that are on both sides."""

  def key(clip: Clip) -> tuple[str, str] | None:
    name = getattr(clip, fact)
    return (clip.corpus, name) if name else None  # another corpus's is another

  keys = {key(clip) for clip in one} - {None}
  clips = [clip for clip in other if key(clip) in keys]
  if not clips:
    return []
  names = sorted({getattr(clip, fact) for clip in clips})
  text = (
    f'{_number(names, fact)} in {pair[0]} and {pair[1]} ({_few(names)}), with'
    f' {_number(clips, "clip")} of {pair[1]}'
  )
  kind = fact if fact == 'speaker' else _kind(fact, pair)
  return [Finding(kind, pair, tuple(names), len(clips), text)]


def _contents(
  pair: tuple[str, str], one, other, held: Mapping[str, Sequence[str]]
) -> list[Finding]:
  first: dict[str, str] = {}
  for clip in one:
    for key in held[clip.name]:
      first.setdefault(key, clip.name)
  same = {}
  for clip in other:
    for key in held[clip.name]:
      if key in first:
        same[clip.name] = f'{clip.name} = {first[key]}'
  names = list(same.values())
  if not names:
    return []
  text = (
    f'{_number(names, "clip")} of {pair[1]} with the content of one of'
    f' {pair[0]} ({_few(names)})'
  )
  return [Finding(_kind('content', pair), pair, tuple(names), len(names), text)]


def _kind(kind: str, pair: tuple[str, str]) -> str:
  """Returns the kind: what is in validation and test is chosen on."""
  return 'selection' if pair == ('validation', 'test') else kind


def _number(things: Sequence[Any], name: str) -> str:
  return f'{len(things)} {name}{"s" * (len(things) != 1)}'


def _few(names: Sequence[str]) -> str:
  more = len(names) - LISTED
  return ', '.join(names[:LISTED]) + (f' and {more} more' if more > 0 else '')
