"""The folders of AFEW and SFEW for a made corpus.

`data.corpora.afew` describes them. The number of a clip is its time in one made
film, in ms. As in the original, the test clips are in one folder, which does
not tell their emotion.
"""

import dataclasses
from collections.abc import Sequence

from avjax.synthesis.scene import Take

_FOLDERS = {'training': 'Train_AFEW', 'validation': 'Val_AFEW', 'test': 'Test'}
_APART = 4000  # ms from one clip to the next; no clip is longer


def place(takes: Sequence[Take]) -> list[Take]:
  """Returns the takes, with the clips in AFEW/, and stills in SFEW/.

  There is a still of each training clip.
  """
  return [_placed(take) for take in takes]


def _placed(take: Take) -> Take:
  emotion, time = take.label.capitalize(), f'{_APART * take.number:09d}'
  folder = f'AFEW/{_FOLDERS[take.split]}'
  if take.split == 'test':
    return dataclasses.replace(take, clip=f'{folder}/{time}.avi')
  clip, still = f'{folder}/{emotion}/{time}.avi', ''
  if take.split == 'training':
    faces = f'SFEW/Train/Train_Aligned_Faces/{emotion}'
    still = f'{faces}/Made_{time}_{take.number:08d}.png'
  return dataclasses.replace(take, clip=clip, still=still)
