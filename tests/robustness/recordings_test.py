"""Clips of a store under disturbances."""

import dataclasses
import pathlib

import numpy as np
import pytest

from avjax.clips import Clip, RawClip
from avjax.errors import DataError
from avjax.features import landmarks, whitening
from avjax.features.columns import Measure
from avjax.features.extractor import Extractor
from avjax.robustness import conditions, recordings
from avjax.robustness.conditions import Condition
from avjax.settings import FeaturesConfig

FRAMES = 30


class Decoder(Measure):
  """Stands for a `Measure`: the sound and the points of four speakers."""

  def __init__(self, points=True):
    self.landmarks = points or None
    self.decoded = []

  def decode(self, path, name, folder):
    self.decoded.append(name)
    random = np.random.default_rng(int(name))
    sound = random.normal(0, 0.1, 640 * FRAMES)
    raw = RawClip(name, None, sound, sound == sound, FRAMES)
    if not self.landmarks:
      return raw
    points = FACE + random.normal(0, 3, (FRAMES, 1, 2)).cumsum(axis=0)
    found = np.arange(FRAMES) != 4
    return dataclasses.replace(raw, points=points, found=found)


FACE = np.random.default_rng(9).uniform(100, 300, (49, 2))
FACE[19:31] = [(150, 200)] * 6 + [(250, 210)] * 6


def made(folder, points=True):
  """Returns a store's recordings, and its clips."""
  decoder = Decoder()
  raws = [decoder.decode('', str(k), '') for k in range(6)]
  shapes = [landmarks.normalise(raw.points, raw.found) for raw in raws]
  sounds = [recordings.audio.columns(raw.waveform) for raw in raws]
  fitted = Extractor(
    FeaturesConfig(streams=('audio', 'shape')), '', '', (),
    whitening.fit([x.astype(np.float32) for x in sounds], 4),
    whitening.fit([np.random.default_rng(0).normal(size=(500, 98))], 5),
    None,
  )  # fmt: skip
  clips = []
  for raw, shape, sound in zip(raws, shapes, sounds, strict=True):
    (folder / f'{raw.name}.wav').write_bytes(b'')
    found = raw.found[:, None]
    streams = {
      'audio': fitted.audio(sound.astype(np.float32)),
      'shape': np.where(found, fitted.shape(shape), 0),
      'face': found.astype(np.float32),
    }
    clips.append(Clip(raw.name, streams, speaker=f's{int(raw.name) % 3}'))
  measure = Decoder(points)
  return recordings.Recordings(0, fitted, clips, folder, measure), clips


def test_jitter(tmp_path):
  """Agreement: on the points, and as it goes on linearly without them.

  Frames without a face stay as they are.
  """
  first, clips = made(tmp_path)
  second, _ = made(tmp_path, points=False)
  jitter = Condition(conditions.JITTER, 2.0)
  moved = []
  for source in (first, second):
    clip = source.disturbed(clips[0], jitter)
    moved.append(clip.streams['shape'] - clips[0].streams['shape'])
    assert not moved[-1][4].any()
    assert clip.streams['audio'] is clips[0].streams['audio']
  # Eyes that move turn and scale the face, which the second leaves out, and
  # the picture is turned: only the size of the jitter is the same.
  sizes = [np.std(one[np.arange(FRAMES) != 4]) for one in moved]
  assert sizes[0] == pytest.approx(sizes[1], rel=0.15)
  assert sizes[1] > 0


def test_sound(tmp_path):
  """Law: a level is more of the same noise; a babble has no own voice.

  Only the audio changes, and a clip is decoded once.
  """
  source, clips = made(tmp_path)
  source._measure.decoded.clear()
  heard = {}
  for kind in (conditions.WHITE, conditions.BABBLE, conditions.ROOM):
    for level in kind.levels:
      clip = source.disturbed(clips[1], Condition(kind, level))
      assert clip.streams['shape'] is clips[1].streams['shape']
      gap = clip.streams['audio'] - clips[1].streams['audio']
      heard[kind.name, level] = np.abs(gap).mean()
  for kind in (conditions.WHITE, conditions.BABBLE):
    each = [heard[kind.name, level] for level in kind.levels]
    assert each == sorted(each) and each[0] > 0
  assert not source._measure.decoded  # the pool of voices has all of them
  again = source.disturbed(clips[1], Condition(conditions.WHITE, 0.0))
  other, _ = made(tmp_path)
  same = other.disturbed(clips[1], Condition(conditions.WHITE, 0.0))
  assert (again.streams['audio'] == same.streams['audio']).all()
  none = source.disturbed(clips[1], Condition(conditions.LATE, 0.0))
  np.testing.assert_allclose(
    none.streams['audio'], clips[1].streams['audio'], atol=1e-5
  )


def test_streams():
  """Law: lost frames are zero in all that is seen; sound is shifted in time."""
  rng = np.random.default_rng(0)
  streams = {
    'audio': rng.normal(size=(50, 2)).astype(np.float32),
    'shape': rng.normal(size=(40, 3)).astype(np.float32),
    'face': np.ones((40, 1), np.float32),
  }
  clip, source = Clip('a', streams), recordings.Streams(0)
  for kind in (conditions.LOST, conditions.BURSTS):
    found = source.disturbed(clip, Condition(kind, 0.3)).streams
    lost = found['face'][:, 0] == 0
    assert lost.sum() == 12
    assert not found['shape'][lost].any() and found['shape'][~lost].all()
    assert found['audio'] is streams['audio']
  late = source.disturbed(clip, Condition(conditions.LATE, 0.2)).streams
  # 40 frames are 1.6 s, so 0.2 s are 6.25 of 50.
  assert not late['audio'][:6].any()
  assert (late['audio'][6:] == streams['audio'][:-6]).all()


def test_other_recordings(tmp_path):
  """Law: files that are missing, or that give other columns, are refused."""
  source, clips = made(tmp_path)
  fitted, measure = source._fitted, source._measure
  wrong = [dataclasses.replace(clips[0], name='5'), *clips[1:5]]
  with pytest.raises(DataError, match='5, measured anew, has another audio'):
    recordings.Recordings(0, fitted, wrong, tmp_path, measure)
  (tmp_path / '2.wav').unlink()
  with pytest.raises(DataError, match=r'1 recordings of .* \(2: there is no'):
    recordings.Recordings(0, fitted, clips, tmp_path, measure)
  hashed = [dataclasses.replace(clip, source='0' * 64) for clip in clips[:1]]
  with pytest.raises(DataError, match='is not the file in the store'):
    recordings.Recordings(0, fitted, hashed, tmp_path, measure)
  with pytest.raises(DataError, match='is not a folder'):
    recordings.Recordings(0, fitted, clips, pathlib.Path('none'), measure)
