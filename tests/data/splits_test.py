import numpy as np
import pytest

from avjax.clips import Clip
from avjax.data import splits
from avjax.errors import DataError


def clip(name, label: str | None = 'sad', speaker='s1', split='', value=1.0):
  streams = {'shape': np.full((2, 1), value, np.float32)}
  return Clip(name, streams, label, speaker, split)


def corpus(speakers=4):
  return [
    clip(f'{speaker}-{label}', label, f'Actor_{speaker}')
    for speaker in range(speakers + 8, 8, -1)
    for label in ('happy', 'sad')
  ]


def names(parts):
  return {name: [clip.name for clip in part] for name, part in parts.items()}


def test_names_of_splits():
  """Law: every usual name of a split is taken, in any case."""
  given = [
    ('train', 'training'),
    ('Training', 'training'),
    ('val', 'validation'),
    ('VALID', 'validation'),
    ('validation', 'validation'),
    ('dev', 'validation'),
    ('Test', 'test'),
  ]
  clips = [
    clip(f'{split}-{label}', label, split=split)
    for split, _ in given
    for label in ('happy', 'sad')
  ]
  parts = splits.split(clips, 'store')
  for split, wanted in given:
    assert {f'{split}-happy', f'{split}-sad'} <= set(names(parts)[wanted])
  assert sum(map(len, parts.values())) == len(clips)


STORE = [
  clip('a', 'sad', split='train'),
  clip('b', 'happy', split='train'),
  clip('c', 'sad', split='val'),
]


def test_no_test_split():
  """Law: a store without test clips has no test split."""
  assert names(splits.split(STORE, 'store')) == {
    'training': ['a', 'b'],
    'validation': ['c'],
  }


def test_unlabelled_test_clips_stay():
  """Law: test clips without a label are kept, for prediction."""
  parts = splits.split([*STORE, clip('d', None, split='test')], 'store')
  assert names(parts)['test'] == ['d']


@pytest.mark.parametrize(
  ('clips', 'reason'),
  [
    ([*STORE, clip('d', split='tset')], "'tset'"),
    ([*STORE, clip('d')], "1 clips (d) is ''"),
    (STORE[:2], 'validation split'),
    (STORE[2:], 'training split'),
    ([*STORE, clip('d', None, split='train')], '(d) of the training'),
    ([*STORE, clip('d', None, split='val')], '(d) of the validation'),
    ([*STORE, clip('d', 'fear', split='test')], "'fear' of 1 clips (d)"),
    ([STORE[0], STORE[2]], 'at least 2'),
  ],
)
def test_what_a_store_lacks_is_named(clips, reason):
  """Law: what stands in the way of the protocol is named."""
  with pytest.raises(DataError) as caught:
    splits.split(clips, 'store')
  assert reason in str(caught.value)


def test_one_speaker_is_left_out():
  """Law: every speaker is tested once, and is in no other split then."""
  clips = corpus()
  assert splits.folds(clips) == 4
  order = [9, 10, 11, 12]  # not 10, 11, 12, 9
  for fold in range(4):
    parts = splits.split(clips, 'loso', fold)
    who = {key: {c.speaker for c in part} for key, part in parts.items()}
    assert who['test'] == {f'Actor_{order[fold]}'}
    assert who['validation'] == {f'Actor_{order[(fold + 1) % 4]}'}
    assert not who['training'] & (who['test'] | who['validation'])
    assert sum(map(len, parts.values())) == len(clips)


@pytest.mark.parametrize('fold', [-1, 4])
def test_folds_have_a_range(fold):
  """Law: a fold that is not there is refused with the number of folds."""
  with pytest.raises(DataError, match='there are 4 speakers'):
    splits.split(corpus(), 'loso', fold)


def test_loso_needs_speakers():
  """Law: two speakers, or a clip without one, are refused."""
  with pytest.raises(DataError, match='at least 3 speakers'):
    splits.split(corpus(2), 'loso')
  with pytest.raises(DataError, match=r'1 clips \(nobody\) have no speaker'):
    splits.split([*corpus(), clip('nobody', speaker='')], 'loso')


def test_emotions_in_order():
  """Law: the paper's emotions come first and in its order, then the others."""
  labels = ['surprise', 'calm', 'angry', None, 'amused', 'fear', 'fear']
  clips = [clip(str(i), label) for i, label in enumerate(labels)]
  wanted = ('angry', 'fear', 'surprise', 'amused', 'calm')
  assert splits.emotions(clips) == wanted


def test_standardise():
  """Equation: (x - mean) / deviation of the speaker's frames, by column."""
  rng = np.random.default_rng(0)
  clips = [
    Clip(
      str(i),
      {
        'audio': rng.normal(i % 2, 3, (5 + i, 2)).astype(np.float32),
        'shape': rng.normal(5, 1 + i % 2, (4 + i, 3)).astype(np.float32),
      },
      speaker=f's{i % 2}',
    )
    for i in range(6)
  ]
  done = splits.standardise(clips, 'speaker')
  for i, after in enumerate(done):
    for stream, x in after.streams.items():
      for column in range(x.shape[1]):
        values = [
          float(value)
          for other in clips[i % 2 :: 2]
          for value in other.streams[stream][:, column]
        ]
        mean = sum(values) / len(values)
        square = sum((value - mean) ** 2 for value in values) / len(values)
        raw = clips[i].streams[stream][:, column].astype(np.float64)
        wanted = (raw - mean) / square**0.5
        # Rounded to float32 once, at the end: half a step of 1.2e-7.
        np.testing.assert_allclose(x[:, column], wanted, rtol=1e-7)
      assert x.dtype == np.float32
  assert splits.standardise(clips, 'none') == clips


def test_constant_columns():
  """Law: what only rounds is not blown up; what is small but varies counts."""
  x = np.zeros((4, 3), np.float32)
  x[:, 0] = 1000
  x[0, 0] = np.nextafter(np.float32(1000), np.float32(2000))
  x[:, 1] = [1e-9, -1e-9, 1e-9, -1e-9]
  clips = [Clip('a', {'shape': x}, speaker='s')]
  done = splits.standardise(clips, 'speaker')[0].streams['shape']
  assert np.abs(done[:, 0]).max() < 1e-3
  np.testing.assert_allclose(np.abs(done[:, 1]), 1, rtol=1e-6)
  assert not done[:, 2].any()


def test_standardise_needs_speakers():
  """Law: clips without a speaker cannot be standardised by speaker."""
  with pytest.raises(DataError, match='no speaker'):
    splits.standardise([clip('a', speaker='')], 'speaker')
