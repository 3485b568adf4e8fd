"""A clip's file -> raw features, before any fitted transform.

  audio   (Ta, 901)  Yaafe's features                          Section 3.3
  shape   (T, 98)    49 landmarks, normalised                  Section 3.1
  pool5   (T, 9216)  AlexNet's pool5 of the aligned face       Section 3.2
  dlib    (T, 128)   or dlib's numbers of it instead           ours
  found   (T,)       whether a face was found in the frame
  NAME    (T, D)     of an ONNX model, or audio.NAME (Tn, D)   ours

Frames without a face are kept, with zeros. A clip without sound or without a
face is measured too, and gets a note.
"""

import dataclasses
import os
import time
from collections.abc import Mapping

import numpy as np

from avjax.clips import Note, RawClip
from avjax.errors import DataError
from avjax.features import (
  audio,
  cautions,
  face_choice,
  landmark_source,
  landmark_track,
  landmarks,
  media,
  onnx_model,
)
from avjax.features.onnx_faces import FaceColumns
from avjax.features.onnx_sound import SoundColumns
from avjax.onnx_stream import SOUND
from avjax.settings import FeaturesConfig
from avjax.shapes import Bool, Float

POINTS = 49  # landmarks; two columns each
_SILENT = 1e-4  # range of a waveform; three steps of 16-bit samples


@dataclasses.dataclass(frozen=True)
class Columns:
  """The raw features of one clip.

  Attributes:
    arrays: float32 'audio' (Ta, D), 'shape' (T, 98), 'pool5' (T, 9216) and
      those of ONNX models, as far as the settings name them.
    found: (T,) whether a face was found in the frame.
    notes: remarks for the user: a partial file, no sound, no face.
    seconds: stage -> seconds that it took.
  """

  arrays: Mapping[str, Float[np.ndarray, '_ _']]
  found: Bool[np.ndarray, ' T']
  notes: tuple[Note, ...]
  seconds: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Examined:
  """What `Measure.examine` has of a clip; its frames are needed no more.

  Attributes:
    columns: the raw features without the appearance.
    faces: (n, side, side, 3) uint8 aligned faces of the frames with a face;
      None if the settings do not name the appearance.
  """

  columns: Columns
  faces: np.ndarray | None


class Measure:
  """Computes the raw features of clips; decoder and models are loaded once.

  Args:
    settings: the streams and how to compute them.
    network: the `alexnet.FaceNetwork` or `dlib_faces.DlibFaces`; only the
      appearance needs it.
    carried: name of an ONNX stream -> content of its model, for models that are
      not read from their files.

  Attributes:
    landmarks: the landmark files; None if faces are detected, or not wanted.
  """

  def __init__(
    self,
    settings: FeaturesConfig,
    network=None,
    carried: Mapping[str, bytes] | None = None,
  ):
    self._settings = settings
    audio.width(settings.preset)  # raises ConfigError for an unknown preset
    self._decoder = media.Decoder()
    self._detector = None
    self._network = network
    self._visual = settings.seen
    self._sounds, self._faces_seen = _of_models(settings, carried or {})
    self.landmarks = landmark_source.source(settings)
    if self._visual and self.landmarks is None:
      self._detector = landmarks.Detector()

  def __enter__(self):
    self._decoder.__enter__()
    return self

  def __exit__(self, *error):
    self._decoder.__exit__(*error)

  def decode(
    self, path: str | os.PathLike, name: str, folder: str | os.PathLike = ''
  ) -> RawClip:
    """Returns the decoded clip, with its landmarks if they are from a file.

    Args:
      path: of its file.
      name: of the clip.
      folder: base of a relative path in `settings.landmarks`.

    Raises:
      DataError: the clip cannot be decoded, or has no usable landmarks.
    """
    raw = dataclasses.replace(self._decoder(path), name=name)
    if self.landmarks is None:
      return raw
    rows = self.landmarks.rows(name, folder)
    return landmark_track.place(raw, rows, self._settings.rate)

  def persons(
    self, raw: RawClip, face: str
  ) -> tuple[tuple[RawClip, face_choice.ChosenFace | None], ...]:
    """Returns the clip once for each person to measure, and who that is.

    Args:
      raw: a decoded clip.
      face: one of `face_choice.CHOICES`; 'largest' returns the clip as it is,
        with None.

    Raises:
      ConfigError: the clips have no faces to choose from.
    """
    face_choice.check(face)
    if self._detector is None:
      why = 'are from a file' if self._visual else 'are not among the features'
      face_choice.refuse(face, why)
    if self._detector is None or face == face_choice.LARGEST:
      return ((raw, None),)
    return face_choice.persons(raw, face, self._detector)

  def __call__(self, raw: RawClip) -> Columns:
    """Returns the raw features of a decoded clip; see `examine`."""
    return self.finish(self.examine(raw))

  def examine(self, raw: RawClip, cautious: bool = False) -> Examined:
    """Returns the raw features of a decoded clip but the appearance.

    Args:
      raw: the clip.
      cautious: whether to add the notes of `cautions`.

    Raises:
      DataError: the clip has no frame, or a face but no picture of it.
    """
    if not raw.length:
      raise DataError('it has neither video nor audio of any length')
    arrays, seconds, notes = {}, {}, list(raw.notes)
    points = np.zeros((raw.length, POINTS, 2))
    found = np.zeros(raw.length, bool)
    if 'audio' in self._settings.streams:
      start = time.perf_counter()
      features = audio.columns(raw.waveform, self._settings.preset)
      arrays['audio'] = features.astype(np.float32)
      seconds['audio'] = time.perf_counter() - start
    for name, sound in self._sounds.items():
      start = time.perf_counter()
      arrays[name] = sound(raw.waveform)
      seconds[name] = time.perf_counter() - start
    heard = self._sounds or 'audio' in self._settings.streams
    if heard and raw.audible.any() and np.ptp(raw.waveform) < _SILENT:
      notes.append(Note('silent', 'the audio is silent throughout'))
    if self._visual:
      start = time.perf_counter()
      points, found = self._landmarks(raw)
      if 'shape' in self._settings.streams:
        arrays['shape'] = landmarks.normalise(points, found)
      seconds['landmarks'] = time.perf_counter() - start
      looked = raw.frames is not None or raw.found is not None
      if looked and not found.all():
        notes.append(_face_note(found))
    for name, columns in self._faces_seen.items():
      start = time.perf_counter()
      arrays[name] = np.zeros((raw.length, columns.width), np.float32)
      if found.any():
        pictures = self._pictures(raw, name)
        arrays[name][found] = columns(pictures, points, np.flatnonzero(found))
      seconds[name] = time.perf_counter() - start
    faces = None
    if 'appearance' in self._settings.streams:
      start = time.perf_counter()
      faces = self._faces(raw, points, found)
      seconds['appearance'] = time.perf_counter() - start
    if cautious:
      # A face that was chosen already is not searched for again.
      detector = self._detector if raw.points is None else None
      notes += cautions.cautions(raw, points, found, detector)
    return Examined(Columns(arrays, found, tuple(notes), seconds), faces)

  def finish(self, examined: Examined) -> Columns:
    """Returns the raw features of a clip, with the appearance if wanted."""
    columns, faces = examined.columns, examined.faces
    if faces is None:
      return columns
    start = time.perf_counter()
    values = self._network.values(faces)
    rows = np.zeros((len(columns.found), values.shape[1]), np.float32)
    rows[columns.found] = values
    stage = 'appearance'
    taken = columns.seconds[stage] + time.perf_counter() - start
    return dataclasses.replace(
      columns,
      arrays={**columns.arrays, self._settings.appearance_column: rows},
      seconds={**columns.seconds, stage: taken},
    )

  def _landmarks(self, raw: RawClip):
    """Returns points (T, 49, 2) and whether a face was found (T,)."""
    if raw.points is not None:
      return raw.points, raw.found
    if raw.frames is None or self._detector is None:
      return np.zeros((raw.length, POINTS, 2)), np.zeros(raw.length, bool)
    return self._detector(raw.frames)

  def _faces(self, raw: RawClip, points, found) -> np.ndarray:
    """Returns the aligned face of each frame that has one."""
    pictures = np.zeros((0, 1, 1, 3), np.uint8)
    if found.any():
      pictures = self._pictures(raw, 'appearance')
    return self._network.crops(pictures, points, np.flatnonzero(found))

  def _pictures(self, raw: RawClip, stream: str) -> np.ndarray:
    """Returns the frames of a clip with a face."""
    if raw.frames is None:
      raise DataError(
        f'it has landmarks but no picture to measure the {stream} in; leave'
        f' {stream} out of the streams'
      )
    return raw.frames


def _of_models(
  settings: FeaturesConfig, carried: Mapping[str, bytes]
) -> tuple[dict[str, SoundColumns], dict[str, FaceColumns]]:
  """Returns stream -> what computes it, of the sound and of the face."""
  sounds: dict[str, SoundColumns] = {}
  faces: dict[str, FaceColumns] = {}
  for one in settings.onnx:
    model = onnx_model.loaded(one, carried)
    made: SoundColumns | FaceColumns
    if one.of == SOUND:
      made = sounds[one.stream] = SoundColumns(one, model)
    else:
      made = faces[one.stream] = FaceColumns(one, model)
    if one.whiten > made.width:
      raise one.fault('whiten', f'at most {made.width}, its number of values')
  return sounds, faces


def _face_note(found: Bool[np.ndarray, ' T']) -> Note:
  """Returns in how many frames there is a face, if not in all."""
  if not found.any():
    return Note('no face', 'no face in any frame')
  count = f'{found.sum()} of {len(found)} frames'
  if found.mean() < 0.5:
    return Note('no face', f'a face in only {count}')
  return Note('face', f'a face in {count}')
