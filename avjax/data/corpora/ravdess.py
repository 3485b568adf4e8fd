"""RAVDESS: 24 actors say two sentences in eight emotions (speech only).

  Actor_NN/MM-CC-EE-II-SS-RR-AA.mp4 or .wav

MM is the modality (01 video with audio, 02 video, 03 audio), CC the channel (01
speech, 02 song), EE the emotion, II the intensity, SS the sentence, RR the
repetition, AA the actor. The files of one take differ only in MM, so the other
six fields identify the take; as separate clips its files could leak from one
split into another. Feature files may lack MM.

Livingstone and Russo (2018), doi:10.1371/journal.pone.0196391.
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

EMOTIONS = (
  'neutral', 'calm', 'happy', 'sad', 'angry', 'fear', 'disgust', 'surprise',
)  # fmt: skip
_NAME = re.compile(
  '(?:(?P<modality>0[123])-)?(?P<take>(?P<channel>0[12])-0(?P<emotion>[1-8])'
  '-(?P<intensity>0[12])-0[12]-0[12]-(?P<actor>[0-9]{2}))'
)
_RANK = {'01': 0, '03': 1, '02': 2}
_ACTORS = 24


def read(root: pathlib.Path, paths: Sequence[Path]) -> Iterator[Item]:
  """Yields an item for every file."""
  for path in paths:
    name = _NAME.fullmatch(path.stem)
    if name is None:
      yield Item(str(path), broken='is not named like 01-01-06-01-02-01-12.mp4')
      continue
    actor = int(name['actor'])
    folders = re.findall(r'Actor_([0-9]+)', path.parent.name)
    if name['channel'] == '02':
      yield Item(str(path), ignored='a song')
    elif not 1 <= actor <= _ACTORS:
      yield Item(str(path), broken=f'there is no actor {actor}')
    elif folders and int(folders[0]) != actor:
      why = f'is named after actor {actor} and is in {path.parent.name}'
      yield Item(str(path), broken=why)
    elif name['emotion'] == '1' and name['intensity'] == '02':
      yield Item(str(path), broken='there is no neutral take of high intensity')
    else:
      entry = Entry(
        name=name['take'],
        path=str(path),
        take=name['take'],
        speaker=f'Actor_{actor:02}',
        targets={'acted': EMOTIONS[int(name['emotion']) - 1]},
        attributes={
          'gender': 'male' if actor % 2 else 'female',
          'intensity': 'strong' if name['intensity'] == '02' else 'normal',
        },
      )
      modality = name['modality']
      rank = _RANK[modality] if modality else format_rank(path)
      yield Item(str(path), entry, rank)


CORPUS = Corpus(
  name='ravdess',
  title='RAVDESS',
  source='https://zenodo.org/records/1188976',
  licence='CC BY-NC-SA 4.0',
  layout='Actor_NN/01-01-06-01-02-01-NN.mp4',
  read=read,
  expected=(
    Expected(
      'speech',
      1440,
      {label: 192 - 96 * (label == 'neutral') for label in EMOTIONS},
      _ACTORS,
    ),
  ),
  by_name=True,
)
