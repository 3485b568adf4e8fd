"""Disturbances of sound and picture, as pure functions of arrays (ours).

Waveforms are mono at `SAMPLE_RATE`; streams are (frames, width).
"""

from collections.abc import Sequence

import numpy as np

from avjax.clips import SAMPLE_RATE
from avjax.shapes import Bool, Float

BURST = 12
"""Frames of a burst of lost ones, or one more or less: half a second."""


def with_noise(
  signal: Float[np.ndarray, ' n'], noise: Float[np.ndarray, ' n'], snr: float
) -> Float[np.ndarray, ' n']:
  """Returns the signal with noise of a signal-to-noise ratio.

  A silent signal, or silent noise, leaves the signal as it is.

  Args:
    signal: the waveform.
    noise: of any loudness.
    snr: ratio of the energies of the whole clip in dB.
  """
  energy, loudness = np.sum(signal**2), np.sum(noise**2)
  if not energy or not loudness:
    return signal
  return signal + noise * np.sqrt(energy / loudness * 10 ** (-snr / 10))


def babble(
  voices: Sequence[Float[np.ndarray, ' _']], length: int
) -> Float[np.ndarray, ' n']:
  """Returns the sum of voices, each repeated to a length and equally loud.

  Args:
    voices: waveforms.
    length: in samples.
  """
  total = np.zeros(length)
  for voice in voices:
    loudness = np.sqrt(np.mean(voice**2)) if len(voice) else 0
    if loudness:
      total += np.resize(voice / loudness, length)
  return total


def impulse_response(
  rt60: float, random: np.random.Generator
) -> Float[np.ndarray, ' n']:
  """Returns the response of a room: decaying noise, of energy 1.

  Noise whose energy falls by 60 dB in the reverberation time (Polack, 1988).

  Args:
    rt60: reverberation time in seconds.
    random: of the noise.
  """
  time = np.arange(max(int(rt60 * SAMPLE_RATE), 1)) / SAMPLE_RATE
  response = random.standard_normal(len(time)) * 10 ** (-3 * time / rt60)
  return response / np.sqrt(np.sum(response**2))


def reverberated(
  signal: Float[np.ndarray, ' n'], response: Float[np.ndarray, ' _']
) -> Float[np.ndarray, ' n']:
  """Returns the signal in a room, cut to its own length.

  Args:
    signal: the waveform.
    response: of the room to an impulse.
  """
  from scipy import signal as processing  # slow to load

  return processing.fftconvolve(signal, response)[: len(signal)]


def shifted(rows: np.ndarray, by: int) -> np.ndarray:
  """Returns samples or frames that come later; zeros fill the gap.

  Args:
    rows: of any shape.
    by: rows to shift by; earlier if it is negative.
  """
  moved = np.zeros_like(rows)
  if by >= 0:
    moved[by:] = rows[: max(len(rows) - by, 0)]
  else:
    moved[:by] = rows[-by:]
  return moved


def lost_at_random(
  length: int, share: float, random: np.random.Generator
) -> Bool[np.ndarray, ' T']:
  """Returns which frames are lost, a share of them, each on its own."""
  lost = np.zeros(length, bool)
  lost[random.permutation(length)[: round(share * length)]] = True
  return lost


def lost_in_bursts(
  length: int, share: float, random: np.random.Generator
) -> Bool[np.ndarray, ' T']:
  """Returns which frames are lost, a share of them, in bursts of some BURST."""
  count = round(share * length)
  bursts = max(round(count / BURST), 1)
  # All frames that are kept are divided among the gaps around the bursts.
  cuts = np.sort(random.integers(0, length - count + 1, bursts))
  gaps = np.diff(cuts, prepend=0)
  sizes = [len(part) for part in np.array_split(np.arange(count), bursts)]
  lost = np.zeros(length, bool)
  first = 0
  for gap, size in zip(gaps, sizes, strict=True):
    first += gap
    lost[first : first + size] = True
    first += size
  return lost


def noisy(
  stream: Float[np.ndarray, 'T D'], snr: float, random: np.random.Generator
) -> Float[np.ndarray, 'T D']:
  """Returns a stream with Gaussian noise, where there is no waveform.

  Its share is the same in every column.

  Args:
    stream: of a clip.
    snr: of the clip's variance to that of the noise, in dB, over all columns.
    random: of the noise.
  """
  varying = stream - stream.mean(axis=0)
  noise = random.standard_normal(stream.shape) * varying.std(axis=0)
  energy, loudness = np.sum(varying**2), np.sum(noise**2)
  if not energy or not loudness:
    return stream
  scaled = noise * np.sqrt(energy / loudness * 10 ** (-snr / 10))
  return (stream + scaled).astype(np.float32)
