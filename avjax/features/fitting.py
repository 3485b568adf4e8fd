"""What is fitted, on which clips."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from avjax.clips import Clip
from avjax.data import splits
from avjax.data.corpora import afew
from avjax.errors import DataError
from avjax.features import extractor as extractors
from avjax.features import whitening
from avjax.features.columns import Columns
from avjax.features.work_folder import Measured
from avjax.settings import FeaturesConfig

if TYPE_CHECKING:
  from avjax.features import alexnet

FRAMES = 20_000  # of the random forest and of pool5's deviations, at most
Rows = Sequence[Mapping[str, str]]


def training(rows: Rows, measured: Mapping[int, Measured]) -> list[int]:
  """Returns the rows of the usable clips of the training split.

  Raises:
    DataError: there is none, or a split has another name than the usual ones.
  """
  clips = [Clip(rows[k]['clip'], {}, split=rows[k]['split']) for k in measured]
  try:
    names = {c.name for c in splits.by_name(clips).get('training', [])}
  except DataError as error:
    raise DataError(f'{error}; or fit on all clips: --fit_on=all') from None
  if not names:
    raise DataError(
      'no usable clip is in the training split; name one in the column split'
      ' of the table, or fit on all clips: --fit_on=all'
    )
  return [k for k in measured if rows[k]['clip'] in names]


def fingerprint(
  rows: Rows, measured: Mapping[int, Measured], chosen: Sequence[int]
) -> str:
  """Returns a SHA-256 over the names, labels and files that are fitted on."""
  lines = [
    [rows[k]['clip'], rows[k]['label'], measured[k].sha256] for k in chosen
  ]
  return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def fit(
  rows: Rows,
  measured: Mapping[int, Measured],
  chosen: Sequence[int],
  settings: FeaturesConfig,
  faces: str = '',
) -> extractors.Extractor:
  """Returns the extractor that is fitted on some clips and nothing else.

  Args:
    rows: of the corpus's table.
    measured: by row, what is known of the usable clips.
    chosen: rows of the clips that are fitted on.
    settings: of the features.
    faces: folder of labelled faces for the random forest; '': it learns from
      the frames of the chosen clips.

  Raises:
    DataError: there is too little to fit on.
  """
  clips = {k: measured[k].columns() for k in chosen}
  audio = shape = appearance = None
  about = [f'fitted on {len(chosen)} of {len(measured)} clips']
  network = ''
  if 'audio' in settings.streams:
    heard = [columns.arrays['audio'] for columns in clips.values()]
    audio = whitening.fit(heard, settings.audio_width)
  if 'shape' in settings.streams:
    seen = [c.arrays['shape'][c.found] for c in clips.values()]
    shape = whitening.fit(seen, settings.shape_width)
  if 'appearance' in settings.streams:
    eyes = extractors.network(settings)
    network = eyes.fingerprint
    about.append(eyes.description)
    appearance, how = _fit_appearance(rows, clips, settings, eyes, faces)
    about.append(how)
  return extractors.Extractor(
    settings=settings,
    corpus=fingerprint(rows, measured, chosen),
    network=network,
    about=tuple(about),
    audio=audio,
    shape=shape,
    appearance=appearance,
  )


def _fit_appearance(
  rows: Rows,
  clips: Mapping[int, Columns],
  settings: FeaturesConfig,
  eyes: 'alexnet.FaceNetwork',
  faces: str,
) -> tuple[extractors.Kept, str]:
  """Returns what is kept of pool5, and a line that says by what."""
  total = sum(int(columns.found.sum()) for columns in clips.values())
  step = max(1, -(-total // FRAMES))
  pool5, labels = [], []
  for k, columns in clips.items():
    frames = columns.arrays['pool5'][columns.found][::step]
    pool5.append(frames)
    labels += [rows[k]['label']] * len(frames)
  seen = np.concatenate(pool5)
  if not len(seen):
    raise DataError(
      'no face was found in the clips that are fitted on; leave appearance and'
      ' shape out of --streams'
    )
  if faces:
    from avjax.features import random_forest

    images, labels = random_forest.read_images(afew.faces(faces))
    examples = eyes.pool5(images)
    how = f'random forest on {len(images)} faces of {faces}'
  else:
    examples = seen
    how = f'random forest on {len(examples)} frames of those clips'
  kept = extractors.fit_appearance(seen, examples, labels, settings)
  return kept, how
