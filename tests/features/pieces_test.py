"""Recordings in pieces: the same time line, bit by bit, as a clip has."""

from fractions import Fraction

import av
import numpy as np
import pytest

from avjax.features import audio_track, media, pieces, sound_stream
from tests.features.clips_made import make

ZERO = Fraction(0)


@pytest.fixture(scope='module')
def decoder():
  with media.Decoder() as made:
    yield made


def whole(recording):
  """Returns frames and their numbers, waveform, coverage, length and notes."""
  frames, numbers, waves, covers, length = [], [], [], [], 0
  for piece in recording:
    assert piece.frames <= pieces.PIECE
    numbers += [length + k for k in piece.shown]
    frames += [] if piece.images is None else [*piece.images]
    waves.append(piece.waveform)
    covers.append(piece.audible)
    length += piece.frames
  waves, covers = np.concatenate(waves), np.concatenate(covers)
  return frames, numbers, waves, covers, length, piece.notes


@pytest.mark.parametrize('every', [1, 3])
@pytest.mark.parametrize(
  ('name', 'options'),
  [
    ('a.mp4', {'ticks': range(80), 'sound': (0.5, 4.1), 'gap': (1.0, 1.5)}),
    ('a.mkv', {'ticks': [*range(70), 100], 'audio': 'flac', 'rate': 44100}),
    ('a.mp4', {'ticks': range(55), 'audio': None}),
    ('a.mp4', {'video': None, 'sound': (0.0, 5.0)}),
  ],
)
def test_equals_a_clip(decoder, tmp_path, name, options, every):
  """Agreement: pieces of a short file put together are the clip's arrays."""
  if options.get('video', '') is None:
    options = options | {'ticks': ()}
  path = make(tmp_path / name, **options)
  clip = decoder(path)
  frames, numbers, wave, covered, length, notes = whole(
    decoder.pieces(path, every)
  )
  assert length == clip.length and notes == clip.notes
  np.testing.assert_array_equal(wave, clip.waveform)
  np.testing.assert_array_equal(covered, clip.audible)
  if clip.frames is not None:
    assert numbers == [*range(0, length, every)]
    np.testing.assert_array_equal(np.stack(frames), clip.frames[::every])
  assert decoder.lasts(path, length / 25 - 0.2)
  assert not decoder.lasts(path, length / 25 + 0.2)


def blocks(rate, lags):
  """Yields blocks of noise and their stamps, late by some seconds each."""
  random = np.random.default_rng(0)
  for k, lag in enumerate(lags):
    wave = random.normal(0, 0.1, (1, 1024)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(wave, 'flt', 'mono')
    frame.sample_rate = rate
    yield frame, Fraction(k * 1024, rate) + Fraction(lag)


@pytest.mark.parametrize('rate', [16000, 48000])
def test_sound_as_it_comes(rate):
  """Agreement: a stream places gaps and odd stamps as a whole track does.

  A gap of 0.4 s, and then blocks that overlap by 0.1 s.
  """
  lags = [0.0] * 200 + [0.4] * 200 + [0.3] * 60
  track = audio_track.AudioTrack()
  stream = sound_stream.SoundStream(whole=1.0)
  parts = []
  for frame, time in blocks(rate, lags):
    track.add(frame, time)
    stream.add(frame, time)
    stream.settle(ZERO, 0)
    parts.append(stream.take(stream.ready))
  track.place(ZERO)
  stream.settle(ZERO, 0, last=True)
  assert stream.end == track.end
  length = round(track.end * 25)
  wave, covered, _ = track.render(length)
  parts += stream.rest(length, ZERO, 0)
  got, heard = (np.concatenate(x) for x in zip(*parts, strict=True))
  assert got.shape == wave.shape
  # Where blocks overlap, a track keeps the later ones and a stream the earlier.
  overlap = int((400 * 1024 / rate + 0.29) * 16000)
  same = np.arange(len(wave)) < overlap
  same |= np.arange(len(wave)) > overlap + 2000
  np.testing.assert_array_equal(heard[same], covered[same])
  np.testing.assert_allclose(got[same], wave[same], atol=1e-6)


def test_drift():
  """Law: sound whose clock runs fast is nowhere off by more than its bound."""
  rate, drift = 16000, 2e-3
  lags = [drift * k * 1024 / rate for k in range(800)]
  stream = sound_stream.SoundStream(whole=1.0)
  for frame, time in blocks(rate, lags):
    stream.add(frame, time)
    stream.settle(ZERO, 0)
  stream.settle(ZERO, 0, last=True)
  assert {kind for kind, _ in stream.notes(0)} == {'hole'}
  late = float(stream.end) - (799 * 1024 / rate + lags[-1] + 1024 / rate)
  assert abs(late) < 0.04  # two steps; without them 0.1 s


def test_an_odd_stamp():
  """Law: a stamp that is off for a moment moves nothing."""
  stream = sound_stream.SoundStream(whole=1.0)
  for frame, time in blocks(16000, [0.0] * 40 + [0.9, -0.3] + [0.0] * 40):
    stream.add(frame, time)
    stream.settle(ZERO, 0)
  stream.settle(ZERO, 0, last=True)
  assert stream.end == Fraction(82 * 1024, 16000)
