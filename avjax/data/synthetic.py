"""A synthetic corpus with known ground truth, made from a seed; all of it ours.

The purpose of its elements:

*The label needs both modalities.* The seven emotions occupy seven positions of
a 3 x 3 grid (`GRID`). The face encodes the row, the voice the column. A model
that reads only one of them is correct for at most 3 of 7 clips.

*The label needs attention.* A clip shows several emotions in turn, one per
segment, with equal amplitudes. A marker in the face identifies the salient
segment, whose emotion is the label; nothing else does.

*The label needs alignment.* Every segment has several events: a beat in the
face at video frame t, and an onset with the code of the column in the voice at
audio frame p_t + lag. The lag is constant within a clip and a position of the
window of Section 2.1. Halfway between two events there is a decoy: an onset
with a random column, outside the window of every event. Only the missing beat
distinguishes it from an event.

*The label must be learnt under noise.* A feature is noise of standard deviation
1 (the paper's streams are whitened), plus an offset per speaker, plus codes:
fixed orthonormal directions times the amplitudes in `settings.SyntheticConfig`.
The appearance has the same codes as the shape, with independent noise; it is
wide but varies in few directions, as deep features do.

Lengths, widths and rates are the paper's. A clip does not depend on the number
of clips.
"""

import dataclasses

import numpy as np

from avjax.clips import EMOTIONS, Clip, centre
from avjax.settings import SyntheticConfig

AUDIO_RATE = 1.25  # audio frames per video frame: 31.25 Hz / 25 Hz
LAGS = (-2, -1, 0, 1)  # audio frames from p_t: window positions for w = 2
SPLITS = ('training', 'validation', 'test')

GRID = {
  'angry': (0, 0),
  'disgust': (0, 1),
  'fear': (0, 2),
  'happy': (1, 0),
  'neutral': (1, 1),
  'sad': (2, 0),
  'surprise': (2, 2),
}
"""Emotion -> (row, encoded in the face; column, encoded in the voice). Every
row and every column has at most three of the seven emotions."""

_ROW, _COLUMN = np.array([GRID[emotion] for emotion in EMOTIONS]).T
_WIDTH = {
  'audio': 50,  # Section 3.3
  'shape': 20,  # Section 3.1
  'appearance': 40,  # directions in which its 1024 values vary
}
_APPEARANCE = 1024  # Section 3.2
_RESIDUAL = 0.25  # std of the appearance outside of these directions
_OFFSET = 0.3  # std of a speaker's offset
_DIRECTIONS, _SPEAKERS, _CLIPS = range(3)  # purposes of random keys


@dataclasses.dataclass(frozen=True)
class Codes:
  """The directions of the codes; those of the face by visual stream.

  All are unit vectors, except those of `appearance`.

  Attributes:
    row: stream -> (3, width), added throughout a segment.
    marker: stream -> (width,), added throughout the salient segment.
    beat: stream -> (width,), added at the video frames of events.
    column: (3, 50), added at the audio frames of events and decoys.
    onset: (50,), added at the same audio frames.
    appearance: (40, 1024), orthogonal, from directions to values.
  """

  row: dict[str, np.ndarray]
  marker: dict[str, np.ndarray]
  beat: dict[str, np.ndarray]
  column: np.ndarray
  onset: np.ndarray
  appearance: np.ndarray


def _generator(seed: int, *key: int) -> np.random.Generator:
  """Returns a generator of random numbers that depend only on seed and key."""
  sequence = np.random.SeedSequence((seed, *key))
  return np.random.Generator(np.random.Philox(sequence))


def _orthonormal(random: np.random.Generator, count: int, width: int):
  """Returns random orthonormal rows, (count, width) float32."""
  return np.linalg.qr(random.standard_normal((width, count)))[0].T.astype('f4')


def codes(seed: int) -> Codes:
  """Returns the directions of the codes of the corpus with this seed."""
  random = _generator(seed, _DIRECTIONS)
  voice = _orthonormal(random, 4, _WIDTH['audio'])
  face = {
    stream: _orthonormal(random, 5, _WIDTH[stream])
    for stream in ('shape', 'appearance')
  }
  appearance = _orthonormal(random, _WIDTH['appearance'], _APPEARANCE)
  # Scaled so that values of the appearance vary as much as directions.
  scale = np.float32((_APPEARANCE / _WIDTH['appearance']) ** 0.5)
  return Codes(
    row={name: rows[:3] for name, rows in face.items()},
    marker={name: rows[3] for name, rows in face.items()},
    beat={name: rows[4] for name, rows in face.items()},
    column=voice[:3],
    onset=voice[3],
    appearance=scale * appearance,
  )


@dataclasses.dataclass(frozen=True)
class _Script:
  """The content of a clip over time: S segments, E events.

  Attributes:
    frames: video frames T.
    audio_frames: audio frames Ta.
    segments: (S, 2), [start, stop) of each segment in video frames.
    shown: (S,), index of the emotion of each segment.
    salient: index of the salient segment.
    beats: (E, 2), (segment, video frame) of each event.
    events: (E,), audio frame of each event.
    decoys: (E, 2), (audio frame, column) of each decoy.
  """

  frames: int
  audio_frames: int
  segments: np.ndarray
  shown: np.ndarray
  salient: int
  beats: np.ndarray
  events: np.ndarray
  decoys: np.ndarray


def _script(
  settings: SyntheticConfig, random: np.random.Generator, label: int
) -> _Script:
  """Returns a random script for a clip with this label."""
  frames = int(random.integers(settings.shortest, settings.longest + 1))
  audio_frames = int(AUDIO_RATE * frames) + int(random.integers(-1, 2))
  count = settings.segments
  length = int(settings.share * frames)
  gaps = random.integers(0, frames - count * length + 1, count)
  start = np.sort(gaps) + length * np.arange(count)
  salient = int(random.integers(count))
  shown = random.integers(len(EMOTIONS), size=count)
  shown[salient] = label

  step = settings.spacing  # events keep half of it from a segment's ends
  inside = np.arange(step // 2, length - (step - 1) // 2, step)
  segment = np.repeat(np.arange(count), len(inside))
  beats = start[segment] + np.tile(inside, count)
  middle = centre(beats, frames, audio_frames)
  # Before or after the events: else the first onset would never be a decoy.
  side = random.choice((-1, 1), size=count)[segment]
  decoys = middle + side * int(AUDIO_RATE * step / 2)
  decoys = np.clip(decoys, 0, audio_frames - 1)
  return _Script(
    frames=frames,
    audio_frames=audio_frames,
    segments=np.stack([start, start + length], axis=1),
    shown=shown,
    salient=salient,
    beats=np.stack([segment, beats], axis=1),
    events=middle + int(random.choice(LAGS)),
    decoys=np.stack([decoys, random.integers(3, size=len(decoys))], axis=1),
  )


def _voice(
  settings: SyntheticConfig,
  random: np.random.Generator,
  code: Codes,
  script: _Script,
) -> np.ndarray:
  """Returns the audio of a script, (Ta, 50) float32."""
  shape = script.audio_frames, _WIDTH['audio']
  voice = random.standard_normal(shape, dtype=np.float32)
  onsets = code.onset + code.column  # one row per column of the grid
  column = _COLUMN[script.shown[script.beats[:, 0]]]
  voice[script.events] += settings.event * onsets[column]
  voice[script.decoys[:, 0]] += settings.event * onsets[script.decoys[:, 1]]
  return voice


def _face(
  settings: SyntheticConfig,
  random: np.random.Generator,
  code: Codes,
  script: _Script,
  stream: str,
) -> np.ndarray:
  """Returns a visual stream of a script, (T, width) float32."""
  shape = script.frames, _WIDTH[stream]
  face = random.standard_normal(shape, dtype=np.float32)
  for (start, stop), emotion in zip(script.segments, script.shown, strict=True):
    face[start:stop] += settings.expression * code.row[stream][_ROW[emotion]]
  start, stop = script.segments[script.salient]
  face[start:stop] += settings.marker * code.marker[stream]
  face[script.beats[:, 1]] += settings.event * code.beat[stream]
  return face


def _clip(
  settings: SyntheticConfig,
  code: Codes,
  offset: dict[str, np.ndarray],
  split: str,
  index: int,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
  """Returns the streams and the truth of one clip."""
  random = _generator(settings.seed, _CLIPS, SPLITS.index(split), index)
  script = _script(settings, random, index % len(EMOTIONS))
  voice = _voice(settings, random, code, script) + offset['audio']
  shape, deep = (
    _face(settings, random, code, script, stream) + offset[stream]
    for stream in ('shape', 'appearance')
  )
  # Uniform noise: normal noise would take two thirds of the total time.
  residual = random.random((script.frames, _APPEARANCE), dtype=np.float32)
  residual = (residual - 0.5) * np.float32(12**0.5 * _RESIDUAL)
  truth = {
    'salient': script.segments[script.salient],
    'events': np.stack([script.beats[:, 1], script.events], axis=1),
  }
  appearance = deep @ code.appearance + residual
  return {'audio': voice, 'shape': shape, 'appearance': appearance}, truth


def _offset(settings: SyntheticConfig, split: str, speaker: int):
  """Returns stream -> (width,) float32, a speaker's offset in all frames."""
  random = _generator(settings.seed, _SPEAKERS, SPLITS.index(split), speaker)
  return {
    stream: (_OFFSET * random.standard_normal(width)).astype(np.float32)
    for stream, width in _WIDTH.items()
  }


def make(settings: SyntheticConfig) -> list[Clip]:
  """Returns the corpus: the clips of training, validation and test, in order.

  Within a split emotions and speakers alternate, so that both are as balanced
  as the number of clips allows. No speaker is in two splits.
  """
  code = codes(settings.seed)
  clips = []
  for split in SPLITS:
    offsets = [_offset(settings, split, k) for k in range(settings.speakers)]
    for index in range(getattr(settings, split)):
      speaker = index // len(EMOTIONS) % settings.speakers
      streams, truth = _clip(settings, code, offsets[speaker], split, index)
      clip = Clip(
        name=f'{split}-{index:05d}',
        streams=streams,
        label=EMOTIONS[index % len(EMOTIONS)],
        speaker=f'{split}-{speaker:02d}',
        split=split,
        truth=truth,
      )
      clips.append(clip)
  return clips
