"""Fits an extractor on the training clips of a corpus."""

import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from avjax.clips import Clip
from avjax.data import clip_table, protocols, splits
from avjax.data.corpora import afew
from avjax.errors import DataError
from avjax.features import dlib_faces, whitening
from avjax.features import extractor as extractors
from avjax.features.columns import Columns
from avjax.features.work_folder import Measured
from avjax.onnx_stream import FACE, OnnxStream
from avjax.settings import DataConfig, FeaturesConfig

if TYPE_CHECKING:
  from avjax.features import alexnet

FRAMES = 20_000  # at most, for the random forest and the scale of pool5
Rows = Sequence[Mapping[str, str]]


def training(rows: Rows, usable: Iterable[int]) -> list[int]:
  """Returns the row numbers of the usable clips in the training split.

  Raises:
    DataError: there is no such clip, or a split has an unknown name.
  """
  usable = list(usable)
  everything = 'fit on all clips: --fit_on=all'
  if not any(rows[k]['split'] for k in usable):
    raise DataError(
      'no clip has a split, so that there are no training clips to fit the'
      ' transforms on; fill the column split of the table, name it with'
      f' --split_column, or {everything}'
    )
  clips = [Clip(rows[k]['clip'], {}, split=rows[k]['split']) for k in usable]
  names = {
    c.name for c in splits.by_name(clips, everything).get('training', [])
  }
  if not names:
    raise DataError(
      'no usable clip is in the training split; correct the column split of'
      f' the table, or {everything}'
    )
  return [k for k in usable if rows[k]['clip'] in names]


def folds(
  rows: Rows, usable: Sequence[int], data: DataConfig
) -> list[list[int]]:
  """Returns the row numbers of the training clips of every fold.

  Args:
    rows: of the corpus's table.
    usable: numbers of the rows that can be used.
    data: the division into folds.

  Raises:
    DataError: the clips cannot be divided so.
  """
  clips = [clip_table.clip(rows[k], {}) for k in usable]
  number = {clip.name: k for clip, k in zip(clips, usable, strict=True)}
  count = protocols.folds(clips, data) if data.has_folds else 1
  divided = [protocols.split(clips, data, fold) for fold in range(count)]
  return [sorted(number[c.name] for c in one['training']) for one in divided]


def fingerprint(rows: Rows, sources: Mapping[int, str]) -> str:
  """Returns the SHA-256 of the names, labels and files of clips.

  Args:
    rows: of the corpus's table.
    sources: number of a row -> SHA-256 of the clip's file.
  """
  lines = [
    [rows[k]['clip'], rows[k]['label'], sha256] for k, sha256 in sources.items()
  ]
  return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def fit(
  rows: Rows,
  measured: Mapping[int, Measured],
  chosen: Sequence[int],
  settings: FeaturesConfig,
  faces: str = '',
  landmarks: str = '',
) -> extractors.Extractor:
  """Returns the extractor fitted on the chosen clips only.

  Args:
    rows: the rows of the corpus's table.
    measured: row number -> raw features, for the usable clips.
    chosen: row numbers of the clips to fit on.
    settings: of the features.
    faces: folder of labelled faces for the random forest; '' for the frames
      of the chosen clips.
    landmarks: a line about them, or ''.

  Raises:
    DataError: there are too few frames, faces or emotions to fit on.
  """
  clips = {k: measured[k].columns() for k in chosen}
  audio = shape = appearance = None
  about = [f'fitted on {len(chosen)} of {len(measured)} clips']
  if landmarks:
    about.append(landmarks)
  network, whiteners = '', {}
  for one in settings.onnx:
    about.append(_described(one))
    if one.whiten:
      frames = [
        c.arrays[one.stream][c.found if one.of == FACE else slice(None)]
        for c in clips.values()
      ]
      whiteners[one.name] = whitening.fit(frames, one.whiten)
  if 'audio' in settings.streams:
    frames = [columns.arrays['audio'] for columns in clips.values()]
    audio = whitening.fit(frames, settings.audio_width)
  if 'shape' in settings.streams:
    frames = [c.arrays['shape'][c.found] for c in clips.values()]
    shape = whitening.fit(frames, settings.shape_width)
  if 'appearance' in settings.streams:
    face_network = extractors.network(settings)
    network = face_network.fingerprint
    about.append(face_network.description)
    appearance, line = _fit_appearance(
      rows, clips, settings, face_network, faces
    )
    about.append(line)
  return extractors.Extractor(
    settings=settings,
    corpus=fingerprint(rows, {k: measured[k].sha256 for k in chosen}),
    network=network,
    about=tuple(about),
    audio=audio,
    shape=shape,
    appearance=appearance,
    whiteners=whiteners,
  )


def _described(one: OnnxStream) -> str:
  """Returns a line about an ONNX stream."""
  what = f'{one.whiten} whitened values' if one.whiten else 'the values'
  name = pathlib.PurePath(one.file).name
  return f'{one.stream}: {what} of the model {name}, SHA-256 {one.sha256}'


def _fit_appearance(
  rows: Rows,
  clips: Mapping[int, Columns],
  settings: FeaturesConfig,
  face_network: 'alexnet.FaceNetwork | dlib_faces.DlibFaces',
  faces: str,
) -> tuple[extractors.Kept, str]:
  """Returns the selected values of pool5, and a line about the selection."""
  total = sum(int(columns.found.sum()) for columns in clips.values())
  step = max(1, -(-total // FRAMES))
  pool5, labels = [], []
  for k, columns in clips.items():
    rows_of = columns.arrays[settings.appearance_column]
    frames = rows_of[columns.found][::step]
    pool5.append(frames)
    labels += [rows[k]['label']] * len(frames)
  training = np.concatenate(pool5)
  if not len(training):
    raise DataError(
      'no face was found in the clips to fit on; leave appearance and shape'
      ' out of --streams'
    )
  if settings.appearance == 'dlib':
    examples = training[:0]
    line = 'all 128 numbers are kept; no random forest selects'
  elif faces:
    assert not isinstance(face_network, dlib_faces.DlibFaces)
    from avjax.features import random_forest

    images, labels = random_forest.read_images(afew.faces(faces))
    examples = face_network.pool5(images)
    line = f'random forest on {len(images)} faces of {faces}'
  else:
    examples = training
    line = f'random forest on {len(examples)} frames of those clips'
  kept = extractors.fit_appearance(training, examples, labels, settings)
  return kept, line
