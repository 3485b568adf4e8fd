"""Draws one clip: its speaker and what happens over time.

As in `data.synthetic`, the seven emotions occupy positions of a 3 x 3 grid: the
face encodes the row, the voice the column. A model that reads only one of them
is correct for at most 3 of 7 clips. A clip shows three emotions in turn. The
salient segment, whose emotion is the label, is longer and marked by wide eyes
and a louder voice. The other two have random rows and columns. The voice is
early or late by a lag of whole audio frames, within the window of Section 2.1.

Speakers vary in the same controls that encode the emotions, and so do clips of
one speaker. No speaker is in two splits. A clip depends only on the seed, its
speaker and its number.

JAX is not imported: every process that draws clips would load it.
"""

import dataclasses
import pathlib

import numpy as np

from avjax.synthesis import curves, encode, face, voice

_SPLITS = ('training', 'validation', 'test', 'training', 'training')
"""The splits of speakers 0 to 4, 5 to 9, and so on."""

_LAGS = (-2, -1, 0, 1)  # audio frames, of 32 ms

# Controls of the face for the three rows of the grid.
_ROWS = np.array(
  [
    [-0.9, -0.8, 0, -0.2, 0, 0, -0.4, 1.2],
    [0, 0, -0.3, 1.3, 0, 0, 0.8, 0],
    [0.6, 1.1, 0, -1.1, 0, 0, 0, 0],
  ]
)
# Controls of the voice for the three columns of the grid.
_COLUMNS = np.array(
  [
    [1.5, -0.8, 1.2, 0, 0],
    [-0.5, 0, -0.9, -1.5, 1.5],
    [-1.2, 1.5, 0, 1.2, -0.5],
  ]
)
_SHARES = (0.45, 0.16, 0.16)  # of the clip; the salient segment is first
_AMPLITUDES = (1.0, 0.7, 0.7)
_WIDE, _LOUDER = 0.9, 5.0  # the marker: control 'eye', and gain in dB
_SPEAKER_STD = 0.4  # between speakers, in units of the controls
_CLIP_STD = 0.3  # between clips of one speaker
_HEAD = np.array([0.04, 0.12, 0.07, 0.05, 0.04])  # std; radians and units
_MARGIN = 10  # values before and after a clip, for the lag
_SPEAKER, _CLIP = range(2)  # purposes of random keys


@dataclasses.dataclass(frozen=True)
class Take:
  """The description of one clip to draw.

  Attributes:
    name: of the clip.
    label: the emotion.
    cell: (row, column) of the emotion in the grid.
    speaker: number of the speaker.
    number: of the clip.
    seed: of the corpus.
    size: width and height of the frames.
    clip: path of the clip in the corpus.
    still: path of an image of the face in the middle of the salient segment;
      '' for none.
  """

  name: str
  label: str
  cell: tuple[int, int]
  speaker: int
  number: int
  seed: int
  size: tuple[int, int]
  clip: str
  still: str = ''

  @property
  def split(self) -> str:
    """The split of the speaker."""
    return _SPLITS[self.speaker % len(_SPLITS)]


@dataclasses.dataclass(frozen=True)
class Script:
  """The content of a clip over time; n curve values at 100 per second.

  Attributes:
    frames: video frames T.
    segments: (S, 2), [start, stop) in video frames; the salient one is first.
    rows: (n, 3), amplitude of each row of the grid.
    columns: (n, 3), amplitude of each column.
    marker: (n,), from 0 to 1.
    lag: of the voice, in audio frames.
  """

  frames: int
  segments: np.ndarray
  rows: np.ndarray
  columns: np.ndarray
  marker: np.ndarray
  lag: int


def random_script(random: np.random.Generator, cell: tuple[int, int]) -> Script:
  """Returns a random script for a clip with this cell of the grid."""
  frames = int(random.integers(50, 76))
  lengths = [int(share * frames) for share in _SHARES]
  cuts = np.sort(random.integers(0, frames - sum(lengths) + 1, len(lengths)))
  count = 4 * frames + 2 * _MARGIN
  steps = [np.zeros((count, 3)), np.zeros((count, 3)), np.zeros((count, 1))]
  segments = np.zeros((len(lengths), 2), int)
  before = 0
  for cut, index in zip(cuts, random.permutation(len(lengths)), strict=True):
    start = int(cut) + before
    before += lengths[index]
    segments[index] = start, start + lengths[index]
    row, column = random.integers(3, size=2) if index else cell
    within = slice(*(4 * segments[index] + _MARGIN))
    amplitude = _AMPLITUDES[index] * random.uniform(0.85, 1.15)
    steps[0][within, row] = amplitude
    steps[1][within, column] = amplitude
    steps[2][within] = index == 0
  rows, columns, marker = (curves.smooth(curve, 12) for curve in steps)
  lag = int(random.choice(_LAGS))
  return Script(frames, segments, rows, columns, marker[:, 0], lag)


def _variation(
  random: np.random.Generator, count: int, width: int
) -> np.ndarray:
  """Returns random controls of a clip, (count, width), around 0."""
  constant = random.standard_normal(width)
  varying = curves.slow_noise(random, count, width, 40)
  return _CLIP_STD * (0.8 * constant + 0.6 * varying)


def waveform(
  random: np.random.Generator,
  script: Script,
  speaker: voice.Voice,
  speech: voice.Syllables,
) -> np.ndarray:
  """Returns the waveform of a script, (640 T,) float32 at 16 kHz."""
  count = len(script.marker)
  controls = _variation(random, count, len(voice.CONTROLS))
  controls += np.einsum('tk,kc->tc', script.columns, _COLUMNS)
  gain = _LOUDER * script.marker
  wave = voice.speak(random, speaker, speech, controls, gain)
  start = 160 * _MARGIN - 512 * script.lag
  return wave[start:][: 640 * script.frames]


def motion(
  random: np.random.Generator, script: Script, speech: voice.Syllables
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the controls of the face (T, 8) and the pose of the head (T, 5)."""
  count = len(script.marker)
  controls = _variation(random, count, len(face.CONTROLS))
  controls[:, face.CONTROLS.index('mouth')] = 0
  controls += np.einsum('tk,kc->tc', script.rows, _ROWS)
  controls[:, face.CONTROLS.index('eye')] += _WIDE * script.marker
  mouth = voice.openness(speech) * random.uniform(0.8, 1.2)
  controls[:, face.CONTROLS.index('mouth')] += mouth * (1 + script.marker / 3)
  controls[:, face.CONTROLS.index('jaw')] += 0.4 * mouth
  head = _HEAD * curves.slow_noise(random, count, 5, 80)
  eye = controls[:, face.CONTROLS.index('eye')]
  for blink in random.integers(0, 400, 2):  # about one in two seconds
    eye[blink : blink + 16] = -2.3
  middle = slice(_MARGIN + 2, _MARGIN + 2 + 4 * script.frames, 4)
  return controls[middle], head[middle]


def draw(take: Take, folder: pathlib.Path) -> dict:
  """Writes a clip, its landmarks and its still, and returns its truth."""
  random = curves.generator(take.seed, _SPEAKER, take.speaker)
  speaker = voice.random_voice(random, _SPEAKER_STD)
  look = face.random_look(random, _SPEAKER_STD)
  random = curves.generator(take.seed, _CLIP, take.speaker, take.number)
  script = random_script(random, take.cell)
  speech = voice.random_syllables(random, speaker, len(script.marker))
  wave = waveform(random, script, speaker, speech)
  points = face.pose(look, *motion(random, script, speech), take.size)
  painter = face.Painter(look, take.size)
  encode.write(folder / take.clip, map(painter, points), wave)
  landmarks = points[:, : face.POINTS].astype(np.float32)
  np.save(folder / 'truth' / f'{take.name}.npy', landmarks)
  if take.still:
    middle = sum(script.segments[0]) // 2
    portrait = face.portrait(painter(points[middle]), landmarks[middle])
    encode.write_image(folder / take.still, portrait)
  return {
    'clip': take.clip,
    'landmarks': f'truth/{take.name}.npy',
    'emotion': take.label,
    'speaker': f's{take.speaker:02d}',
    'split': take.split,
    'frames': script.frames,
    'lag': script.lag * 512 / 16000,
    'salient': script.segments[0].tolist(),
  }
