"""CREMA-D: 91 actors, twelve sentences, six emotions (no surprise).

  VideoFlash/AAAA_SSS_EEE_LL.flv, AudioWAV/*.wav, AudioMP3/*.mp3
  processedResults/summaryTable.csv

AAAA is the actor, SSS the sentence, EEE the emotion, LL the level. The acted
emotion is one label. Crowd workers voted on the voice, the face and both:
VoiceVote, FaceVote, MultiModalVote. A tie, such as 'A:D', gives no label. The
widely used lists of 6,698 training and 744 test clips share all 91 actors.

Cao et al. (2014), doi:10.1109/TAFFC.2014.2336244.
"""

import csv
import pathlib
import re
from collections.abc import Iterator, Sequence

from avjax.data.corpora.listing import (
  Corpus,
  Entry,
  Expected,
  Item,
  format_rank,
)
from avjax.data.corpora.tree import Path
from avjax.errors import DataError

EMOTIONS = ('angry', 'disgust', 'fear', 'happy', 'neutral', 'sad')
_CODES = dict(
  zip(('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'), EMOTIONS, strict=True)
)
_VOTES = dict(zip('ADFHNS', EMOTIONS, strict=True))
_TARGETS = {
  'voice': 'VoiceVote', 'face': 'FaceVote', 'multimodal': 'MultiModalVote',
}  # fmt: skip
_NAME = re.compile('([0-9]{4})_[A-Z]{3}_([A-Z]{3})_(LO|MD|HI|XX)')
_SHORT = '1040_ITH_SAD_X'  # a misnamed file; the table has ..._XX
_TABLE = 'summaryTable.csv'

FAULTS = {
  '1076_MTI_NEU_XX': 'has only three frames',
  '1076_MTI_SAD_XX': 'has hardly any frames, and no audio',
  '1064_TIE_SAD_XX': 'has only 18 frames',
  '1064_IEO_DIS_MD': 'is a minute long and has every emotion of the sentence',
}
"""Bad clips, according to the README of the corpus or to its users."""


def read(root: pathlib.Path, paths: Sequence[Path]) -> Iterator[Item]:
  """Yields an item for every file."""
  votes = _votes(root)
  for path in paths:
    stem = f'{_SHORT}X' if path.stem == _SHORT else path.stem
    name = _NAME.fullmatch(stem)
    if name is None or name[2] not in _CODES:
      yield Item(str(path), broken='is not named like 1001_DFA_ANG_XX.flv')
    elif not 1001 <= int(name[1]) <= 1091:
      yield Item(str(path), broken=f'there is no actor {name[1]}')
    else:
      entry = Entry(
        name=stem,
        path=str(path),
        take=stem,
        speaker=name[1],
        targets={'acted': _CODES[name[2]], **votes.get(stem, {})},
      )
      fault = FAULTS.get(stem, '')
      note = '' if stem == path.stem else f'is {stem} in the table'
      yield Item(str(path), entry, format_rank(path), fault, note=note)


def _votes(root: pathlib.Path) -> dict[str, dict[str, str]]:
  """Returns clip -> target -> the emotion with most votes, without ties."""
  tables = sorted(root.rglob(_TABLE))
  if not tables:
    return {}
  votes = {}
  with open(tables[0], encoding='utf-8-sig', newline='') as file:
    for row in csv.DictReader(file):
      try:
        votes[row['fileName']] = {
          target: _VOTES[row[column]]
          for target, column in _TARGETS.items()
          if ':' not in row[column]
        }
      except (KeyError, TypeError) as error:
        raise DataError(
          f'{tables[0]} is not the table of votes ({error}); restore it, or'
          ' remove it to read the corpus without votes'
        ) from None
  return votes


CORPUS = Corpus(
  name='cremad',
  title='CREMA-D',
  source='https://github.com/CheyneyComputerScience/CREMA-D',
  licence='ODbL 1.0',
  layout='VideoFlash/1001_DFA_ANG_XX.flv',
  read=read,
  expected=(
    Expected(
      'all clips',
      7442,
      {label: 1271 - 184 * (label == 'neutral') for label in EMOTIONS},
      91,
    ),
  ),
  by_name=True,
)
