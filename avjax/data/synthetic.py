"""A corpus whose answer is known, made in memory from a seed; all of it ours.

What each element is for:

*The label needs both streams.* The seven emotions sit on seven cells of a 3 x 3
grid (`GRID`): the face tells the row, the voice the column. Who reads one
stream alone and knows everything else is right for 3 clips in 7 at most.

*It must be found.* A clip shows several emotions in turn, each in a segment of
its own and all equally strong. The one that counts carries a marker in the
face; without it a clip is a bag of emotions.

*It must be aligned.* In every segment events recur: a beat in the face and an
onset in the voice, with the column's code, at audio frame p_t + lag. The lag is
one for the whole clip, at one of the places of the window of Section 2.1.
Halfway between two events the voice says a random column: a decoy, outside the
window of every event, which only the missing beat tells from an event.

*It must be learnt under noise.* A feature is noise of deviation one (the
streams of the paper are whitened) plus its speaker's offset plus codes: fixed
orthonormal directions, scaled by the strengths in `settings.Synthetic`. The
appearance carries what the shape carries, with noise of its own; it is wide
but varies in few directions, as deep features do.

Lengths, widths and rates are the paper's. Nothing in a clip depends on how many
clips there are.
"""

import dataclasses

import numpy as np

from avjax.clips import EMOTIONS, Clip, centre
from avjax.settings import SyntheticConfig

AUDIO_RATE = 1.25  # audio frames a video frame: 31.25 Hz and 25 Hz
LAGS = (-2, -1, 0, 1)  # audio frames off p_t: the window's places for w = 2
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
"""Emotion -> (row, told by the face; column, told by the voice). No row and no
column has more than three of the seven."""

_ROW, _COLUMN = np.array([GRID[emotion] for emotion in EMOTIONS]).T
_WIDTH = {
  'audio': 50,  # Section 3.3
  'shape': 20,  # Section 3.1
  'appearance': 40,  # of the directions in which its 1024 values vary
}
_APPEARANCE = 1024  # Section 3.2
_RESIDUAL = 0.25  # deviation of the appearance outside its directions
_OFFSET = 0.3  # deviation of a speaker's offset
_DIRECTIONS, _SPEAKERS, _CLIPS = range(3)  # what a random key is for


@dataclasses.dataclass(frozen=True)
class Codes:
  """The unit directions that carry the codes; those of the face by stream."""

  row: dict[str, np.ndarray]  # (3, width): throughout a segment
  marker: dict[str, np.ndarray]  # throughout the segment that counts
  beat: dict[str, np.ndarray]  # at the video frames of the events
  column: np.ndarray  # (3, 50): at the audio frames of events and decoys
  onset: np.ndarray  # there too
  appearance: np.ndarray  # (40, 1024): directions to values, orthogonal


def _generator(seed: int, *key: int) -> np.random.Generator:
  """Returns the random numbers of one key, whatever else is drawn."""
  sequence = np.random.SeedSequence((seed, *key))
  return np.random.Generator(np.random.Philox(sequence))


def _orthonormal(random: np.random.Generator, count: int, width: int):
  """Returns (count, width) float32, orthonormal rows of random direction."""
  return np.linalg.qr(random.standard_normal((width, count)))[0].T.astype('f4')


def codes(seed: int) -> Codes:
  """Returns the directions in which the corpus of that seed is coded."""
  random = _generator(seed, _DIRECTIONS)
  voice = _orthonormal(random, 4, _WIDTH['audio'])
  face = {
    stream: _orthonormal(random, 5, _WIDTH[stream])
    for stream in ('shape', 'appearance')
  }
  appearance = _orthonormal(random, _WIDTH['appearance'], _APPEARANCE)
  # A value of the appearance shall vary about as much as a direction.
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
  """What happens in a clip, and when: S segments, E events."""

  frames: int  # of video, T
  audio_frames: int  # Ta
  segments: np.ndarray  # (S, 2), [start, stop) of each in video frames
  shown: np.ndarray  # (S,), index of each one's emotion
  salient: int  # which of them counts
  beats: np.ndarray  # (E, 2), rows of (segment, video frame)
  events: np.ndarray  # (E,), the audio frame of each beat
  decoys: np.ndarray  # (E, 2), rows of (audio frame, column)


def _script(
  settings: SyntheticConfig, random: np.random.Generator, label: int
) -> _Script:
  """Returns a clip's script, drawn at random around its label."""
  frames = int(random.integers(settings.shortest, settings.longest + 1))
  audio_frames = int(AUDIO_RATE * frames) + int(random.integers(-1, 2))
  count = settings.segments
  length = int(settings.share * frames)
  gaps = random.integers(0, frames - count * length + 1, count)
  start = np.sort(gaps) + length * np.arange(count)
  salient = int(random.integers(count))
  shown = random.integers(len(EMOTIONS), size=count)
  shown[salient] = label

  step = settings.spacing  # half of it apart from either end of a segment
  inside = np.arange(step // 2, length - (step - 1) // 2, step)
  segment = np.repeat(np.arange(count), len(inside))
  beats = start[segment] + np.tile(inside, count)
  middle = centre(beats, frames, audio_frames)
  # Before or after their events, or the first onset would never be a decoy.
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
  told = code.onset + code.column  # one row a column of the grid
  column = _COLUMN[script.shown[script.beats[:, 0]]]
  voice[script.events] += settings.event * told[column]
  voice[script.decoys[:, 0]] += settings.event * told[script.decoys[:, 1]]
  return voice


def _face(
  settings: SyntheticConfig,
  random: np.random.Generator,
  code: Codes,
  script: _Script,
  stream: str,
) -> np.ndarray:
  """Returns what a visual stream sees of a script, (T, width) float32."""
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
  # Uniform, as normal noise would take two thirds of all the time.
  residual = random.random((script.frames, _APPEARANCE), dtype=np.float32)
  residual = (residual - 0.5) * np.float32(12**0.5 * _RESIDUAL)
  truth = {
    'salient': script.segments[script.salient],
    'events': np.stack([script.beats[:, 1], script.events], axis=1),
  }
  appearance = deep @ code.appearance + residual
  return {'audio': voice, 'shape': shape, 'appearance': appearance}, truth


def _offset(settings: SyntheticConfig, split: str, speaker: int):
  """Returns stream -> (width,) float32: what a speaker adds everywhere."""
  random = _generator(settings.seed, _SPEAKERS, SPLITS.index(split), speaker)
  return {
    stream: (_OFFSET * random.standard_normal(width)).astype(np.float32)
    for stream, width in _WIDTH.items()
  }


def make(settings: SyntheticConfig) -> list[Clip]:
  """Returns the corpus: the clips of training, validation and test, in order.

  Emotions take turns within a split, so that it is balanced as exactly as its
  number of clips allows; so do its speakers, which no other split has.
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
