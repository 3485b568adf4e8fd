"""A clip's file -> what can be measured of it before anything is fitted.

  audio   (Ta, 901)  YAAFE's features                          Section 3.3
  shape   (T, 98)    49 landmarks, normalised                  Section 3.1
  pool5   (T, 9216)  of an AlexNet that sees the aligned face  Section 3.2
  found   (T,)       whether a face was found in the frame

A frame without a face stays in its place and has zeros; a clip without sound
or without a face is measured all the same, and its notes say so.
"""

import dataclasses
import os
import time
from collections.abc import Mapping

import numpy as np

from avjax.clips import Note, RawClip
from avjax.errors import DataError
from avjax.features import audio, crops, landmark_files, landmarks, media
from avjax.settings import FeaturesConfig
from avjax.shapes import Bool, Float

POINTS = 49  # landmarks; each is two columns


@dataclasses.dataclass(frozen=True)
class Columns:
  """What was measured of one clip.

  Attributes:
    arrays: 'audio' (Ta, D), 'shape' (T, 98) and 'pool5' (T, 9216) float32,
      those of them that were asked for.
    found: (T,) where a face was found.
    notes: what a user should know: a partial file, no sound, no face.
    seconds: stage -> seconds that it took.
  """

  arrays: Mapping[str, Float[np.ndarray, '_ _']]
  found: Bool[np.ndarray, ' T']
  notes: tuple[Note, ...]
  seconds: Mapping[str, float]


class Measure:
  """Measures clips, with one decoder, one detector and one network for all.

  Args:
    settings: which streams, and how.
    network: the AlexNet, which only the appearance needs.
  """

  def __init__(self, settings: FeaturesConfig, network=None):
    self._settings = settings
    audio.width(settings.preset)  # refuses one that is not there
    self._decoder = media.Decoder()
    self._detector = None
    self._network = network
    self._sees = bool({'shape', 'appearance'} & set(settings.streams))
    if self._sees and not settings.landmarks:
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
    """Returns what is measured of a decoded clip.

    Args:
      raw: the clip.
      folder: that a path in `settings.landmarks` begins from.

    Raises:
      DataError: the clip has no frame, or its file of landmarks is damaged.
    """
    if not raw.length:
      raise DataError('holds neither a picture nor a sound of any length')
    arrays, seconds, notes = {}, {}, list(raw.notes)
    found = np.zeros(raw.length, bool)
    if 'audio' in self._settings.streams:
      start = time.perf_counter()
      heard = audio.columns(raw.waveform, self._settings.preset)
      arrays['audio'] = heard.astype(np.float32)
      seconds['audio'] = time.perf_counter() - start
      if raw.audible.any() and not np.ptp(raw.waveform):
        notes.append(Note('silent', 'the sound is silent throughout'))
    if self._sees:
      start = time.perf_counter()
      points, found = self._landmarks(raw, folder)
      if 'shape' in self._settings.streams:
        arrays['shape'] = landmarks.normalise(points, found)
      seconds['landmarks'] = time.perf_counter() - start
      if raw.frames is not None and not found.all():
        seen = f'in {found.sum()} of {len(found)} frames'
        text = f'a face {seen}' if found.any() else 'no face'
        notes.append(Note('face', text))
      if 'appearance' in self._settings.streams:
        start = time.perf_counter()
        arrays['pool5'] = self._pool5(raw, points, found)
        seconds['appearance'] = time.perf_counter() - start
    return Columns(arrays, found, tuple(notes), seconds)

  def _landmarks(self, raw: RawClip, folder: str | os.PathLike):
    """Returns points (T, 49, 2) and where a face was found (T,)."""
    if self._detector is None:
      path = self._settings.landmarks.replace(
        '{clip}', os.path.splitext(raw.name)[0]
      )
      return landmark_files.read_points(os.path.join(folder, path), raw.length)
    if raw.frames is None:
      return np.zeros((raw.length, POINTS, 2)), np.zeros(raw.length, bool)
    return self._detector(raw.frames)

  def _pool5(self, raw: RawClip, points, found) -> Float[np.ndarray, 'T _']:
    """Returns pool5 of every frame with a face, zeros for the others."""
    from avjax.features import alexnet

    pool5 = np.zeros((raw.length, alexnet.POOL5), np.float32)
    if raw.frames is not None and found.any():
      faces = crops.aligned(raw.frames[found], points[found], found[found])
      pool5[found] = self._network.pool5(faces)
    return pool5
