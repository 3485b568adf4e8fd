"""One clip: who is seen and heard in it, and what happens when.

As in `data.synthetic`, the seven emotions sit on a 3 x 3 grid: the face tells
the row, the voice the column, so that who has one of them and knows everything
else is right for 3 clips in 7 at most. A clip shows three emotions in turn. The
one that counts is longer and marked, by wide eyes and a louder voice; the
others are drawn at random, row and column each for itself. The voice is early
or late by a lag of whole audio frames, inside the window of Section 2.1.

Everybody differs from the neutral face and voice, in the very controls that
tell the emotions, and every clip differs from its speaker. No speaker is in two
splits. A clip depends on the seed, its speaker and its number alone.

No JAX here, as every process that draws clips would load it.
"""

import dataclasses
import pathlib

import numpy as np

from avjax.synthesis import encode, face, score, voice

_SPLITS = ('training', 'validation', 'test', 'training', 'training')
"""The splits of the speakers, who take turns."""

_LAGS = (-2, -1, 0, 1)  # audio frames, of 32 ms

# What the three rows do to the controls of the face, in its order.
_ROWS = np.array(
  [
    [-0.9, -0.8, 0, -0.2, 0, 0, -0.4, 1.2],
    [0, 0, -0.3, 1.3, 0, 0, 0.8, 0],
    [0.6, 1.1, 0, -1.1, 0, 0, 0, 0],
  ]
)
# What the three columns do to the controls of the voice.
_COLUMNS = np.array(
  [
    [1.5, -0.8, 1.2, 0, 0],
    [-0.5, 0, -0.9, -1.5, 1.5],
    [-1.2, 1.5, 0, 1.2, -0.5],
  ]
)
_SHARES = (0.45, 0.16, 0.16)  # of the clip; the segment that counts is first
_STRENGTHS = (1.0, 0.7, 0.7)
_WIDE, _LOUDER = 0.9, 5.0  # the marker: the eye's control, and dB
_SPEAKERS_DIFFER = 0.4  # deviation, in units of the controls
_CLIPS_DIFFER = 0.3
_HEAD = np.array([0.04, 0.12, 0.07, 0.05, 0.04])  # radians; widths of a face
_MARGIN = 10  # values before and after a clip, for the lag
_SPEAKER, _CLIP = range(2)  # what a random key is for


@dataclasses.dataclass(frozen=True)
class Take:
  """What a process needs in order to draw one clip."""

  name: str
  label: str
  cell: tuple[int, int]  # of the grid: row, column
  speaker: int
  number: int
  seed: int
  size: tuple[int, int]

  @property
  def split(self) -> str:
    return _SPLITS[self.speaker % len(_SPLITS)]


@dataclasses.dataclass(frozen=True)
class Script:
  """What happens in a clip, n values of a hundredth of a second."""

  frames: int
  segments: np.ndarray  # (S, 2) video frames; the one that counts is first
  rows: np.ndarray  # (n, 3), how much each is shown
  columns: np.ndarray  # (n, 3)
  marker: np.ndarray  # (n,), 0 to 1
  lag: int  # audio frames


def plot(random: np.random.Generator, cell: tuple[int, int]) -> Script:
  """Returns a clip's script, drawn at random around its cell of the grid."""
  frames = int(random.integers(50, 76))
  lengths = [int(share * frames) for share in _SHARES]
  cuts = np.sort(random.integers(0, frames - sum(lengths) + 1, len(lengths)))
  count = 4 * frames + 2 * _MARGIN
  curves = [np.zeros((count, 3)), np.zeros((count, 3)), np.zeros((count, 1))]
  segments = np.zeros((len(lengths), 2), int)
  before = 0
  for cut, which in zip(cuts, random.permutation(len(lengths)), strict=True):
    start = int(cut) + before
    before += lengths[which]
    segments[which] = start, start + lengths[which]
    row, column = random.integers(3, size=2) if which else cell
    within = slice(*(4 * segments[which] + _MARGIN))
    strength = _STRENGTHS[which] * random.uniform(0.85, 1.15)
    curves[0][within, row] = strength
    curves[1][within, column] = strength
    curves[2][within] = which == 0
  rows, columns, marker = (score.smooth(curve, 12) for curve in curves)
  lag = int(random.choice(_LAGS))
  return Script(frames, segments, rows, columns, marker[:, 0], lag)


def _unlike(random: np.random.Generator, count: int, width: int) -> np.ndarray:
  """Returns (count, width): how a clip differs from its speaker."""
  constant = random.standard_normal(width)
  moving = score.wander(random, count, width, 40)
  return _CLIPS_DIFFER * (0.8 * constant + 0.6 * moving)


def sound(random, script: Script, speaker: voice.Voice, spoken) -> np.ndarray:
  """Returns the waveform of a script, (640 T,) float32."""
  count = len(script.marker)
  controls = _unlike(random, count, len(voice.CONTROLS))
  controls += np.einsum('tk,kc->tc', script.columns, _COLUMNS)
  louder = _LOUDER * script.marker
  wave = voice.speak(random, speaker, spoken, controls, louder)
  start = 160 * _MARGIN - 512 * script.lag
  return wave[start:][: 640 * script.frames]


def motion(random, script: Script, spoken) -> tuple[np.ndarray, np.ndarray]:
  """Returns the controls of the face (T, 8) and the head's pose (T, 5)."""
  count = len(script.marker)
  controls = _unlike(random, count, len(face.CONTROLS))
  controls[:, face.CONTROLS.index('mouth')] = 0
  controls += np.einsum('tk,kc->tc', script.rows, _ROWS)
  controls[:, face.CONTROLS.index('eye')] += _WIDE * script.marker
  mouth = voice.openness(spoken) * random.uniform(0.8, 1.2)
  controls[:, face.CONTROLS.index('mouth')] += mouth * (1 + script.marker / 3)
  controls[:, face.CONTROLS.index('jaw')] += 0.4 * mouth
  head = _HEAD * score.wander(random, count, 5, 80)
  eye = controls[:, face.CONTROLS.index('eye')]
  for blink in random.integers(0, 400, 2):  # about one in two seconds
    eye[blink : blink + 16] = -2.3
  middle = slice(_MARGIN + 2, _MARGIN + 2 + 4 * script.frames, 4)
  return controls[middle], head[middle]


def draw(take: Take, folder: pathlib.Path) -> dict:
  """Returns the truth of one clip; leaves clip and landmarks in the folder."""
  random = score.generator(take.seed, _SPEAKER, take.speaker)
  speaker = voice.cast(random, _SPEAKERS_DIFFER)
  look = face.cast(random, _SPEAKERS_DIFFER)
  random = score.generator(take.seed, _CLIP, take.speaker, take.number)
  script = plot(random, take.cell)
  spoken = voice.words(random, speaker, len(script.marker))
  wave = sound(random, script, speaker, spoken)
  points = face.pose(look, *motion(random, script, spoken), take.size)
  painter = face.Painter(look, take.size)
  encode.write(folder / f'{take.name}.mp4', map(painter, points), wave)
  landmarks = points[:, : face.POINTS].astype(np.float32)
  np.save(folder / 'truth' / f'{take.name}.npy', landmarks)
  return {
    'clip': f'{take.name}.mp4',
    'emotion': take.label,
    'speaker': f's{take.speaker:02d}',
    'split': take.split,
    'frames': script.frames,
    'lag': script.lag * 512 / 16000,
    'salient': script.segments[0].tolist(),
  }
