"""A synthetic voice: harmonics of a glottal pulse, and breath, with formants.

Additive synthesis: the harmonics of the pitch are summed with amplitudes given
by the spectrum of the pulse and the formants at that time. This equals a pulse
train through time-varying resonators, without a loop over samples.

Five controls change the sound of the voice: zero is neutral, one is clearly
audible. An emotion changes only these controls. Rhythm and loudness depend only
on the syllables: they are visible at the mouth, and the face must not reveal
the voice's column of the label.
"""

import dataclasses

import numpy as np

from avjax.synthesis import curves

CONTROLS = ('bright', 'breath', 'pitch', 'front', 'tremble')

_RATE = 16000  # of the waveform, Section 3.3
_STEP = _RATE // curves.RATE  # samples per value of a control
_HIGHEST = 7600.0  # Hz, limit of the harmonics
_WIDTHS = (80.0, 110.0, 160.0, 250.0, 350.0)  # Hz, of the formants
_HIGH = (3600.0, 4700.0)  # Hz, formants that do not depend on the vowel
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
"""Formants in Hz of i, e, a, o, u for an average speaker (ours, rounded)."""


@dataclasses.dataclass(frozen=True)
class Voice:
  """The constant properties of a speaker's voice.

  Attributes:
    pitch: mean pitch in Hz.
    throat: factor for all formants.
    rate: syllables per second.
    level: peak amplitude, below 1.
    neutral: (5,), controls of the neutral voice.
  """

  pitch: float
  throat: float
  rate: float
  level: float
  neutral: np.ndarray


def random_voice(random: np.random.Generator, spread: float) -> Voice:
  """Returns a random speaker's voice; `spread` scales its neutral controls."""
  low = random.random() < 0.5
  return Voice(
    pitch=float((110 if low else 200) * 2 ** random.uniform(-0.25, 0.25)),
    throat=float((1.0 if low else 1.12) * random.uniform(0.95, 1.05)),
    rate=float(random.uniform(3.8, 5.2)),
    level=float(random.uniform(0.15, 0.35)),
    neutral=spread * random.standard_normal(len(CONTROLS)),
  )


@dataclasses.dataclass(frozen=True)
class Syllables:
  """Meaningless syllables, 100 values per second.

  Attributes:
    amplitude: (n,), 0 between two syllables.
    formants: (n, 5), in Hz.
    accent: (n,), melody in semitones.
  """

  amplitude: np.ndarray
  formants: np.ndarray
  accent: np.ndarray


def random_syllables(
  random: np.random.Generator, voice: Voice, count: int
) -> Syllables:
  """Returns random syllables of `count` hundredths of a second."""
  time = np.arange(count) / curves.RATE
  # Three more than fit on average, since durations are random.
  number = int(time[-1] * voice.rate * 1.4) + 3
  length = random.uniform(0.75, 1.25, number) / voice.rate
  middle = np.cumsum(length) - length[0]
  peak = random.uniform(0.6, 1.0, number)
  peak[random.random(number) < 0.1] = 0.02  # a pause
  offset = np.clip(np.abs(time[:, None] - middle) / length, 0, 0.5)
  amplitude = (peak * np.cos(np.pi * offset) ** 2).max(axis=1)
  mixed = random.dirichlet(np.full(len(_VOWELS), 0.3), number)
  vowel = np.einsum('sv,vf->sf', mixed, _VOWELS)
  formants = [np.interp(time, middle, each) for each in vowel.T]
  formants += [np.full(count, high) for high in _HIGH]
  accent = np.interp(time, middle, random.normal(0, 1.5, number))
  return Syllables(amplitude, np.stack(formants, axis=1) * voice.throat, accent)


def openness(speech: Syllables) -> np.ndarray:
  """Returns the opening of the mouth, (n,), from 0 to about 1."""
  # An open vowel has a high first formant.
  vowel = np.clip(speech.formants[:, 0] / 600, 0.4, 1.3)
  return curves.smooth(speech.amplitude * vowel, 4)


def _gain(frequency: np.ndarray, formants: np.ndarray) -> np.ndarray:
  """Returns |H| of formants (n, 5) in Hz at frequencies (n, k) in Hz."""
  gain = np.ones_like(frequency)
  for i, width in enumerate(_WIDTHS):
    centre = formants[:, i, None]
    ratio = (frequency / centre) ** 2
    gain /= np.sqrt((1 - ratio) ** 2 + (width * frequency / centre**2) ** 2)
  return gain


def _breath(random, amplitude, formants, count: int) -> np.ndarray:
  """Returns noise filtered by the formants, (count,), by overlap-add."""
  size = 2 * _STEP
  noise = random.standard_normal((len(amplitude), size))
  spectrum = np.fft.rfft(noise)
  frequency = np.fft.rfftfreq(size, 1 / _RATE)[None, :]
  # Breath has a flatter spectrum than the pulse, and high frequencies.
  gain = _gain(np.broadcast_to(frequency, spectrum.shape), formants) ** 0.5
  gain = gain * amplitude[:, None] * np.minimum(frequency / 2000, 1)
  block = np.fft.irfft(spectrum * gain, size) * np.hanning(size)
  whole = np.zeros((len(amplitude) + 1) * _STEP)
  whole[: len(amplitude) * _STEP] += block[:, :_STEP].ravel()
  whole[_STEP:] += block[:, _STEP:].ravel()
  return whole[_STEP // 2 :][:count]


def speak(
  random: np.random.Generator,
  voice: Voice,
  speech: Syllables,
  controls: np.ndarray,
  gain_db: np.ndarray,
) -> np.ndarray:
  """Returns the waveform of syllables, (160 n,) float32 in [-1, 1] at 16 kHz.

  Args:
    random: generator of random numbers, for the noise.
    voice: of the speaker.
    speech: n hundredths of a second of syllables.
    controls: (n, 5), in the order of `CONTROLS`; the speaker's neutral controls
      are added.
    gain_db: (n,), in dB.
  """
  bright, breath, pitch, front, tremble = (controls + voice.neutral).T
  count = len(speech.amplitude)
  time = np.arange(count) / curves.RATE
  vibrato = np.sin(2 * np.pi * 5.5 * time) * np.maximum(0.5 + tremble, 0)
  melody = speech.accent + 2.5 * pitch + vibrato - 2 * time / time[-1]
  tone = voice.pitch * 2 ** (np.clip(melody, -12, 14) / 12)
  shift = front[:, None] * (0, 0.12, 0.06, 0, 0)
  formants = speech.formants * 2**shift
  number = np.arange(1, int(_HIGHEST / tone.min()) + 1)
  frequency = tone[:, None] * number
  slope = -5 + 3.5 * np.clip(bright, -2.5, 2.5)  # dB per octave
  gain = _gain(frequency, formants)
  gain *= 10 ** (slope[:, None] * np.log2(number) / 20)
  gain *= frequency < _HIGHEST
  level = speech.amplitude * 10 ** (gain_db / 20)
  gain *= (level / (np.sqrt((gain**2).sum(axis=1)) + 1e-9))[:, None]

  at = np.arange(count * _STEP) / _STEP  # in hundredths of a second
  phase = np.cumsum(np.interp(at, np.arange(count), tone)) / _RATE
  phase = (2 * np.pi * (phase % 1)).astype(np.float32)
  wave = np.zeros(len(at), np.float32)
  for k, curve in zip(number, gain.T, strict=True):
    amplitude = np.interp(at, np.arange(count), curve).astype(np.float32)
    wave += amplitude * np.sin(np.float32(k) * phase)
  breath_level = level * 0.06 * 2 ** (1.5 * np.clip(breath, -2.5, 2.5))
  wave = wave + _breath(random, breath_level, formants, len(wave))
  wave = wave + 0.001 * random.standard_normal(len(wave))  # background noise
  return np.clip(voice.level * wave / 1.5, -1, 1).astype(np.float32)
