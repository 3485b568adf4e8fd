"""SAVEE: four men, seven emotions.

  AudioVisualClip/DC/a01.avi, AudioData/DC/a01.wav
  DC_a01.avi, DCa01.avi          copies without folders

A file is named by emotion (a, d, f, h, n, sa, su) and sentence number: 15
sentences per emotion, 30 for neutral. All four men speak the same sentences.
"""

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

_SPEAKERS = 'DC|JE|JK|KL'
_CODES = {
  'a': 'angry', 'd': 'disgust', 'f': 'fear', 'h': 'happy', 'n': 'neutral',
  'sa': 'sad', 'su': 'surprise',
}  # fmt: skip
_NAME = re.compile(f'(?:({_SPEAKERS})_?)?(sa|su|[adfhn])([0-9]{{2}})')


def read(root: pathlib.Path, paths: Sequence[Path]) -> Iterator[Item]:
  """Yields an item for every file."""
  for path in paths:
    name = _NAME.fullmatch(path.stem)
    folder = re.fullmatch(_SPEAKERS, path.parent.name)
    if name is None:
      yield Item(str(path), broken='is not named like a01.avi or DC_a01.avi')
      continue
    speaker = name[1] or (folder and folder[0])
    if not speaker:
      why = 'has no speaker (DC, JE, JK, KL) in its name or folder'
      yield Item(str(path), broken=why)
    elif folder and folder[0] != speaker:
      why = f'is named after {speaker} and is in {folder[0]}'
      yield Item(str(path), broken=why)
    else:
      take = f'{speaker}_{name[2]}{name[3]}'
      targets = {'acted': _CODES[name[2]]}
      entry = Entry(take, str(path), take, speaker=speaker, targets=targets)
      yield Item(str(path), entry, format_rank(path))


CORPUS = Corpus(
  name='savee',
  title='SAVEE',
  source='http://kahlan.eps.surrey.ac.uk/savee',
  licence='for research, after registration',
  layout='AudioVisualClip/DC/a01.avi',
  read=read,
  expected=(
    Expected(
      'all clips',
      480,
      {label: 60 + 60 * (label == 'neutral') for label in _CODES.values()},
      4,
    ),
  ),
)
