"""eNTERFACE'05: six emotions (no neutral), five sentences each.

  subject N/anger/sentence M/sN_an_M.avi

The folders are correct, but some file names are not: the files of subject 11
are called s12_*, like those of subject 12; some are called s_3_*, and one is
called s16_su_3avi.avi. So the folders count, and file names that disagree are
reported. The archive has folders of 44 subjects, the paper describes 42.
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
_EXCLUDED = 'is not cut into sentences: a minute per emotion of subject 6'


def read(root: pathlib.Path, paths: Sequence[Path]) -> Iterator[Item]:
  """Yields an item for every file."""
  for path in paths:
    folders = '/'.join(path.parts[:-1]).lower()
    subject = re.findall(r'subject[ _]?([0-9]+)', folders)
    emotion = [word for word in folders.split('/') if word in _CODES]
    sentence = re.findall(r'sentence[ _]?([0-9]+)', folders)
    # Without a folder of the sentence, the file name has the number.
    number = (sentence or re.findall(r'_([0-9])(?:avi)?$', path.stem))[-1:]
    if not subject or not emotion:
      why = (
        "is not in 'subject N/<emotion>'; the file name is not reliable: the"
        ' files of subject 11 are called s12'
      )
      yield Item(str(path), broken=why)
      continue
    subject_number = int(subject[-1])
    code, label = _CODES[emotion[-1]]
    name = '_'.join([f's{subject_number}', code, *number])
    entry = Entry(
      name=name,
      path=str(path),
      take=name,
      speaker=f'subject {subject_number}',
      targets={'elicited': label},
    )
    if subject_number == _UNCUT:
      yield Item(str(path), entry, fault=_EXCLUDED)
    elif not number:
      yield Item(str(path), broken='has no sentence in its folders or name')
    else:
      note = '' if path.stem == name else f'is {name} by its folders'
      yield Item(str(path), entry, note=note)


CORPUS = Corpus(
  name='enterface',
  title="eNTERFACE'05",
  source='https://enterface.net/enterface05',
  licence='free, under the terms included',
  layout="'subject 1/anger/sentence 1/s1_an_1.avi'",
  read=read,
  expected=(
    # Three clips of subject 23 are missing from the archive.
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
