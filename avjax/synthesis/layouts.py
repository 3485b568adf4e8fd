"""Where the files of a made corpus are: a table of clips, or AFEW's folders."""

import dataclasses
from collections.abc import Sequence

from avjax.synthesis.scene import Take

NAMES = ('table', 'afew')
_AFEW = {'training': 'Train_AFEW', 'validation': 'Val_AFEW', 'test': 'Test'}
_APART = 4000  # ms between the clips of the made film


def place(takes: Sequence[Take], layout: str) -> list[Take]:
  """Returns the takes with the paths of their files.

  `data.corpora.afew` describes the folders of AFEW and SFEW. The numbers of the
  clips are their times in one film, in ms. As in the original, the test clips
  are in one folder, which does not tell their emotion.

  Args:
    takes: of a corpus.
    layout: one of NAMES. table: the clips beside clips.csv; afew: AFEW/ has the
      clips, and SFEW/ a face of each training clip.
  """
  return [_as_afew(take) for take in takes] if layout == 'afew' else [*takes]


def _as_afew(take: Take) -> Take:
  """Returns a take with the paths of a clip of AFEW and a face of SFEW."""
  emotion, time = take.label.capitalize(), f'{_APART * take.number:09d}'
  folder = f'AFEW/{_AFEW[take.split]}'
  if take.split == 'test':
    return dataclasses.replace(take, clip=f'{folder}/{time}.avi')
  clip, still = f'{folder}/{emotion}/{time}.avi', ''
  if take.split == 'training':
    faces = f'SFEW/Train/Train_Aligned_Faces/{emotion}'
    still = f'{faces}/Made_{time}_{take.number:08d}.png'
  return dataclasses.replace(take, clip=clip, still=still)
