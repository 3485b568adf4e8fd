"""What the commands of the pages read: clips, corpora, features, predictions.

Each lies where the pages say that a reader's lies, as small as it may be.
"""

import csv
import io
import itertools
import pathlib
import shutil
from collections.abc import Mapping, Sequence

import numpy as np

from avjax.clips import EMOTIONS
from tests.docs import pages

SPLITS = ('training', 'validation', 'test')


def fill(folder: pathlib.Path, made: Sequence[pathlib.Path]) -> None:
  """Leaves all of it in a folder.

  Args:
    made: clips of talking faces, 12 or more.
  """
  _videos(folder / 'my_videos', made)
  (folder / 'others').mkdir()
  for name in ('new', 'other', 'others/s00_0003', 'others/s00_0005'):
    shutil.copy(made[0], folder / f'{name}.mp4')
  _ravdess(folder / 'RAVDESS', made)
  _takes(folder / 'RAVDESS')
  _features(folder / 'my_features')
  _runs(folder / 'results')


def _videos(folder: pathlib.Path, made: Sequence[pathlib.Path]) -> None:
  """Leaves the clips of the README's table, and those that complete it.

  The seven emotions and the longest of the clips are those of `made`, whose
  network so is compiled already where a page trains on both.
  """
  (block,) = [b for b in pages.blocks('README.md') if b.language == 'csv']
  rows = list(csv.DictReader(io.StringIO(block.text)))
  lacking = [('training', label) for label in EMOTIONS if label != 'happy']
  for split, label in (*lacking, ('validation', 'happy')):
    clip = f'{split}_{label}.mp4'
    rows.append(
      {'clip': clip, 'label': label, 'speaker': split, 'split': split}
    )
  folder.mkdir()
  _table(folder / 'clips.csv', rows)
  for row, clip in zip(rows, made, strict=False):
    shutil.copy(clip, folder / row['clip'])


def _ravdess(folder: pathlib.Path, made: Sequence[pathlib.Path]) -> None:
  """Leaves a take of an actor of each of the six groups of actors."""
  actors = range(1, 25, 4)
  for number, (actor, clip) in enumerate(zip(actors, made, strict=False)):
    emotion = 3 + number % 2
    path = folder / f'Actor_{actor:02}/01-01-0{emotion}-01-01-01-{actor:02}.mp4'
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(clip, path)


def _takes(folder: pathlib.Path) -> None:
  """Leaves features and waveforms of eight takes by four speakers."""
  random = np.random.default_rng(0)
  rows = []
  for name in ('features', 'takes', 'own'):
    (folder / name).mkdir()
  for number in range(8):
    take = f'take{number}'
    label = ('happy', 'sad')[number % 2]
    rows.append({'take': take, 'label': label, 'speaker': f'{number // 2}'})
    np.save(folder / f'features/{take}.npy', random.normal(size=(31, 5)))
    np.savez(
      folder / f'takes/{take}.npz',
      aus=random.normal(size=(25, 3)),
      audio=random.integers(-9000, 9000, 16000, np.int16),
    )
  _table(folder / 'manifest.csv', rows)


def _features(folder: pathlib.Path) -> None:
  """Leaves the streams audio, lips and gaze of clips in all splits."""
  random = np.random.default_rng(0)
  rows = []
  folder.mkdir()
  for split, label, number in itertools.product(
    SPLITS, ('calm', 'tense'), range(2)
  ):
    clip = f'{split}_{label}_{number}'
    rows.append(
      {'clip': clip, 'label': label, 'speaker': split, 'split': split}
    )
    np.savez(
      folder / f'{clip}.npz',
      audio=random.normal(size=(12, 4)),
      lips=random.normal(size=(9, 3)),
      gaze=random.normal(size=(9, 2)),
    )
  _table(folder / 'clips.csv', rows)


def _runs(folder: pathlib.Path) -> None:
  """Leaves the predictions of five runs of two networks."""
  random = np.random.default_rng(0)
  for name, seed in itertools.product(('proposed', 'average'), range(5)):
    (folder / f'{name}-{seed}').mkdir(parents=True)
    rows = [
      {
        'split': 'test',
        'label': 'sad',
        'predicted': random.choice(['sad', 'happy']),
      }
      for _ in range(20)
    ]
    _table(folder / f'{name}-{seed}/predictions.csv', rows)


def _table(path: pathlib.Path, rows: Sequence[Mapping[str, str]]) -> None:
  """Writes a CSV table."""
  with open(path, 'w', newline='', encoding='utf-8') as file:
    table = csv.DictWriter(file, list(rows[0]))
    table.writeheader()
    table.writerows(rows)
