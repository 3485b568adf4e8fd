"""Standardising: by speaker, by recording, by enrolment."""

import dataclasses
import hashlib

import numpy as np
import pytest

from avjax.clips import Clip
from avjax.data import standardising
from avjax.errors import DataError
from avjax.settings import DataConfig


def made(count=40, speakers=4, seed=0):
  """Returns clips of speakers who differ."""
  rng = np.random.default_rng(seed)
  return [
    Clip(
      f'clip {i}',
      {
        'audio': rng.normal(i % speakers, 3, (5 + i, 2)).astype(np.float32),
        'shape': rng.normal(5, 1 + i % 2, (4 + i, 3)).astype(np.float32),
      },
      label='sad' if i % 4 else 'happy',
      speaker=f's{i % speakers}',
    )
    for i in range(count)
  ]


def moments(values):
  """Returns mean and variance of some numbers."""
  mean = sum(values) / len(values)
  return mean, sum((value - mean) ** 2 for value in values) / len(values)


def column(clips, stream, k):
  return [float(x) for clip in clips for x in clip.streams[stream][:, k]]


@pytest.mark.parametrize('how', ['speaker', 'recording'])
def test_standardise(how):
  """Equation: (x - mean) / std of the speaker's, or the clip's own, frames."""
  clips = made(6, 2)
  for i, after in enumerate(standardising.standardise(clips, how)):
    own = clips[i % 2 :: 2] if how == 'speaker' else [clips[i]]
    for stream, x in after.streams.items():
      for k in range(x.shape[1]):
        mean, variance = moments(column(own, stream, k))
        raw = clips[i].streams[stream][:, k].astype(np.float64)
        wanted = (raw - mean) / variance**0.5
        # Rounded to float32 once: half of the relative step of 1.2e-7.
        np.testing.assert_allclose(x[:, k], wanted, rtol=1e-7)
      assert x.dtype == np.float32
  for how in ('none', 'enrolment'):
    assert standardising.standardise(clips, how) == clips


def test_constant_columns():
  """Law: rounding errors are not scaled up; small varying values are."""
  x = np.zeros((4, 3), np.float32)
  x[:, 0] = 1000
  x[0, 0] = np.nextafter(np.float32(1000), np.float32(2000))
  x[:, 1] = [1e-9, -1e-9, 1e-9, -1e-9]
  clips = [Clip(name, {'shape': x}, speaker=name) for name in ('a', 'b', 'c')]
  data = DataConfig(standardise='enrolment', enrolment=1, enrolment_clips=1)
  twice = [*clips, *(dataclasses.replace(c, name=c.name * 2) for c in clips)]
  parts = {'training': twice[::3], 'test': twice[1::3] + twice[2::3]}
  enrolled = standardising.enrol(twice, parts, data)
  for clip in (
    standardising.standardise(clips, 'speaker')[0],
    enrolled.splits['test'][0],
  ):
    done = clip.streams['shape']
    assert np.abs(done[:, 0]).max() < 1e-3
    np.testing.assert_allclose(np.abs(done[:, 1]), 1, rtol=1e-6)
    assert not done[:, 2].any()


def test_standardise_needs_speakers():
  """Law: clips without a speaker cannot be standardised by speaker."""
  unknown = [dataclasses.replace(clip, speaker='') for clip in made(2)]
  with pytest.raises(DataError, match='no speaker'):
    standardising.standardise(unknown, 'speaker')


APART = 4


def enrolled(clips, **data):
  """Returns the clips after enrolment; s2 validates, s3 is tested."""
  split_of = {'s2': 'validation', 's3': 'test'}
  parts = {'training': [], 'validation': [], 'test': []}
  for clip in clips:
    parts[split_of.get(clip.speaker, 'training')].append(clip)
  return standardising.enrol(
    clips, parts, DataConfig(enrolment_clips=APART, **data)
  )


def by_hash(clips, speaker):
  """Returns the clips of a speaker in the documented order."""
  return sorted(
    (clip for clip in clips if clip.speaker == speaker),
    key=lambda c: hashlib.sha256(f'enrolment {c.name}'.encode()).hexdigest(),
  )


@pytest.mark.parametrize('count', [0, 3])
def test_enrolment(count):
  """Equation: n / (n + r) of the speaker's own moments, the rest the average's.

  r is the frames of two clips. Training speakers have all of their clips.
  """
  clips = made()
  done = enrolled(clips, standardise='enrolment', enrolment=count)
  own = by_hash(clips, 's3')
  training = [[c for c in clips if c.speaker == name] for name in ('s0', 's1')]
  both = [*training[0], *training[1]]
  for stream in ('audio', 'shape'):
    frames = sum(len(c.streams[stream]) for c in both) / len(both)
    n = sum(len(clip.streams[stream]) for clip in own[:count])
    for k in range(clips[0].streams[stream].shape[1]):
      each = [moments(column(members, stream, k)) for members in training]
      mean, variance = (sum(pair) / 2 for pair in zip(*each, strict=True))
      if count:
        m, v = moments(column(own[:count], stream, k))
        weight = n / (n + 2 * frames)
        mean = weight * m + (1 - weight) * mean
        variance = weight * v + (1 - weight) * variance
      got = column(sorted(done.splits['test'], key=lambda c: c.name), stream, k)
      raw = column(sorted(own[APART:], key=lambda c: c.name), stream, k)
      wanted = [(x - mean) / variance**0.5 for x in raw]
      # Rounded to float32 once; a value near 0 is a difference of doubles.
      np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-12)
  whole = {c.name: c for c in standardising.standardise(clips, 'speaker')}
  for clip in done.splits['training']:
    for stream, x in clip.streams.items():
      assert (x == whole[clip.name].streams[stream]).all()


def test_set_apart():
  """Law: the same clips are tested, however clips are standardised.

  Which they are depends on neither labels nor order, and no clip is lost.
  """
  clips = made()
  other = [dataclasses.replace(c, label='happy') for c in reversed(clips)]
  found = [
    enrolled(some, standardise=how, enrolment=count)
    for some in (clips, other)
    for how, count in (('none', 0), ('enrolment', 0), ('enrolment', 4))
  ]
  names = [{k: {c.name for c in v} for k, v in f.splits.items()} for f in found]
  assert all(one == names[0] for one in names)
  for name, split in ('s2', 'validation'), ('s3', 'test'):
    own = [clip.name for clip in by_hash(clips, name)]
    assert names[0][split] == set(own[APART:])
    assert set(own[:APART]) <= {clip.name for clip in found[0].apart}
  assert [c.name for c in found[-1].clips] == [c.name for c in other]
  apart = {clip.name for clip in found[0].apart}
  assert len(apart) == 2 * APART
  assert apart | set().union(*names[0].values()) == {c.name for c in clips}


def test_speakers_of_another_store():
  """Law: they are standardised as the tested speakers are; few clips: error."""
  clips = made()
  done = enrolled(clips, standardise='enrolment', enrolment=2)
  data = DataConfig(standardise='enrolment', enrolment=2, enrolment_clips=APART)
  strange = [clip for clip in clips if clip.speaker == 's3']
  got = standardising.strangers(strange, done.average, data)
  single = standardising.stranger(
    by_hash(clips, 's3')[-1],
    'enrolment',
    by_hash(clips, 's3')[:2],
    done.average,
  )
  for clip, wanted in zip(
    [*got, single],
    [*done.splits['test']]
    + [c for c in done.splits['test'] if c.name == single.name],
    strict=True,
  ):
    for stream, x in clip.streams.items():
      assert (x == wanted.streams[stream]).all()
  with pytest.raises(DataError, match=r'no more clips than that \(s3: 4\)'):
    standardising.strangers(strange[:4], done.average, data)


def test_a_stranger_alone():
  """Law: by own frames, unless there are recordings of the speaker."""
  clips = [c for c in made() if c.speaker == 's3']
  own = standardising.standardise(clips[:1], 'recording')[0]
  for how in ('speaker', 'recording'):
    alone = standardising.stranger(clips[0], how, [], {})
    assert (alone.streams['audio'] == own.streams['audio']).all()
  whole = standardising.standardise(clips, 'speaker')[0]
  known = standardising.stranger(clips[0], 'speaker', clips, {})
  assert (known.streams['audio'] == whole.streams['audio']).all()
  assert standardising.stranger(clips[0], 'none', clips, {}) is clips[0]
