"""The audio features against Yaafe's engine, against loops, on edge cases."""

import pathlib

import numpy as np
import pytest

from avjax.errors import ConfigError, DataError
from avjax.features import audio
from avjax.features.audio import filters, framing, streamed_columns
from tests.features import yaafe_loops

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden' / 'yaafe_speech.npz'


def assert_close(found, wanted, name, rounding=1e-9):
  """Asserts equality up to 1e-5, or `rounding` times the largest value.

  The two programs add float64 numbers in different orders; the error of a sum
  is relative to the largest value. NaN must be at the same positions.
  """
  assert found.dtype == np.float64, name
  assert found.shape == wanted.shape, name
  largest = np.nanmax(np.abs(wanted), initial=0)
  np.testing.assert_allclose(
    found, wanted, rtol=1e-5, atol=rounding * largest, err_msg=name
  )


@pytest.fixture(scope='module')
def speech():
  """Returns the waveform and Yaafe's arrays; see yaafe_speech.md."""
  with np.load(GOLDEN) as arrays:
    found = dict(arrays)
  return found.pop('waveform') / 32768, found


def test_tables(speech):
  """Golden: filters and bands from formulas equal Yaafe's at 16 kHz."""
  _, wanted = speech
  edges = filters.mel_edges()
  np.testing.assert_allclose(edges, wanted['mel_edges'], rtol=1e-13)
  np.testing.assert_array_equal(filters.bark_edges(), wanted['bark_edges'])
  np.testing.assert_allclose(filters.octave_peaks(), wanted['octave_peaks'])
  bands = filters.quarter_octaves()
  np.testing.assert_array_equal(bands, wanted['quarter_octaves'])


@pytest.mark.parametrize('name', [n for n in audio.FEATURES if n != 'Frames'])
def test_speech(speech, name):
  """Golden: every frame of every feature equals Yaafe's."""
  waveform, wanted = speech
  found = audio.extract(waveform, [name])[name]
  assert_close(found, wanted[name], name)


def chirp():
  """Returns a chirp with digital silence in it, longer than a long frame."""
  t = np.arange(36500) / 16000
  x = 0.7 * np.sin(2 * np.pi * (60 * t + 1500 * t**2))
  x[12000:16500] = 0
  x[20000] = 0
  return x


def bursts():
  """Returns bursts of noise in silence and a click, in 16-bit samples."""
  rng = np.random.default_rng(3)
  x = np.zeros(16385)
  for start, length, level in ((0, 700, 0.3), (5000, 3000, 1e-3), (9000, 9, 1)):
    x[start : start + length] = level * rng.uniform(-1, 1, length)
  x[14000] = 0.5
  return np.round(32768 * x) / 32768


@pytest.mark.parametrize('make', [chirp, bursts])
def test_loops(make):
  """Equation: every feature equals loops over frames and bins."""
  x = make()
  wanted = yaafe_loops.features(x)
  found = audio.extract(x, audio.FEATURES)
  assert set(wanted) == set(found)
  for name in found:
    assert_close(found[name], wanted[name], name)


@pytest.mark.parametrize('samples', [1, 300, 511, 512, 513])
def test_short_clips(samples):
  """Equation: clips shorter than a frame or a step, down to one sample."""
  x = np.random.default_rng(samples).integers(-9, 9, samples) / 32768
  x[0] = 11 / 32768
  wanted = yaafe_loops.short_features(x)
  found = audio.extract(x, wanted)
  for name in found:
    assert_close(found[name], wanted[name], name)


@pytest.mark.parametrize(
  ('samples', 'short', 'long'),
  [
    (1, 1, 1),
    (512, 1, 1),
    (513, 2, 1),
    (16384, 32, 1),
    (16385, 33, 2),
    (70000, 137, 5),
  ],
)
def test_counts(samples, short, long):
  """Law: a clip of n samples has ceil(n / step) short and long frames."""
  found = audio.extract(np.ones(samples), ['ZCR', 'Envelope'])
  assert found['ZCR'].shape == (short, 1)
  assert found['Envelope'].shape == (long, 164)


def test_silence():
  """Equation: features of digital silence, derived by hand."""
  found = audio.extract(np.zeros(2000), audio.FEATURES)
  for name, value in {
    'LPC': np.nan,
    'LSF': np.nan,
    'SpectralFlatness': 1,
    'SpectralCrestFactorPerBand': 1,
    'SpectralRolloff': 7921.875,
    'SpectralFlux': 0,
    'OBSI': np.log(1e-3 * 2.0**-52),
    'TemporalShapeStatistics': [[0, 2.0**-52, 0, -3]] * 4,
    'AmplitudeModulation': [[1638 / 409.6, 0, 0, 0, 4095 / 409.6, 0, 0, 0]],
  }.items():
    wanted = np.broadcast_to(value, found[name].shape)
    np.testing.assert_allclose(found[name], wanted, rtol=1e-12, err_msg=name)
  centroid = found['SpectralShapeStatistics'][:, 0]
  np.testing.assert_allclose(centroid, 256, rtol=1e-12)


@pytest.mark.parametrize('preset', audio.PRESETS)
def test_columns(speech, preset):
  """Law: columns are all features; long frames are repeated 32 times."""
  waveform, _ = speech
  names = audio.PRESETS[preset]
  found = audio.columns(waveform, preset)
  features = audio.extract(waveform, names)
  wanted = []
  for name in names:
    rows = features[name]
    if len(rows) < len(found):
      rows = np.stack([rows[t // 32] for t in range(len(found))])
    wanted.append(rows)
  wanted = np.concatenate(wanted, axis=1)
  assert found.shape == (94, audio.width(preset))
  np.testing.assert_array_equal(found, np.nan_to_num(wanted))


def test_presets():
  """Law: the presets have the published numbers of features and columns."""
  widths = {name: audio.width(name) for name in audio.PRESETS}
  assert widths == {'documented': 861, 'v0.65': 901, 'paper-939': 939}
  assert len(audio.PRESETS['documented']) == 26
  assert len(audio.PRESETS['v0.65']) == 27


def test_derivatives():
  """Equation: least-squares slope over nine frames, and its change."""
  x = np.random.default_rng(0).normal(0, 0.1, 16000)
  names = ['Energy', 'Energy first', 'Energy second']
  e, first, second = (rows[:, 0] for rows in audio.extract(x, names).values())
  F = len(e)
  d = np.zeros(F)
  for t in range(F):
    for k in range(-4, 5):
      d[t] += k * e[t + k] / 60 if 0 <= t + k < F else 0
  np.testing.assert_allclose(first, d, atol=1e-15)
  for t in range(F):
    after = d[t + 1] if t + 1 < F else 0
    before = d[t - 1] if t else 0
    assert second[t] == pytest.approx((after - before) / 2, abs=1e-15)


def test_features_do_not_depend_on_blocks(speech):
  """Law: features depend only on a frame's samples and two frames before."""
  waveform = np.tile(speech[0], 3)
  names = [name for name in audio.FEATURES if audio.FEATURES[name].width < 100]
  whole = audio.extract(waveform, names)
  part = audio.extract(waveform[70 * 512 :], names)
  for name in names:
    if audio.FEATURES[name].framing is framing.SHORT:
      assert_close(part[name][4:], whole[name][74:], name)


@pytest.mark.parametrize('level', [1e-300, 1e-160, 1e-61, 1e-59, 1e-20, 2e9])
def test_all_levels_are_finite(level):
  """Law: columns are finite in float32 at any level, without warnings."""
  x = np.zeros(20000)
  x[3000:9000] = level * np.sin(np.arange(6000))
  x[15000] = level
  for preset in audio.PRESETS:
    found = audio.columns(x, preset)
    assert np.isfinite(found.astype(np.float32)).all()


@pytest.mark.parametrize(
  'x',
  [
    np.zeros(1),
    np.ones(1),
    np.zeros(40000),
    np.full(1023, 0.1),
    np.where(np.arange(2000) == 7, 0.3, 0),  # its variance rounds below zero
  ],
)
def test_degenerate_clips_are_finite(x):
  """Law: one sample, silence, a constant and a click give finite columns."""
  found = audio.columns(x)
  assert found.shape == (-(-len(x) // 512), 901)
  assert np.isfinite(found.astype(np.float32)).all()


@pytest.mark.parametrize(
  ('waveform', 'message'),
  [
    (np.zeros(0), 'empty'),
    (np.zeros((100, 2)), r'shape \(100, 2\)'),
    (np.zeros(100, np.int16), 'int16'),
    (np.array([0.1, np.nan]), 'nan'),
    (np.array([0.1, -np.inf]), 'inf'),
    (np.array([0.1, 1e11]), '100000000000'),
  ],
)
def test_invalid_waveforms(waveform, message):
  """Law: an invalid waveform is refused; the error names what was found."""
  with pytest.raises(DataError, match=message):
    audio.columns(waveform)


def test_no_such_feature():
  """Law: an unknown name or preset is refused; the error lists the choices."""
  with pytest.raises(ConfigError, match="'MFCCs' is not an audio feature"):
    audio.extract(np.ones(9), ['MFCCs'])
  with pytest.raises(ConfigError, match='no derivative'):
    audio.extract(np.ones(9), ['Envelope first'])
  with pytest.raises(ConfigError, match=r"'v1'.*v0\.65"):
    audio.width('v1')


@pytest.mark.parametrize('preset', ['v0.65', 'paper-939'])
@pytest.mark.parametrize('samples', [500, 52_000, 80_001])
def test_streamed_columns(preset, samples):
  """Agreement: columns of pieces of sound are those of the whole."""
  random = np.random.default_rng(0)
  wave = random.normal(0, 0.1, samples)
  wave[20_000:30_000] = 0
  made = streamed_columns.StreamedColumns(preset, rows=32)
  rows = []
  for k in range(0, samples, 7000):
    rows += made.add(wave[k : k + 7000])
  got = np.concatenate([*rows, made.finish()])
  want = audio.columns(wave, preset)
  assert got.shape == want.shape
  scale = np.maximum(np.abs(want).max(axis=0), 1e-30)
  np.testing.assert_allclose(got / scale, want / scale, atol=1e-9)
