"""Random raw features in a work folder, to fit an extractor on."""

import json

import numpy as np

from avjax.data import npy
from avjax.features import work_folder


def corpus(folder, clips=9, seed=0):
  """Returns table rows of 3 emotions and 2 splits, and their raw features."""
  rng = np.random.default_rng(seed)
  work_folder.begin(folder, settings())
  rows, measured = [], {}
  for k in range(clips):
    name = f'clip {k}'
    split = ('train', 'train', 'test')[k % 3]
    label = ('happy', 'sad', 'angry')[k // 3 % 3]
    rows.append({'clip': name, 'label': label, 'speaker': '', 'split': split})
    measured[k] = put(folder, name, rng, k)
  return rows, measured


def put(folder, name, rng, frames):
  """Writes the file of one clip as a worker does, and returns it."""
  found = rng.random(20 + frames) < 0.8
  arrays = {
    'audio': rng.normal(size=(25 + frames, 30)).astype(np.float32),
    'shape': rng.normal(size=(len(found), 98)).astype(np.float32),
    'found': found,
    'notes': np.frombuffer(json.dumps([['face', 'a note']]).encode(), np.uint8),
    'sha256': np.frombuffer(rng.bytes(32), np.uint8),
  }
  path = work_folder.path_of(folder, name)
  path.write_bytes(npy.pack(arrays))
  return work_folder.read(path)


def settings(**changes):
  """Returns settings without a network and with few columns."""
  from avjax.settings import FeaturesConfig

  values = {'audio_width': 8, 'shape_width': 5, 'streams': ('audio', 'shape')}
  return FeaturesConfig(**values | changes)
