"""A stream of sound and pictures against whole clips."""

import dataclasses

import jax
import numpy as np
import pytest

import avjax
from avjax.clips import Clip
from avjax.data import standardising
from avjax.errors import ConfigError, DataError
from avjax.features import audio, landmarks
from avjax.features.extractor import Extractor
from avjax.features.whitening import Whitener
from avjax.models.averaged import Averaged
from avjax.recognition.recogniser import Recogniser
from avjax.runs.model import Predictor
from avjax.settings import FeaturesConfig
from avjax.streaming import causal, live_stream
from avjax.streaming.running import RunningMoments, RunningShape
from tests.models.classifiers_test import EMOTIONS, SMALL

WIDTHS = {'audio': 5, 'shape': 4}
SECONDS = 3.6
RANDOM = np.random.default_rng(0)


def whitener(columns, width):
  return Whitener(
    np.zeros(columns),
    np.full(columns, 0.5),
    np.zeros(columns),
    RANDOM.standard_normal((columns, width)) / np.sqrt(columns),
  )


class Network(Predictor):
  """Stands for a trained network."""

  def __init__(self, settings):
    module = avjax.build(settings, EMOTIONS)
    batch = avjax.Batch(
      audio=np.zeros((1, 2, WIDTHS['audio']), np.float32),
      visual={'shape': np.zeros((1, 2, WIDTHS['shape']), np.float32)},
      audio_length=np.array([2]),
      visual_length=np.array([2]),
    )
    shapes = jax.eval_shape(module.init, jax.random.key(0), batch)['params']
    self._parameters = jax.tree.map(
      lambda s: RANDOM.standard_normal(s.shape).astype(np.float32), shapes
    )

  def parameters(self):
    return self._parameters


def recogniser(standardise='none', streams=('audio', 'shape')):
  settings = dataclasses.replace(SMALL, streams=('audio', 'shape'))
  network = Network(settings)
  settings = dataclasses.replace(settings, streams=streams)
  fitted = Extractor(
    FeaturesConfig(streams=('audio', 'shape')), '', '', (),
    whitener(901, WIDTHS['audio']), whitener(98, WIDTHS['shape']), None,
  )  # fmt: skip
  return Recogniser(
    'made', EMOTIONS, settings, WIDTHS, (network,), fitted,
    standardise=standardise,
  )  # fmt: skip


class Follower:
  """Finds the landmarks that a picture holds instead of a face."""

  def __init__(self, detector, room):
    assert room == 0

  def add(self, number, picture):
    return [(number, picture)] if picture.any() else []


@pytest.fixture
def made(monkeypatch):
  """Sound, pictures at 30 a second with their times, frames of 25 a second."""
  monkeypatch.setattr(landmarks, 'Detector', lambda: None)
  monkeypatch.setattr(landmarks, 'Follower', Follower)
  random = np.random.default_rng(1)
  waveform = 0.1 * random.standard_normal(round(SECONDS * 16000))
  pictures = random.uniform(50, 60, (108, 49, 2))
  pictures[:, landmarks.EYES[1], 0] += 40 + np.arange(108)[:, None] / 9
  pictures[40:50] = 0
  times = (np.arange(108) + random.uniform(-0.2, 0.2, 108)) / 30
  times[0] = 0
  frames = np.arange(90) / 25
  nearest = np.abs(times[None] - frames[:, None]).argmin(1)
  return waveform, pictures, times, pictures[nearest]


def streamed(stream, made):
  """The moments of a stream: sound in blocks of 20 ms, beside pictures."""
  waveform, pictures, times, _ = made
  moments, heard = [], 0
  for picture, time in zip(pictures, times, strict=True):
    while heard / 16000 <= time:
      block = waveform[heard : heard + 320]
      moments += stream.hear(block, 5 + heard / 16000)
      heard += 320
    moments += stream.see(picture, 5 + time)
  while heard < len(waveform):
    moments += stream.hear(waveform[heard : heard + 320], 5 + heard / 16000)
    heard += 320
  assert moments and stream.provisional().provisional > 0
  return moments + stream.end()


@pytest.mark.parametrize('standardise', ['none', 'recording'])
def test_a_stream_is_the_clip(made, standardise):
  """Agreement: as the whole clip by running statistics, to 1e-5."""
  own = recogniser(standardise)
  moments = streamed(avjax.stream(own), made)
  waveform, _, _, points = made
  found = points.any((1, 2))
  shape = np.zeros((len(points), 98), np.float32)
  for t in range(len(points)):
    # As the last frame of a clip that ends here.
    shape[t] = landmarks.normalise(points[: t + 1], found[: t + 1])[-1]
  white = np.where(found[:, None], own.extractor.shape(shape), 0)
  clip = Clip(
    '', {'audio': own.extractor.audio(audio.columns(waveform)), 'shape': white}
  )
  if standardise == 'recording':
    ends = {
      name: [
        standardising.stranger(
          Clip('', {name: rows[: n + 1]}), 'recording', (), {}
        ).streams[name][-1]
        for n in range(len(rows))
      ]
      for name, rows in clip.streams.items()
    }
    clip = Clip('', {k: np.array(v) for k, v in ends.items()})
  model = causal.with_ratio(
    Averaged(own.settings, EMOTIONS, own.members), live_stream.AUDIO_RATIO
  )
  whole = model(
    audio=clip.streams['audio'][None].astype(np.float32),
    shape=clip.streams['shape'][None].astype(np.float32),
    audio_length=np.array([clip.audio_length]),
    visual_length=np.array([clip.visual_length]),
  )
  assert [m.frames for m in moments] == [*range(1, 91)]
  np.testing.assert_allclose(
    moments[-1].probabilities, whole['probabilities'][0], rtol=0, atol=1e-5
  )


def test_running_statistics():
  """Law: after n frames those of a clip of n frames, constant columns too."""
  rows = np.random.default_rng(2).normal(3, [2, 0, 1e-9], (7, 3))
  found = RunningMoments(3)(rows)
  for n in range(1, 8):
    clip = standardising.stranger(
      Clip('', {'x': rows[:n]}), 'recording', (), {}
    )
    np.testing.assert_allclose(found[n - 1], clip.streams['x'][-1], atol=1e-5)
  assert not RunningShape()(np.ones((49, 2))).any()  # the eyes coincide


class Columns:
  """Takes the sound of a stream and keeps it."""

  def __init__(self, preset, rows):
    self.kept = np.zeros(0)

  def add(self, samples):
    self.kept = np.concatenate([self.kept, samples])
    return []


def test_missing_sound(made, monkeypatch):
  """Law: sound that is missing is silence, and none is heard twice."""
  monkeypatch.setattr(live_stream, 'StreamedColumns', Columns)
  waveform, *_ = made
  stream = avjax.stream(recogniser())
  stream.hear(waveform[:3200], 7.0)
  stream.hear(waveform[3200:4800], 7.21)  # as if joined
  stream.hear(waveform[6400:8000], 7.4)
  stream.hear(waveform[4800:9600], 7.3)
  wanted = waveform[:9600].copy()
  wanted[4800:6400] = 0
  np.testing.assert_array_equal(stream._columns.kept, wanted)


def test_faults(made):
  """Law: what a stream cannot go on with, and models it has no streams of."""
  waveform, pictures, *_ = made
  stream = avjax.stream(recogniser())
  stream.hear(waveform[:100], 0.0)
  with pytest.raises(DataError, match='one rate'):
    stream.hear(waveform, 0.1, rate=8000)
  with pytest.raises(DataError, match='begin another stream'):
    stream.hear(waveform, 40.0)
  stream.see(pictures[0], 1.0)
  with pytest.raises(DataError, match='begin another stream'):
    stream.see(pictures[1], 1.0)
  with pytest.raises(ConfigError, match='appearance'):
    avjax.stream(recogniser(streams=('appearance',)))
