"""A voice: harmonics of a glottal pulse and breath, through formants.

Additive: the harmonics of the pitch are summed, each as loud as the pulse's
spectrum and the formants make it at that moment. This is the same as pulses
through resonators whose poles move, without a loop over samples.

Five controls say how a voice sounds beyond its words; zero is neutral, one is
clearly heard. They are all that an emotion changes: rhythm and loudness, which
the mouth shows too, are the words' alone, so that no lip tells the voice's part
of a label.
"""

import dataclasses

import numpy as np

from avjax.synthesis import score

CONTROLS = ('bright', 'breath', 'pitch', 'front', 'tremble')

_RATE = 16000  # of the waveform, as Section 3.3 wants it
_STEP = _RATE // score.RATE  # samples between two values of a control
_HIGHEST = 7600.0  # Hz, of a harmonic
_WIDTHS = (80.0, 110.0, 160.0, 250.0, 350.0)  # Hz, of the formants
_HIGH = (3600.0, 4700.0)  # Hz, formants that no vowel moves
_VOWELS = np.array(
  [
    [300, 2300, 3000],
    [420, 2000, 2700],
    [720, 1300, 2500],
    [560, 950, 2450],
    [340, 800, 2400],
  ],
  float,
)
"""Formants in Hz of i, e, a, o, u in a middling throat (ours, rounded)."""


@dataclasses.dataclass(frozen=True)
class Voice:
  """What a speaker's voice is always like."""

  pitch: float  # Hz
  throat: float  # factor on every formant
  rate: float  # syllables a second
  level: float  # of the loudest, below 1
  neutral: np.ndarray  # (5,), the controls when nothing is felt


def cast(random: np.random.Generator, spread: float) -> Voice:
  """Returns a random speaker's voice; `spread` is how far from neutral."""
  low = random.random() < 0.5
  return Voice(
    pitch=float((110 if low else 200) * 2 ** random.uniform(-0.25, 0.25)),
    throat=float((1.0 if low else 1.12) * random.uniform(0.95, 1.05)),
    rate=float(random.uniform(3.8, 5.2)),
    level=float(random.uniform(0.15, 0.35)),
    neutral=spread * random.standard_normal(len(CONTROLS)),
  )


@dataclasses.dataclass(frozen=True)
class Words:
  """Syllables without a meaning, 100 values a second."""

  loud: np.ndarray  # (n,), 0 between two syllables
  formants: np.ndarray  # (n, 5) Hz
  accent: np.ndarray  # (n,) semitones of the melody


def words(random: np.random.Generator, voice: Voice, count: int) -> Words:
  """Returns `count` hundredths of a second of syllables."""
  time = np.arange(count) / score.RATE
  # Three more than fit, as syllables shrink at random.
  number = int(time[-1] * voice.rate * 1.4) + 3
  length = random.uniform(0.75, 1.25, number) / voice.rate
  middle = np.cumsum(length) - length[0]
  peak = random.uniform(0.6, 1.0, number)
  peak[random.random(number) < 0.1] = 0.02  # a pause
  away = np.clip(np.abs(time[:, None] - middle) / length, 0, 0.5)
  loud = (peak * np.cos(np.pi * away) ** 2).max(axis=1)
  mixed = random.dirichlet(np.full(len(_VOWELS), 0.3), number)
  vowel = np.einsum('sv,vf->sf', mixed, _VOWELS)
  formants = [np.interp(time, middle, each) for each in vowel.T]
  formants += [np.full(count, high) for high in _HIGH]
  accent = np.interp(time, middle, random.normal(0, 1.5, number))
  return Words(loud, np.stack(formants, axis=1) * voice.throat, accent)


def openness(spoken: Words) -> np.ndarray:
  """Returns (n,): how far the words open the mouth, 0 to about 1."""
  # An open vowel has a high first formant.
  wide = np.clip(spoken.formants[:, 0] / 600, 0.4, 1.3)
  return score.smooth(spoken.loud * wide, 4)


def _gain(frequency: np.ndarray, formants: np.ndarray) -> np.ndarray:
  """Returns |H| of the formants at (n, k) Hz; formants are (n, 5) Hz."""
  gain = np.ones_like(frequency)
  for i, width in enumerate(_WIDTHS):
    centre = formants[:, i, None]
    over = (frequency / centre) ** 2
    gain /= np.sqrt((1 - over) ** 2 + (width * frequency / centre**2) ** 2)
  return gain


def _breath(random, loud, formants, count: int) -> np.ndarray:
  """Returns noise through the formants, (count,); 100 spectra a second."""
  size = 2 * _STEP
  noise = random.standard_normal((len(loud), size))
  spectrum = np.fft.rfft(noise)
  frequency = np.fft.rfftfreq(size, 1 / _RATE)[None, :]
  # The throat's noise is whiter than the pulse and lies high.
  gain = _gain(np.broadcast_to(frequency, spectrum.shape), formants) ** 0.5
  gain = gain * loud[:, None] * np.minimum(frequency / 2000, 1)
  block = np.fft.irfft(spectrum * gain, size) * np.hanning(size)
  whole = np.zeros((len(loud) + 1) * _STEP)
  whole[: len(loud) * _STEP] += block[:, :_STEP].ravel()
  whole[_STEP:] += block[:, _STEP:].ravel()
  return whole[_STEP // 2 :][:count]


def speak(
  random: np.random.Generator,
  voice: Voice,
  spoken: Words,
  controls: np.ndarray,
  louder: np.ndarray,
) -> np.ndarray:
  """Returns the waveform of words, (160 n,) float32 in [-1, 1] at 16 kHz.

  Args:
    random: for the breath.
    voice: who speaks.
    spoken: what, n hundredths of a second.
    controls: (n, 5), in the order of `CONTROLS`; of the emotion, to which the
      speaker's own are added.
    louder: (n,) dB.
  """
  bright, breath, pitch, front, tremble = (controls + voice.neutral).T
  count = len(spoken.loud)
  time = np.arange(count) / score.RATE
  shake = np.sin(2 * np.pi * 5.5 * time) * np.maximum(0.5 + tremble, 0)
  melody = spoken.accent + 2.5 * pitch + shake - 2 * time / time[-1]
  tone = voice.pitch * 2 ** (np.clip(melody, -12, 14) / 12)
  warp = front[:, None] * (0, 0.12, 0.06, 0, 0)
  formants = spoken.formants * 2**warp
  number = np.arange(1, int(_HIGHEST / tone.min()) + 1)
  frequency = tone[:, None] * number
  slope = -5 + 3.5 * np.clip(bright, -2.5, 2.5)  # dB an octave
  gain = _gain(frequency, formants)
  gain *= 10 ** (slope[:, None] * np.log2(number) / 20)
  gain *= frequency < _HIGHEST
  level = spoken.loud * 10 ** (louder / 20)
  gain *= (level / (np.sqrt((gain**2).sum(axis=1)) + 1e-9))[:, None]

  at = np.arange(count * _STEP) / _STEP
  phase = np.cumsum(np.interp(at, np.arange(count), tone)) / _RATE
  phase = (2 * np.pi * (phase % 1)).astype(np.float32)
  wave = np.zeros(len(at), np.float32)
  for k, loud in zip(number, gain.T, strict=True):
    volume = np.interp(at, np.arange(count), loud).astype(np.float32)
    wave += volume * np.sin(np.float32(k) * phase)
  hiss = level * 0.06 * 2 ** (1.5 * np.clip(breath, -2.5, 2.5))
  wave = wave + _breath(random, hiss, formants, len(wave))
  wave = wave + 0.001 * random.standard_normal(len(wave))  # of the room
  return np.clip(voice.level * wave / 1.5, -1, 1).astype(np.float32)
