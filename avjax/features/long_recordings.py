"""A recording of any length -> its features, measured piece by piece (ours).

The pictures and the sound are decoded in pieces of two seconds and forgotten.
What is kept: landmarks and whether there is a face, for every frame; the
whitened audio columns; how much is to be heard; and some small pictures.

  landmarks   of every frame by the detector that follows a face, or all faces,
              from piece to piece; or of every k-th, and in between by linear
              interpolation where both neighbours have a face
  audio       as for a clip, up to rounding
  shape       normalised over each window, as over a clip of that length
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import numpy as np

from avjax.clips import FRAME_RATE, SAMPLE_RATE, Note
from avjax.errors import ConfigError, DataError
from avjax.features import face_choice, landmarks
from avjax.features.audio.framing import SHORT
from avjax.features.audio.streamed_columns import StreamedColumns
from avjax.features.every_face import EveryFace
from avjax.features.extractor import Extractor
from avjax.features.kept_landmarks import KeptLandmarks
from avjax.features.media import Decoder, RecordingPiece
from avjax.features.recorded_faces import LargestFace, RecordedFace
from avjax.features.small_pictures import SmallPictures
from avjax.settings import FeaturesConfig
from avjax.shapes import Float

_SAMPLES = SAMPLE_RATE // FRAME_RATE  # of a video frame

Progress = Callable[[float], None]
"""Called with the seconds of the recording that are measured."""


@dataclasses.dataclass(frozen=True)
class Recorded:
  """What is kept of a recording.

  Attributes:
    path: of its file.
    length: number of video frames T, at 25 per second.
    every: every how many frames were searched for a face.
    audio: (Ta, K) whitened columns, float32; None without that stream.
    faces: the largest face, in all frames; or every face that lasts.
    brief: number of faces left out that were seen for under half a second.
    short: number of further ones that were seen for less than a window.
    looked: whether faces were looked for.
    audible: (T,) share of each frame in which the file has sound.
    level: (T,) largest size of a sample, 0 to 1.
    size: width and height of the pictures; (0, 0) without video.
    numbers: of the frames with a small picture.
    pictures: (K, height, width, 3) uint8 RGB; empty without video.
    notes: remarks for the user.
  """

  path: str
  length: int
  every: int
  audio: Float[np.ndarray, 'Ta K'] | None
  faces: tuple[RecordedFace, ...]
  brief: int
  short: int
  looked: bool
  audible: Float[np.ndarray, ' T']
  level: Float[np.ndarray, ' T']
  size: tuple[int, int]
  numbers: list[int]
  pictures: np.ndarray
  notes: tuple[Note, ...]


class RecordingMeasure:
  """Measures recordings; the decoder and the detector are loaded once.

  A context manager.

  Args:
    fitted: the extractor.

  Raises:
    ConfigError: see `refusal`.
  """

  def __init__(self, fitted: Extractor):
    if text := refusal(fitted.settings):
      raise ConfigError(text)
    self._fitted = fitted
    self._decoder = Decoder()
    self._detector = None
    if 'shape' in fitted.settings.streams:
      self._detector = landmarks.Detector()

  def __enter__(self) -> 'RecordingMeasure':
    return self

  def __exit__(self, *error: object) -> None:
    self._decoder.__exit__(*error)

  def __call__(
    self,
    path: str | os.PathLike,
    every: int = 1,
    work: pathlib.Path | None = None,
    progress: Progress | None = None,
    face: str = face_choice.LARGEST,
    least: int = 0,
  ) -> Recorded:
    """Returns what is kept of a recording.

    Args:
      path: of its file.
      every: every how many frames are searched for a face.
      work: folder where the landmarks are kept minute by minute, so that this
        resumes after an interruption; None keeps none.
      progress: called after every piece.
      face: the largest face, or another of `face_choice.CHOICES` for all faces.
      least: frames for which another face than the largest must be there.

    Raises:
      ConfigError: there are no faces to choose from.
      DataError: the file cannot be decoded, or the folder is for another one.
    """
    faces = self._faces(face, every, least)
    if work is not None and faces is not None:
      kind = 'all' if isinstance(faces, EveryFace) else 'largest'
      faces.resume(KeptLandmarks(work, path, every, kind))
    sound = _Sound(self._fitted)
    pictures, length, size = SmallPictures(), 0, (0, 0)
    for piece in self._decoder.pieces(path, every):
      if faces is not None:
        faces.add(piece, length)
      sound.add(piece)
      if piece.images is not None:
        size = piece.images.shape[2], piece.images.shape[1]
        for k, image in zip(piece.shown, piece.images, strict=True):
          pictures.add((length + k) // every, length + k, image)
      length += piece.frames
      notes = piece.notes
      if progress is not None:
        progress(length / FRAME_RATE)
    if not length:
      raise DataError(f'{path} has neither video nor audio of any length')
    each = () if faces is None else faces.finish(length)
    looked = self._detector is not None and len(pictures.numbers) > 0
    audio, audible, level = sound.finish(length)
    if every > 1 and looked:
      text = (
        f'faces were looked for in every {_nth(every)} frame; landmarks between'
        ' two of these are interpolated'
      )
      notes += (Note('face', text),)
    brief = short = 0
    if isinstance(faces, EveryFace):
      brief, short = faces.brief, faces.short
    return Recorded(
      os.fspath(path), length, every, audio, each, brief, short, looked,
      audible, level, size, pictures.numbers, pictures.images, notes,
    )  # fmt: skip

  def _faces(
    self, face: str, every: int, least: int
  ) -> LargestFace | EveryFace | None:
    """Returns what collects the landmarks; None without a stream of them."""
    if self._detector is None:
      face_choice.refuse(face, 'are not among the features')
      return None
    if face == face_choice.LARGEST:
      return LargestFace(self._detector, every)
    return EveryFace(self._detector, every, least)


def refusal(settings: FeaturesConfig) -> str:
  """Returns why long recordings are not measured so, or ''."""
  if 'appearance' in settings.streams:
    return (
      'a long recording is measured without the appearance, of which there'
      ' would be too much; take a model of audio and shape, or cut the'
      ' recording into clips'
    )
  if settings.onnx:
    return (
      'a long recording is measured without streams of ONNX models'
      f' ({settings.onnx[0].stream}), which are computed of whole clips; take a'
      ' model of audio and shape, or cut the recording into clips'
    )
  if settings.landmarks and not settings.landmark_archive:
    return (
      f'the landmarks are from files ({settings.landmarks}), and those of a'
      ' long recording are detected; cut the recording into clips'
    )
  return ''


def _nth(number: int) -> str:
  names = {2: 'second', 3: 'third', 4: 'fourth', 5: 'fifth'}
  return names.get(number, f'{number}th')


class _Sound:
  """The sound of a recording: whitened columns, coverage and level."""

  def __init__(self, fitted: Extractor):
    self._whitener = fitted.audio
    self._columns = None
    if fitted.audio is not None:
      self._columns = StreamedColumns(fitted.settings.preset)
    self._rows: list[np.ndarray] = []
    self._left = np.zeros(0), np.zeros(0, bool)
    self._audible: list[np.ndarray] = []
    self._level: list[np.ndarray] = []

  def add(self, piece: RecordingPiece) -> None:
    if self._columns is not None and self._whitener is not None:
      made = self._columns.add(piece.waveform)
      self._rows += [self._whitener(_single(rows)) for rows in made]
    wave = np.concatenate([self._left[0], piece.waveform])
    audible = np.concatenate([self._left[1], piece.audible])
    whole = len(wave) // _SAMPLES * _SAMPLES
    frames = wave[:whole].reshape(-1, _SAMPLES)
    self._level.append(np.abs(frames).max(axis=1).astype(np.float32))
    covered = audible[:whole].reshape(-1, _SAMPLES)
    self._audible.append(covered.mean(axis=1, dtype=np.float32))
    self._left = wave[whole:], audible[whole:]

  def finish(self, length: int):
    """Returns columns (Ta, K) or None, coverage (T,) and level (T,)."""
    audio = None
    if self._columns is not None and self._whitener is not None:
      last = self._whitener(_single(self._columns.finish()))
      audio = np.concatenate([*self._rows, last])
    audible = np.concatenate(self._audible)[:length]
    return audio, audible, np.concatenate(self._level)[:length]


def _single(rows: np.ndarray) -> np.ndarray:
  return rows.astype(np.float32)  # as the columns of a clip are


def window(
  recorded: Recorded,
  fitted: Extractor,
  start: int,
  stop: int,
  face: RecordedFace | None = None,
) -> dict[str, np.ndarray]:
  """Returns the streams of a window, as `Extractor` gives those of a clip.

  The shape is normalised over the window. The audio columns are those of the
  whole recording: at the ends of a window they hear what is beyond, where those
  of a clip hear silence, and they begin up to 16 ms beside the frame.

  Args:
    recorded: the recording.
    fitted: the extractor.
    start: first frame, at 25 per second.
    stop: the frame after the last one.
    face: whose landmarks count; None: of nobody.
  """
  streams = {}
  if recorded.audio is not None:
    rows = -(-(stop - start) * _SAMPLES // SHORT.step)
    first = round(start * _SAMPLES / SHORT.step)
    first = max(min(first, len(recorded.audio) - rows), 0)
    streams['audio'] = recorded.audio[first : first + rows]
  if fitted.shape is not None:
    points = np.zeros((stop - start, len(landmarks.INNER), 2))
    found = np.zeros(stop - start, bool)
    if face is not None:
      points, found = face.part(start, stop)
    shape = landmarks.normalise(points, found)
    white = np.where(found[:, None], fitted.shape(shape), 0)
    streams['shape'] = white.astype(np.float32)
    streams['face'] = found[:, None].astype(np.float32)
  return streams
