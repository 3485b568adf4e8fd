"""The synthetic corpus: repeatability, ground truth and difficulty."""

import collections
import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from avjax.clips import EMOTIONS, Clip
from avjax.data import synthetic
from avjax.errors import ConfigError
from avjax.settings import SyntheticConfig

# 490 test clips: an accuracy of 3/7 has a standard error of 0.022.
SETTINGS = SyntheticConfig(training=490, validation=10, test=490)
CEILING = 3 / 7 + 3 * 0.022


@pytest.fixture(scope='module')
def corpus() -> list[Clip]:
  return synthetic.make(SETTINGS)


def of(corpus, split):
  return [clip for clip in corpus if clip.split == split]


def assert_same(one: Clip, other: Clip):
  for field in dataclasses.fields(Clip):
    a, b = getattr(one, field.name), getattr(other, field.name)
    if isinstance(a, str):
      assert a == b
    else:
      assert a.keys() == b.keys()
      for key in a:
        np.testing.assert_array_equal(a[key], b[key])


def test_a_corpus_depends_on_the_seed():
  """Law: equal settings give equal clips; another seed gives other clips."""
  settings = SyntheticConfig(training=8, validation=7, test=7)
  first, same = synthetic.make(settings), synthetic.make(settings)
  other = synthetic.make(dataclasses.replace(settings, seed=1))
  assert len(first) == len(same) == len(other) == 22
  for a, b in zip(first, same, strict=True):
    assert_same(a, b)
  for a, b in zip(first, other, strict=True):
    frames = min(a.visual_length, b.visual_length)
    change = a.streams['shape'][:frames] - b.streams['shape'][:frames]
    assert np.abs(change).mean() > 0.5


def test_a_clip_does_not_depend_on_the_others(corpus):
  """Law: a clip is the same in a corpus of fewer clips."""
  few = synthetic.make(SyntheticConfig(training=9, validation=7, test=8))
  known = {clip.name: clip for clip in corpus}
  for clip in few:
    assert_same(clip, known[clip.name])


def test_a_clip_stays_the_same():
  """Golden: the first clip of seed 0, as NumPy made it on 2026-11-22."""
  clip = synthetic.make(SyntheticConfig(training=7, validation=7, test=7))[0]
  assert (clip.name, clip.label) == ('training-00000', 'angry')
  assert (clip.audio_length, clip.visual_length) == (51, 40)
  np.testing.assert_array_equal(clip.truth['salient'], [25, 32])
  np.testing.assert_array_equal(
    clip.truth['events'], [[6, 6], [13, 15], [27, 33], [34, 41]]
  )
  # The first frame has only noise and offset: no linear algebra, no rounding.
  np.testing.assert_allclose(
    clip.streams['shape'][0, :3], [0.93640, -1.37344, 0.27987], atol=1e-5
  )


def test_streams_are_the_papers(corpus):
  """Law: widths, rates, dtypes and lengths agree with Section 3."""
  lengths = [clip.visual_length for clip in corpus]
  assert min(lengths) == SETTINGS.shortest
  assert max(lengths) == SETTINGS.longest
  for clip in corpus:
    assert {name: x.shape[1] for name, x in clip.streams.items()} == {
      'audio': 50,
      'shape': 20,
      'appearance': 1024,
    }
    assert all(x.dtype == np.float32 for x in clip.streams.values())
    assert len(clip.streams['appearance']) == clip.visual_length
    assert abs(clip.audio_length - 1.25 * clip.visual_length) < 2
  for name in corpus[0].streams:
    values = np.concatenate([clip.streams[name] for clip in corpus[:50]])
    assert np.isfinite(values).all()
    assert 0.5 < values.std() < 2  # streams have similar magnitudes


def test_splits_are_balanced_and_share_no_speaker(corpus):
  """Law: counts of emotions differ by at most one; splits are in order."""
  speakers = collections.defaultdict(set)
  for clip in corpus:
    speakers[clip.split].add(clip.speaker)
  for split in synthetic.SPLITS:
    clips = of(corpus, split)
    assert len(clips) == getattr(SETTINGS, split)
    counts = collections.Counter(clip.label for clip in clips)
    assert counts.keys() == set(EMOTIONS)
    assert max(counts.values()) - min(counts.values()) <= 1
    for other in set(synthetic.SPLITS) - {split}:
      assert not speakers[split] & speakers[other]
  assert len(speakers['training']) == SETTINGS.speakers
  assert len({clip.name for clip in corpus}) == len(corpus)
  assert [clip.split for clip in corpus] == sorted(
    (clip.split for clip in corpus), key=synthetic.SPLITS.index
  )


def test_truth_is_inside_the_clip_and_the_window(corpus):
  """Equation: j = p_t + lag, one lag per clip, in the window of Section 2.1."""
  lags = collections.Counter()
  for clip in corpus:
    start, stop = clip.truth['salient']
    assert 0 <= start < stop <= clip.visual_length
    frame, audio_frame = clip.truth['events'].T
    assert ((frame >= start) & (frame < stop)).any()
    assert np.unique(frame).size == frame.size
    assert ((audio_frame >= 0) & (audio_frame < clip.audio_length)).all()
    p = [
      int(np.floor((2 * t + 1) * clip.audio_length / (2 * clip.visual_length)))
      for t in frame
    ]
    (lag,) = set((audio_frame - p).tolist())
    lags[lag] += 1
  assert lags.keys() == {-2, -1, 0, 1}
  assert min(lags.values()) > len(corpus) / 8


def test_truth_agrees_with_the_codes(corpus):
  """Law: matched filters find every code, with its amplitude, at the truth."""
  code = synthetic.codes(SETTINGS.seed)
  wide = code.appearance.T / (code.appearance**2).sum(1)  # its pseudo-inverse
  found = collections.defaultdict(list)
  for clip in of(corpus, 'test'):
    row, column = synthetic.GRID[clip.label]
    frame, audio_frame = clip.truth['events'].T
    salient = np.zeros(clip.visual_length, bool)
    salient[slice(*clip.truth['salient'])] = True
    voice, inside = clip.streams['audio'], audio_frame[salient[frame]]
    found['onset'].append((voice[audio_frame] @ code.onset).mean())
    found['column'].append((voice[inside] @ code.column[column]).mean())
    for stream, face in (
      ('shape', clip.streams['shape']),
      ('appearance', clip.streams['appearance'] @ wide),
    ):
      shown = (face[salient] @ code.row[stream].T).mean(0)
      found['row'].append(shown[row])
      found['other rows'].append((shown.sum() - shown[row]) / 2)
      marker, beat = face @ code.marker[stream], face @ code.beat[stream]
      found['marker'].append(marker[salient].mean())
      found['no marker'].append(marker[~salient].mean())
      found['beat'].append(beat[frame].mean())
      found['no beat'].append(np.delete(beat, frame).mean())
  mean = {name: np.mean(values) for name, values in found.items()}
  # The mean of ten speakers' offsets has std 0.1, that of the noise 0.02.
  for name in ('onset', 'column', 'beat'):
    assert mean[name] == pytest.approx(SETTINGS.event, abs=0.3), name
  assert mean['row'] == pytest.approx(SETTINGS.expression, abs=0.3)
  assert mean['marker'] == pytest.approx(SETTINGS.marker, abs=0.3)
  for name in ('other rows', 'no marker', 'no beat'):
    assert mean[name] == pytest.approx(0, abs=0.3), name


def test_decoys_lie_outside_every_window(corpus):
  """Law: the window of an event has no other onset."""
  code = synthetic.codes(SETTINGS.seed)
  wrong = total = decoys = 0
  for clip in corpus[:100]:
    onset = clip.streams['audio'] @ code.onset
    loud = set(np.flatnonzero(onset > SETTINGS.event / 2).tolist())
    events = clip.truth['events'][:, 1].tolist()
    decoys += len(loud - set(events))
    for frame, event in clip.truth['events']:
      middle = synthetic.centre(frame, clip.visual_length, clip.audio_length)
      window = range(middle - 2, middle + 2)
      assert event in window
      wrong += len((loud - {event}) & set(window))
      total += 1
  assert wrong < 0.01 * total  # noise rarely exceeds half the amplitude
  assert decoys > 0.8 * total


def features(clips: list[Clip], name: str) -> np.ndarray:
  """Returns a stream's mean over the salient frames, which the truth gives."""
  rows = []
  for clip in clips:
    start, stop = clip.truth['salient']
    frame, audio_frame = clip.truth['events'].T
    inside = (frame >= start) & (frame < stop)
    used = audio_frame[inside] if name == 'audio' else np.arange(start, stop)
    rows.append(clip.streams[name][used].mean(0))
  return np.stack(rows)


def score(train: np.ndarray, test: np.ndarray, corpus) -> float:
  labels = [[c.label for c in of(corpus, s)] for s in ('training', 'test')]
  model = LogisticRegression(C=0.01, max_iter=2000).fit(train, labels[0])
  return model.score(test, labels[1])


def test_the_label_needs_both_streams(corpus):
  """Law: one modality is at most 3/7 correct, even if the segment is known."""
  train, test = of(corpus, 'training'), of(corpus, 'test')
  found = {
    name: (features(train, name), features(test, name))
    for name in ('audio', 'shape', 'appearance')
  }
  for name, (x, y) in found.items():
    assert 0.3 < score(x, y, corpus) < CEILING, name
  both = [np.hstack([found['audio'][i], found['shape'][i]]) for i in (0, 1)]
  assert score(*both, corpus) > 0.85


def test_means_over_time_are_not_enough(corpus):
  """Law: a classifier of the means over a clip stays below the ceiling."""
  means = [
    np.stack(
      [
        np.hstack([x.mean(0) for x in clip.streams.values()])
        for clip in of(corpus, split)
      ]
    )
    for split in ('training', 'test')
  ]
  assert score(*means, corpus) < CEILING


@pytest.mark.parametrize(
  'change',
  [
    {'share': 0.1},
    {'segments': 6},
    {'spacing': 4},
    {'longest': 39},
    {'speakers': 0},
  ],
)
def test_settings_without_room_are_refused(change):
  """Law: impossible settings are refused; the error names the setting."""
  with pytest.raises(ConfigError, match=next(iter(change))):
    SyntheticConfig(**change)
