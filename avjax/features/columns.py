"""A clip's file -> raw features, before any fitted transform.

  audio   (Ta, 901)  Yaafe's features                          Section 3.3
  shape   (T, 98)    49 landmarks, normalised                  Section 3.1
  pool5   (T, 9216)  AlexNet's pool5 of the aligned face       Section 3.2
  found   (T,)       whether a face was found in the frame

Frames without a face are kept, with zeros. A clip without sound or without a
face is measured too, and gets a note.
"""

import dataclasses
import os
import time
from collections.abc import Mapping

import numpy as np

from avjax.clips import Note, RawClip
from avjax.data import clip_files
from avjax.errors import DataError
from avjax.features import audio, crops, landmark_files, landmarks, media
from avjax.settings import FeaturesConfig
from avjax.shapes import Bool, Float

POINTS = 49  # landmarks; two columns each


@dataclasses.dataclass(frozen=True)
class Columns:
  """The raw features of one clip.

  Attributes:
    arrays: float32 'audio' (Ta, D), 'shape' (T, 98) and 'pool5' (T, 9216), as
      far as the settings name them.
    found: (T,) whether a face was found in the frame.
    notes: remarks for the user: a partial file, no sound, no face.
    seconds: stage -> seconds that it took.
  """

  arrays: Mapping[str, Float[np.ndarray, '_ _']]
  found: Bool[np.ndarray, ' T']
  notes: tuple[Note, ...]
  seconds: Mapping[str, float]


class Measure:
  """Computes the raw features of clips; decoder and models are loaded once.

  Args:
    settings: the streams and how to compute them.
    network: the `alexnet.FaceNetwork`; only the appearance needs it.
  """

  def __init__(self, settings: FeaturesConfig, network=None):
    self._settings = settings
    audio.width(settings.preset)  # raises ConfigError for an unknown preset
    self._decoder = media.Decoder()
    self._detector = None
    self._network = network
    self._visual = bool({'shape', 'appearance'} & set(settings.streams))
    if self._visual and not settings.landmarks:
      self._detector = landmarks.Detector()

  def __enter__(self):
    self._decoder.__enter__()
    return self

  def __exit__(self, *error):
    self._decoder.__exit__(*error)

  def decode(self, path: str | os.PathLike, name: str) -> RawClip:
    """Returns the decoded clip."""
    return dataclasses.replace(self._decoder(path), name=name)

  def __call__(self, raw: RawClip, folder: str | os.PathLike = '') -> Columns:
    """Returns the raw features of a decoded clip.

    Args:
      raw: the clip.
      folder: base of a relative path in `settings.landmarks`.

    Raises:
      DataError: the clip has no frame, or its file of landmarks is damaged.
    """
    if not raw.length:
      raise DataError('it has neither video nor audio of any length')
    arrays, seconds, notes = {}, {}, list(raw.notes)
    found = np.zeros(raw.length, bool)
    if 'audio' in self._settings.streams:
      start = time.perf_counter()
      features = audio.columns(raw.waveform, self._settings.preset)
      arrays['audio'] = features.astype(np.float32)
      seconds['audio'] = time.perf_counter() - start
      if raw.audible.any() and not np.ptp(raw.waveform):
        notes.append(Note('silent', 'the audio is silent throughout'))
    if self._visual:
      start = time.perf_counter()
      points, found = self._landmarks(raw, folder)
      if 'shape' in self._settings.streams:
        arrays['shape'] = landmarks.normalise(points, found)
      seconds['landmarks'] = time.perf_counter() - start
      if raw.frames is not None and not found.all():
        count = f'in {found.sum()} of {len(found)} frames'
        text = f'a face {count}' if found.any() else 'no face'
        notes.append(Note('face', text))
      if 'appearance' in self._settings.streams:
        start = time.perf_counter()
        arrays['pool5'] = self._pool5(raw, points, found)
        seconds['appearance'] = time.perf_counter() - start
    return Columns(arrays, found, tuple(notes), seconds)

  def _landmarks(self, raw: RawClip, folder: str | os.PathLike):
    """Returns points (T, 49, 2) and whether a face was found (T,)."""
    if self._detector is None:
      path = self._settings.landmarks.replace(
        '{clip}', os.path.splitext(raw.name)[0]
      )
      file = clip_files.ClipFiles(folder or '.').path(path)
      return landmark_files.read_points(file, raw.length)
    if raw.frames is None:
      return np.zeros((raw.length, POINTS, 2)), np.zeros(raw.length, bool)
    return self._detector(raw.frames)

  def _pool5(self, raw: RawClip, points, found) -> Float[np.ndarray, 'T _']:
    """Returns pool5 of each frame; zeros where there is no face."""
    from avjax.features import alexnet

    pool5 = np.zeros((raw.length, alexnet.POOL5), np.float32)
    if raw.frames is not None and found.any():
      faces = crops.aligned(raw.frames[found], points[found], found[found])
      pool5[found] = self._network.pool5(faces)
    return pool5
