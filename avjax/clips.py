"""The types of clips: raw, as feature streams, and as a padded batch."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from flax import struct

from avjax.shapes import Array, Float, Int

EMOTIONS = ('angry', 'disgust', 'fear', 'happy', 'neutral', 'sad', 'surprise')
"""The paper's seven emotions, in the order of its Figure 5."""

AUDIO = 'audio'
"""The sound, with a frame rate of its own. In a store there may be others, such
as 'audio.wav2vec2'; all other streams are visual. See `is_sound`."""


SOUND = 'sound'
"""The audio as the only stream of a network, which then needs no alignment."""


def is_sound(stream: str) -> bool:
  """Returns whether a stream has a frame rate of its own."""
  return stream == AUDIO or stream.startswith(f'{AUDIO}.')


def centre(frame, video_frames: int, audio_frames: int):
  """Returns p_t, the audio frame at the centre of a video frame (Section 2.1).

  For the host, with Python's or NumPy's integers; `models.alignment` computes
  the same with 32 bits.

  Args:
    frame: index t of the video frame, or an array of indices.
    video_frames: number of video frames T.
    audio_frames: number of audio frames Ta.
  """
  return (2 * frame + 1) * audio_frames // (2 * video_frames)


FRAME_RATE = 25
"""Video frames per second, of every clip (Section 3)."""

SAMPLE_RATE = 16000
"""Audio samples per second (Section 3.3); 640 per video frame."""


class Note(NamedTuple):
  """A remark on a clip for the user.

  Attributes:
    kind: of the file: 'partial', 'damaged', 'joined', 'order' (of its time
      stamps), 'tracks', 'no picture', 'no sound', 'silent', 'sound', 'hole',
      'overlap', 'picture', 'held' (the last picture), 'hdr'. Of what was found
      in it: 'face' (in most frames), 'no face' (in most or all), 'short',
      'still', 'faces', 'standardised', 'enrolled' or 'features'.
    text: such as 'partial: 1.2 of 2.4 s decoded'.
  """

  kind: str
  text: str


@dataclasses.dataclass(frozen=True)
class RawClip:
  """One decoded clip: video, audio and landmarks from a file on one time line.

  It starts at 0.

  Attributes:
    name: identity within the corpus.
    frames: (T, height, width, 3) uint8 RGB, 25 per second; None if the file
      has no video.
    waveform: (n,) float64 in [-1, 1], mono at 16 kHz, n = 640 T; zero where
      the file has no audio.
    audible: (n,) bool, whether the file has audio at each sample.
    length: number of video frames T; without video, from the audio and the
      landmarks.
    notes: remarks for the user.
    points: (T, 49, 2) landmarks from a file, in pixels; None if there is none.
    found: (T,) bool, whether the file has a face in the frame; or None.
  """

  name: str
  frames: np.ndarray | None
  waveform: np.ndarray
  audible: np.ndarray
  length: int
  notes: tuple[Note, ...] = ()
  points: np.ndarray | None = None
  found: np.ndarray | None = None


class UnreadStreams(Mapping[str, np.ndarray]):
  """Streams that are read whenever one is asked for, and are not kept.

  Args:
    shapes: stream name -> (frames, width).
    read: returns the stream of a name.
  """

  __slots__ = ('_read', 'shapes')

  def __init__(
    self,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], np.ndarray],
  ):
    self.shapes = shapes
    self._read = read

  def __getitem__(self, name: str) -> np.ndarray:
    if name not in self.shapes:
      raise KeyError(name)
    return self._read(name)

  def __contains__(self, name: object) -> bool:
    return name in self.shapes

  def __iter__(self) -> Iterator[str]:
    return iter(self.shapes)

  def __len__(self) -> int:
    return len(self.shapes)


@dataclasses.dataclass(frozen=True)
class Clip:
  """One clip: its feature streams and metadata.

  Attributes:
    name: identity within the corpus.
    streams: stream name -> (frames, width) float32. 'audio' has its own
      length, as has each stream 'audio.NAME'; all other streams are visual and
      have the same length. Those of a store that is larger than memory are
      `UnreadStreams`.
    label: name of the emotion, or None if unknown.
    speaker: name of the speaker, or '' if unknown.
    split: the corpus's own split ('training', 'validation', 'test'), or ''.
    truth: ground truth of a synthetic clip: 'salient' (2,) int, [start, stop)
      in video frames of the segment that determines the label; 'events' (E, 2)
      int, (video frame, audio frame) of each event. Empty for real clips.
    corpus: name of the corpus, such as 'ravdess', or ''.
    take: identity of the recording within the corpus, if several files may have
      the same recording; otherwise ''.
    source: SHA-256 of the file that the streams come from, or ''.
    targets: target -> emotion, such as {'acted': 'happy', 'voice': 'sad'}; the
      first is the label.
    attributes: further columns of the clips' table, such as {'gender':
      'female'}. Nothing is trained on them.
  """

  name: str
  streams: Mapping[str, np.ndarray]
  label: str | None = None
  speaker: str = ''
  split: str = ''
  truth: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  corpus: str = ''
  take: str = ''
  source: str = ''
  targets: Mapping[str, str] = dataclasses.field(default_factory=dict)
  attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)

  @property
  def unread(self) -> bool:
    """Whether the streams are read whenever one is asked for."""
    return isinstance(self.streams, UnreadStreams)

  @property
  def shapes(self) -> Mapping[str, tuple[int, ...]]:
    """Stream name -> (frames, width); nothing is read for it."""
    if isinstance(self.streams, UnreadStreams):
      return self.streams.shapes
    return {name: array.shape for name, array in self.streams.items()}

  @property
  def audio_length(self) -> int:
    """Number of audio frames Ta; 0 without an audio stream."""
    return self.shapes[AUDIO][0] if AUDIO in self.streams else 0

  @property
  def visual_length(self) -> int:
    """Number of video frames T; 0 without a visual stream."""
    return next((v[0] for k, v in self.shapes.items() if not is_sound(k)), 0)

  def changed(self, change: Callable[[str, np.ndarray], np.ndarray]) -> 'Clip':
    """Returns the clip with other streams of the same names and shapes.

    Args:
      change: returns the stream of a name, given that of this clip. Where the
        streams are unread, it is called whenever one is asked for.
    """
    own = self.streams
    streams: Mapping[str, np.ndarray] = (
      UnreadStreams(own.shapes, lambda name: change(name, own[name]))
      if isinstance(own, UnreadStreams)
      else {name: change(name, array) for name, array in own.items()}
    )
    return dataclasses.replace(self, streams=streams)


Splits = Mapping[str, Sequence[Clip]]
"""Split ('training', 'validation', 'test') -> its clips."""


@struct.dataclass
class Batch:
  """Clips padded to common lengths; a padding row has length 0.

  Under pmap there is a leading axis over the devices.

  Attributes:
    audio: (B, Ta, D), or None for a model without an audio stream.
    visual: stream name -> (B, T, D); widths may differ between streams.
    audio_length: (B,) audio frames of each clip.
    visual_length: (B,) video frames of each clip; 0 for padding rows.
    label: (B,) index into the run's list of emotions, or None.
    speaker: (B,) index into the run's list of speakers, -1 if unknown; or None.
    zero_padded: whether the streams are known to be zero on padding, so that
      the network need not mask them.
  """

  audio: Float[Array, '*devices B Ta D'] | None
  visual: Mapping[str, Float[Array, '*devices B T _']]
  audio_length: Int[Array, '*devices B']
  visual_length: Int[Array, '*devices B']
  label: Int[Array, '*devices B'] | None = None
  speaker: Int[Array, '*devices B'] | None = None
  zero_padded: bool = struct.field(pytree_node=False, default=False)
