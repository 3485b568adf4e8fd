"""A clip's features on the host, and a padded batch of them on the device."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from flax import struct

from avjax.shapes import Array, Float, Int

EMOTIONS = ('angry', 'disgust', 'fear', 'happy', 'neutral', 'sad', 'surprise')
"""The paper's seven emotions in the order of its Figure 5."""

AUDIO = 'audio'
"""The one stream with a clock of its own; every other stream is visual."""


SOUND = 'sound'
"""The audio as the only stream of a network, which so needs no alignment."""


def centre(frame, video_frames: int, audio_frames: int):
  """Returns p_t, the audio frame at a video frame's centre (Section 2.1).

  On the host, in Python's or NumPy's integers; `models.alignment` has the
  same for 32 bits.
  """
  return (2 * frame + 1) * audio_frames // (2 * video_frames)


FRAME_RATE = 25
"""Video frames a second, of every clip (Section 3)."""

SAMPLE_RATE = 16000
"""Audio samples a second (Section 3.3); 640 of them a video frame."""


class Note(NamedTuple):
  """What a user should know of a clip.

  Attributes:
    kind: 'partial', 'damaged', 'no picture', 'no sound', 'silent', 'face',
      'sound', 'features': what the note is about.
    text: for people, such as 'partial: 1.2 of 2.4 s decoded'.
  """

  kind: str
  text: str


@dataclasses.dataclass(frozen=True)
class RawClip:
  """One decoded clip: picture and sound on one time line, which begins at 0.

  Attributes:
    name: identity within the corpus.
    frames: (T, height, width, 3) uint8 RGB, 25 a second; None where the file
      has no picture.
    waveform: (n,) float64 in [-1, 1], mono at 16 kHz, n = 640 T; zero where
      the file has no sound at that time.
    audible: (n,) bool, where the file has sound; all False without any.
    length: video frames T; from the sound where there is no picture.
    notes: what a user should know.
  """

  name: str
  frames: np.ndarray | None
  waveform: np.ndarray
  audible: np.ndarray
  length: int
  notes: tuple[Note, ...] = ()


@dataclasses.dataclass(frozen=True)
class Clip:
  """One clip: its feature streams and what is known about it.

  Attributes:
    name: identity within the corpus.
    streams: stream name -> (frames, width) float32. 'audio' has its own
      length; all the others are visual and share one.
    label: emotion by name, or None where it is not known.
    speaker: who is seen and heard; '' where that is not known.
    split: the corpus's own split ('training', 'validation', 'test'), or ''.
    truth: what a synthetic corpus knows about the clip besides its label:
      'salient' (2,) int, first and past-the-last video frame of the segment
      that carries the label; 'events' (E, 2) int, rows of (video frame, audio
      frame) that belong together. Empty for real clips.
    corpus: the corpus it is of, such as 'ravdess', or ''.
    take: identity of the recording within the corpus, which several files may
      be of; '' where only the name tells.
    source: SHA-256 of the file that the streams come from, or ''.
    targets: what was asked -> the answer: {'acted': 'happy', 'voice': 'sad'};
      the first is the label.
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

  @property
  def audio_length(self) -> int:
    """Audio frames Ta; 0 without an audio stream."""
    return len(self.streams[AUDIO]) if AUDIO in self.streams else 0

  @property
  def visual_length(self) -> int:
    """Video frames T; 0 without a visual stream."""
    return next((len(v) for k, v in self.streams.items() if k != AUDIO), 0)


Splits = Mapping[str, Sequence[Clip]]
"""Split ('training', 'validation', 'test') -> its clips."""


@struct.dataclass
class Batch:
  """Clips padded to common lengths; a row of length 0 is filler.

  Under pmap a leading axis holds each device's part.

  Attributes:
    audio: (B, Ta, D), or None for a model without an audio stream.
    visual: stream name -> (B, T, D); widths may differ between streams.
    audio_length: (B,) true audio frames of each clip.
    visual_length: (B,) true video frames of each clip; 0 marks filler.
    label: (B,) index into the run's list of emotions, or None.
    zero_padded: the streams are known to be zero on padding, so that the
      network need not make them so.
  """

  audio: Float[Array, '*devices B Ta D'] | None
  visual: Mapping[str, Float[Array, '*devices B T _']]
  audio_length: Int[Array, '*devices B']
  visual_length: Int[Array, '*devices B']
  label: Int[Array, '*devices B'] | None = None
  zero_padded: bool = struct.field(pytree_node=False, default=False)
