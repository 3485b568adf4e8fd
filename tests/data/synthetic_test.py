import collections
import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from avjax.clips import EMOTIONS, Clip
from avjax.data import synthetic
from avjax.errors import ConfigError
from avjax.settings import SyntheticConfig

# 490 test clips: a share of 3/7 has a standard error of 0.022.
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


def test_a_seed_is_a_corpus():
  """Law: the same settings give the same clips; another seed, other ones."""
  settings = SyntheticConfig(training=8, validation=7, test=7)
  one, same = synthetic.make(settings), synthetic.make(settings)
  other = synthetic.make(dataclasses.replace(settings, seed=1))
  assert len(one) == len(same) == len(other) == 22
  for a, b in zip(one, same, strict=True):
    assert_same(a, b)
  for a, b in zip(one, other, strict=True):
    frames = min(a.visual_length, b.visual_length)
    apart = a.streams['shape'][:frames] - b.streams['shape'][:frames]
    assert np.abs(apart).mean() > 0.5


def test_a_clip_does_not_depend_on_the_others(corpus):
  """Law: more or fewer clips leave every clip as it was."""
  few = synthetic.make(SyntheticConfig(training=9, validation=7, test=8))
  known = {clip.name: clip for clip in corpus}
  for clip in few:
    assert_same(clip, known[clip.name])


def test_a_clip_stays_what_it_was():
  """Golden: the first clip of seed 0, as NumPy made it on 2026-11-22."""
  clip = synthetic.make(SyntheticConfig(training=7, validation=7, test=7))[0]
  assert (clip.name, clip.label) == ('training-00000', 'angry')
  assert (clip.audio_length, clip.visual_length) == (51, 40)
  np.testing.assert_array_equal(clip.truth['salient'], [25, 32])
  np.testing.assert_array_equal(
    clip.truth['events'], [[6, 6], [13, 15], [27, 33], [34, 41]]
  )
  # The first frame is noise and offset alone: no linear algebra, no rounding.
  np.testing.assert_allclose(
    clip.streams['shape'][0, :3], [0.93640, -1.37344, 0.27987], atol=1e-5
  )


def test_streams_are_the_papers(corpus):
  """Law: widths, rates, types and lengths are those of Section 3."""
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
    assert 0.5 < values.std() < 2  # no stream drowns another


def test_splits_are_balanced_and_share_no_speaker(corpus):
  """Law: emotions differ by one clip at most, in order of the splits."""
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
  """Equation: j = p_t + lag with one lag of the window a clip (Section 2.1)."""
  lags = collections.Counter()
  for clip in corpus:
    start, stop = clip.truth['salient']
    assert 0 <= start < stop <= clip.visual_length
    frame, place = clip.truth['events'].T
    assert ((frame >= start) & (frame < stop)).any()
    assert np.unique(frame).size == frame.size
    assert ((place >= 0) & (place < clip.audio_length)).all()
    p = [
      int(np.floor((2 * t + 1) * clip.audio_length / (2 * clip.visual_length)))
      for t in frame
    ]
    (lag,) = set((place - p).tolist())
    lags[lag] += 1
  assert lags.keys() == {-2, -1, 0, 1}
  assert min(lags.values()) > len(corpus) / 8


def test_truth_tells_what_was_planted(corpus):
  """Law: matched filters find every code at its strength, where truth says."""
  code = synthetic.codes(SETTINGS.seed)
  wide = code.appearance.T / (code.appearance**2).sum(1)  # its pseudo-inverse
  found = collections.defaultdict(list)
  for clip in of(corpus, 'test'):
    row, column = synthetic.GRID[clip.label]
    frame, place = clip.truth['events'].T
    salient = np.zeros(clip.visual_length, bool)
    salient[slice(*clip.truth['salient'])] = True
    voice, own = clip.streams['audio'], place[salient[frame]]
    found['onset'].append((voice[place] @ code.onset).mean())
    found['column'].append((voice[own] @ code.column[column]).mean())
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
  # Ten speakers' offsets of deviation 0.3 leave 0.1; noise leaves 0.02.
  for name in ('onset', 'column', 'beat'):
    assert mean[name] == pytest.approx(SETTINGS.event, abs=0.3), name
  assert mean['row'] == pytest.approx(SETTINGS.expression, abs=0.3)
  assert mean['marker'] == pytest.approx(SETTINGS.marker, abs=0.3)
  for name in ('other rows', 'no marker', 'no beat'):
    assert mean[name] == pytest.approx(0, abs=0.3), name


def test_decoys_lie_outside_every_window(corpus):
  """Law: the only onset within the window of an event is its own."""
  code = synthetic.codes(SETTINGS.seed)
  wrong = total = decoys = 0
  for clip in corpus[:100]:
    onset = clip.streams['audio'] @ code.onset
    loud = set(np.flatnonzero(onset > SETTINGS.event / 2).tolist())
    places = clip.truth['events'][:, 1].tolist()
    decoys += len(loud - set(places))
    for frame, place in clip.truth['events']:
      middle = synthetic.centre(frame, clip.visual_length, clip.audio_length)
      window = range(middle - 2, middle + 2)
      assert place in window
      wrong += len((loud - {place}) & set(window))
      total += 1
  assert wrong < 0.01 * total  # noise alone passes half the strength rarely
  assert decoys > 0.8 * total


def features(clips: list[Clip], name: str) -> np.ndarray:
  """Returns one stream's evidence for one who knows the segment and events."""
  rows = []
  for clip in clips:
    start, stop = clip.truth['salient']
    frame, place = clip.truth['events'].T
    inside = (frame >= start) & (frame < stop)
    where = place[inside] if name == 'audio' else np.arange(start, stop)
    rows.append(clip.streams[name][where].mean(0))
  return np.stack(rows)


def score(train: np.ndarray, test: np.ndarray, corpus) -> float:
  labels = [[c.label for c in of(corpus, s)] for s in ('training', 'test')]
  model = LogisticRegression(C=0.01, max_iter=2000).fit(train, labels[0])
  return model.score(test, labels[1])


def test_the_label_needs_both_streams(corpus):
  """Law: either stream alone reaches 3/7, even with the segment known."""
  train, test = of(corpus, 'training'), of(corpus, 'test')
  found = {
    name: (features(train, name), features(test, name))
    for name in ('audio', 'shape', 'appearance')
  }
  for name, (x, y) in found.items():
    assert 0.3 < score(x, y, corpus) < CEILING, name
  both = [np.hstack([found['audio'][i], found['shape'][i]]) for i in (0, 1)]
  assert score(*both, corpus) > 0.85


def test_means_of_a_clip_say_little(corpus):
  """Law: without the segment the label is hidden among the other emotions."""
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
  """Law: what cannot be made is said before anything is made."""
  with pytest.raises(ConfigError, match=next(iter(change))):
    SyntheticConfig(**change)
