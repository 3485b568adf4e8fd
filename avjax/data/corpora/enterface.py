"""eNTERFACE'05: six emotions (no neutral), five sentences each.

  subject N/anger/sentence M/sN_an_M.avi

The folders are right and the names are not: the files of subject 11 are called
s12_* and would be those of subject 12; some are called s_3_*, one
s16_su_3avi.avi. So the folders count, and the names that say otherwise are
told. There are 44 folders of subjects in the archive, 42 in the paper.
"""

import pathlib
import re
from collections.abc import Iterator, Sequence

from avjax.data.corpora.listing import (
  VIDEO,
  Corpus,
  Entry,
  Expected,
  Item,
)
from avjax.data.corpora.tree import Path

_CODES = {
  'anger': ('an', 'angry'),
  'disgust': ('di', 'disgust'),
  'fear': ('fe', 'fear'),
  'happiness': ('ha', 'happy'),
  'sadness': ('sa', 'sad'),
  'surprise': ('su', 'surprise'),
}
_UNCUT = 6
_EXCLUDED = 'subject 6 is not cut into sentences: a minute for each emotion'


def read(root: pathlib.Path, paths: Sequence[Path]) -> Iterator[Item]:
  """Yields what every file is."""
  for path in paths:
    folders = '/'.join(path.parts[:-1]).lower()
    subject = re.findall(r'subject[ _]?([0-9]+)', folders)
    emotion = [part for part in folders.split('/') if part in _CODES]
    sentence = re.findall(r'sentence[ _]?([0-9]+)', folders)
    # Without that folder the name is the only one to say it.
    number = (sentence or re.findall(r'_([0-9])(?:avi)?$', path.stem))[-1:]
    if not subject or not emotion:
      why = (
        "does not lie in 'subject N/<emotion>'; its name alone is not enough,"
        ' as those of subject 11 are called s12'
      )
      yield Item(str(path), broken=why)
      continue
    who = int(subject[-1])
    code, label = _CODES[emotion[-1]]
    name = '_'.join([f's{who}', code, *number])
    entry = Entry(
      name=name,
      path=str(path),
      take=name,
      speaker=f'subject {who}',
      targets={'elicited': label},
    )
    if who == _UNCUT:
      yield Item(str(path), entry, fault=_EXCLUDED)
    elif not number:
      yield Item(str(path), broken='is of no sentence, by folder or name')
    else:
      note = '' if path.stem == name else f'is {name} by its folders'
      yield Item(str(path), entry, note=note)


CORPUS = Corpus(
  name='enterface',
  title="eNTERFACE'05",
  source='https://enterface.net/enterface05',
  licence='free, under the terms that come with it',
  layout="'subject 1/anger/sentence 1/s1_an_1.avi'",
  read=read,
  expected=(
    # Three clips of subject 23 are not in the archive.
    Expected('the archive', 1293, {}, 44),
    Expected(
      'the 42 subjects of the paper',
      1260,
      {label: 210 for _, label in _CODES.values()},
      42,
    ),
  ),
  endings=VIDEO,
)
