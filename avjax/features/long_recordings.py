"""A recording of any length -> its features, measured piece by piece (ours).

The pictures and the sound are decoded in pieces of two seconds and forgotten.
What is kept: landmarks and whether there is a face, for every frame; the
whitened audio columns; how much is to be heard; and some small pictures.

  landmarks   of every frame by the detector that follows a face from piece to
              piece; or of every k-th, and in between by linear interpolation
              where both neighbours have a face
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
from avjax.features import landmarks
from avjax.features.audio.framing import SHORT
from avjax.features.audio.streamed_columns import StreamedColumns
from avjax.features.extractor import Extractor
from avjax.features.kept_landmarks import KeptLandmarks
from avjax.features.media import Decoder, RecordingPiece
from avjax.features.small_pictures import SmallPictures
from avjax.settings import FeaturesConfig
from avjax.shapes import Bool, Float

_MINUTE = 60 * FRAME_RATE
_ROOM = 48 * 2**20  # bytes of frames that are kept to be tracked backwards
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
    points: (T, 49, 2) landmarks in pixels; zeros without a face.
    found: (T,) whether there is a face.
    looked: whether faces were looked for.
    audible: (T,) share of each frame in which the file has sound.
    level: (T,) largest size of a sample, 0 to 1.
    numbers: of the frames with a small picture.
    pictures: (K, height, width, 3) uint8 RGB; empty without video.
    notes: remarks for the user.
  """

  path: str
  length: int
  every: int
  audio: Float[np.ndarray, 'Ta K'] | None
  points: Float[np.ndarray, 'T 49 2']
  found: Bool[np.ndarray, ' T']
  looked: bool
  audible: Float[np.ndarray, ' T']
  level: Float[np.ndarray, ' T']
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
  ) -> Recorded:
    """Returns what is kept of a recording.

    Args:
      path: of its file.
      every: every how many frames are searched for a face.
      work: folder where the landmarks are kept minute by minute, so that this
        resumes after an interruption; None keeps none.
      progress: called after every piece.

    Raises:
      DataError: the file cannot be decoded, or the folder is for another one.
    """
    faces = _Faces(self._detector, every)
    if work is not None and self._detector is not None:
      faces.resume(KeptLandmarks(work, path, every))
    sound = _Sound(self._fitted)
    pictures, length = SmallPictures(), 0
    for piece in self._decoder.pieces(path, every):
      faces.add(piece, length)
      sound.add(piece)
      if piece.images is not None:
        for k, image in zip(piece.shown, piece.images, strict=True):
          pictures.add((length + k) // every, length + k, image)
      length += piece.frames
      notes = piece.notes
      if progress is not None:
        progress(length / FRAME_RATE)
    if not length:
      raise DataError(f'{path} has neither video nor audio of any length')
    points, found = faces.finish(length)
    looked = self._detector is not None and len(pictures.numbers) > 0
    audio, audible, level = sound.finish(length)
    if every > 1 and looked:
      text = (
        f'faces were looked for in every {_nth(every)} frame; landmarks between'
        ' two of these are interpolated'
      )
      notes += (Note('face', text),)
    return Recorded(
      os.fspath(path), length, every, audio, points, found, looked,
      audible, level, pictures.numbers, pictures.images, notes,
    )  # fmt: skip


def refusal(settings: FeaturesConfig) -> str:
  """Returns why long recordings are not measured so, or ''."""
  if 'appearance' in settings.streams:
    return (
      'a long recording is measured without the appearance, of which there'
      ' would be too much; take a model of audio and shape, or cut the'
      ' recording into clips'
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


class _Faces:
  """The landmarks of a recording, minute by minute."""

  def __init__(self, detector: landmarks.Detector | None, every: int):
    self._every = every
    self._follower: landmarks.Follower | None = None
    self._detector = detector
    if detector is not None:
      self._follower = landmarks.Follower(detector, _ROOM)
    self._points: list[np.ndarray] = []
    self._found: list[np.ndarray] = []
    self._searched: list[np.ndarray] = []
    self._kept: KeptLandmarks | None = None
    self._known = 0  # frames whose faces are known from before
    self._new: list[tuple[int, np.ndarray]] = []

  def resume(self, kept: KeptLandmarks) -> None:
    """Takes what is kept of an earlier measurement."""
    assert self._follower is not None
    for minute in kept.read():
      self._put(minute.rows)
      self._follower.latest = minute.latest
      self._follower.next_search = minute.next_search
      self._known = minute.end
    self._kept = kept

  def _put(self, rows: list[tuple[int, np.ndarray]]) -> None:
    for number, fitted in rows:
      minute, second = divmod(number, _MINUTE)
      self._room(minute)
      self._points[minute][second] = fitted
      self._found[minute][second] = True

  def _room(self, minute: int) -> None:
    while len(self._points) <= minute:
      self._points.append(np.zeros((_MINUTE, len(landmarks.INNER), 2)))
      self._found.append(np.zeros(_MINUTE, bool))
      self._searched.append(np.zeros(_MINUTE, bool))

  def add(self, piece: RecordingPiece, first: int) -> None:
    """Adds a piece whose first frame has a number."""
    if self._follower is None or self._detector is None:
      return
    if piece.images is None:
      return
    for k, image in zip(piece.shown, piece.images, strict=True):
      self._see(first + k, self._detector.grey(image))
    end = first + piece.frames
    if self._kept is not None and end >= self._known + _MINUTE:
      self._kept.write(self._new, end, self._follower)
      self._new, self._known = [], end

  def _see(self, number: int, grey: np.ndarray) -> None:
    """Looks for the face in a frame, unless it is known from before."""
    assert self._follower is not None
    minute, second = divmod(number, _MINUTE)
    self._room(minute)
    self._searched[minute][second] = True
    if number < self._known:
      found = self._found[minute][second]
      self._follower.pass_by(number, None if found else grey)
      return
    rows = self._follower.add(number, grey)
    self._put(rows)
    if self._kept is not None:
      self._new += rows

  def finish(self, length: int):
    """Returns points (T, 49, 2) and whether there is a face (T,)."""
    self._room(max(length - 1, 0) // _MINUTE)
    found = np.concatenate(self._found)[:length]
    searched = np.concatenate(self._searched)[:length]
    points = np.zeros((length, len(landmarks.INNER), 2))
    for first in range(0, length, _MINUTE):  # no copy of all at once
      rows = points[first : first + _MINUTE]
      rows[:] = self._points[first // _MINUTE][: len(rows)]
      self._points[first // _MINUTE] = rows
    if self._every > 1 and searched.any():
      found = interpolate(points, found, searched, self._every)
    return points, found


def interpolate(
  points: Float[np.ndarray, 'T 49 2'],
  found: Bool[np.ndarray, ' T'],
  searched: Bool[np.ndarray, ' T'],
  every: int,
) -> Bool[np.ndarray, ' T']:
  """Fills in the landmarks between frames that were searched, linearly.

  A frame in between has a face where both neighbours have one; those after the
  last one are like it.

  Args:
    points: landmarks, which are changed.
    found: whether there is a face in the frames that were searched.
    searched: which frames were searched, the first one of all at least.
    every: the largest distance of two of them to interpolate between.

  Returns:
    (T,) whether there is a face.
  """
  numbers, frame = np.flatnonzero(searched), np.arange(len(points))
  row = np.searchsorted(numbers, frame, side='right') - 1
  before = numbers[np.maximum(row, 0)]
  after = numbers[np.minimum(row + 1, len(numbers) - 1)]
  after = np.where(searched | (after < before), before, after)
  near = (row >= 0) & (after - before <= every) & (frame - before < every)
  both = near & found[before] & found[after]
  for t in np.flatnonzero(both & ~searched):
    share = (t - before[t]) / max(after[t] - before[t], 1)
    share *= after[t] > before[t]
    step = points[after[t]] - points[before[t]]
    points[t] = points[before[t]] + share * step
  return both


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
  recorded: Recorded, fitted: Extractor, start: int, stop: int
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
  """
  streams = {}
  if recorded.audio is not None:
    rows = -(-(stop - start) * _SAMPLES // SHORT.step)
    first = round(start * _SAMPLES / SHORT.step)
    first = max(min(first, len(recorded.audio) - rows), 0)
    streams['audio'] = recorded.audio[first : first + rows]
  if fitted.shape is not None:
    found = recorded.found[start:stop]
    shape = landmarks.normalise(recorded.points[start:stop], found)
    white = np.where(found[:, None], fitted.shape(shape), 0)
    streams['shape'] = white.astype(np.float32)
    streams['face'] = found[:, None].astype(np.float32)
  return streams
