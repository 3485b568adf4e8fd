"""Protocols: the division into training, validation and test."""

import dataclasses

import numpy as np
import pytest

from avjax import settings
from avjax.clips import Clip
from avjax.data import protocols
from avjax.errors import ConfigError, DataError
from avjax.settings import DataConfig


def clip(name, label: str | None = 'sad', speaker='s1', split='', value=1.0):
  streams = {'shape': np.full((2, 1), value, np.float32)}
  return Clip(name, streams, label, speaker, split)


def corpus(speakers=4):
  return [
    clip(f'{speaker}-{label}', label, f'Actor_{speaker}')
    for speaker in range(speakers + 8, 8, -1)
    for label in ('happy', 'sad')
  ]


def by(protocol):
  return DataConfig(protocol=protocol)


def names(splits):
  return {name: [clip.name for clip in clips] for name, clips in splits.items()}


def speakers(splits):
  return {name: {clip.speaker for clip in c} for name, c in splits.items()}


def test_names_of_splits():
  """Law: every usual name of a split is accepted, in any case."""
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
  splits = protocols.split(clips, by('store'))
  for split, wanted in given:
    assert {f'{split}-happy', f'{split}-sad'} <= set(names(splits)[wanted])
  assert sum(map(len, splits.values())) == len(clips)


STORE = [
  clip('a', 'sad', split='train'),
  clip('b', 'happy', split='train'),
  clip('c', 'sad', split='val'),
]


def test_no_test_split():
  """Law: a store without test clips has no test split."""
  assert names(protocols.split(STORE, by('store'))) == {
    'training': ['a', 'b'],
    'validation': ['c'],
  }


def test_unlabelled_test_clips_stay():
  """Law: test clips without a label are kept, for prediction."""
  splits = protocols.split(
    [*STORE, clip('d', None, split='test')], DataConfig(protocol='store')
  )
  assert names(splits)['test'] == ['d']


@pytest.mark.parametrize(
  ('clips', 'reason'),
  [
    ([*STORE, clip('d', split='tset')], "'tset'"),
    ([*STORE, clip('d')], "1 clips (d) is ''"),
    (STORE[:2], 'validation split'),
    (STORE[2:], 'training split'),
    ([*STORE, clip('d', None, split='train')], '(d) of the training'),
    ([*STORE, clip('d', None, split='val')], '(d) of the validation'),
    ([STORE[0], STORE[2]], 'at least 2'),
  ],
)
def test_what_a_store_lacks_is_named(clips, reason):
  """Law: the error names what the store lacks for the protocol."""
  with pytest.raises(DataError) as caught:
    protocols.split(clips, by('store'))
  assert reason in str(caught.value)


def test_one_speaker_is_left_out():
  """Law: every speaker is tested once, and is in no other split of the fold."""
  clips = corpus()
  assert protocols.folds(clips, by('loso')) == 4
  order = [9, 10, 11, 12]  # not 10, 11, 12, 9
  for fold in range(4):
    splits = protocols.split(clips, by('loso'), fold)
    who = speakers(splits)
    assert who['test'] == {f'Actor_{order[fold]}'}
    assert who['validation'] == {f'Actor_{order[(fold + 1) % 4]}'}
    assert not who['training'] & (who['test'] | who['validation'])
    assert sum(map(len, splits.values())) == len(clips)


@pytest.mark.parametrize('fold', [-1, 4])
def test_folds_have_a_range(fold):
  """Law: the error for a missing fold gives the number of folds."""
  with pytest.raises(DataError, match='has 4 folds here'):
    protocols.split(corpus(), by('loso'), fold)


def test_loso_needs_speakers():
  """Law: two speakers, or a clip without one, are refused."""
  with pytest.raises(DataError, match='at least 3 speakers'):
    protocols.split(corpus(2), by('loso'))
  with pytest.raises(DataError, match=r'1 clips \(nobody\) have no speaker'):
    protocols.split(
      [*corpus(), clip('nobody', speaker='')], DataConfig(protocol='loso')
    )


def actors(corpus, numbers, name='{}'):
  """Returns two clips per actor."""
  return [
    dataclasses.replace(
      clip(f'{number}-{label}', label, name.format(number)), corpus=corpus
    )
    for number in numbers
    for label in ('happy', 'sad')
  ]


def test_every_protocol_is_there():
  """Law: the settings accept exactly the protocols that are defined."""
  divided = {*protocols._DIVIDE, *settings.DIVIDED, 'held_out', 'all'}
  assert divided == set(settings.PROTOCOLS)
  assert len(set(settings.PROTOCOLS)) == len(settings.PROTOCOLS)


@pytest.mark.parametrize(
  ('protocol', 'numbers', 'name', 'tested'),
  [
    (
      'ravdess/6fold-4actors',
      range(1, 25),
      'Actor_{:02}',
      [[4 * k + i for i in (1, 2, 3, 4)] for k in range(6)],
    ),
    (
      'ravdess/5fold-luna',
      range(1, 25),
      '{}',
      [
        [2, 5, 14, 15, 16],
        [3, 6, 7, 13, 18],
        [10, 11, 12, 19, 20],
        [8, 17, 21, 23, 24],
        [1, 4, 9, 22],
      ],
    ),
    (
      'cremad/5fold-actors',
      range(1001, 1092),
      '{}',
      [
        [*range(1001, 1019)],
        [*range(1019, 1037)],
        [*range(1037, 1055)],
        [*range(1055, 1073)],
        [*range(1073, 1092)],
      ],
    ),
  ],
)
def test_groups_of_actors(protocol, numbers, name, tested):
  """Golden: the published groups; the next validates, no actor is in two."""
  clips = actors(protocol.split('/')[0], numbers, name)
  assert protocols.folds(clips, by(protocol)) == len(tested)
  for fold, group in enumerate(tested):
    splits = protocols.split(clips, by(protocol), fold)
    who = speakers(splits)
    assert who['test'] == {name.format(actor) for actor in group}
    following = tested[(fold + 1) % len(tested)]
    assert who['validation'] == {name.format(actor) for actor in following}
    assert not who['training'] & (who['test'] | who['validation'])
    assert sum(map(len, splits.values())) == len(clips)
    order = [c.name for c in clips if c in splits['training']]
    assert [c.name for c in splits['training']] == order


@pytest.mark.parametrize('protocol', ['savee/loso', 'enterface/loso'])
def test_speakers_of_a_corpus(protocol):
  """Law: a corpus's leave-one-speaker-out protocol equals 'loso'."""
  clips = actors(protocol.split('/')[0], ('DC', 'JE', 'JK', 'KL'))
  assert protocols.folds(clips, by(protocol)) == 4
  for fold in range(4):
    assert names(protocols.split(clips, by(protocol), fold)) == names(
      protocols.split(clips, by('loso'), fold)
    )


@pytest.mark.parametrize('protocol', settings.DIVIDED)
def test_own_division(protocol):
  """Law: an official protocol uses the store's own splits."""
  assert names(protocols.split(STORE, by(protocol))) == names(
    protocols.split(STORE, by('store'))
  )


def test_at_random():
  """Law: every take is tested in one fold, in any order of the clips."""
  clips = [
    dataclasses.replace(
      clip(f'{take}-{file}', ('happy', 'sad')[take % 2]), take=str(take)
    )
    for take in range(60)
    for file in ('sound', 'picture')
  ]
  folds_of: dict[str, set[int]] = {}
  for fold in range(protocols.RANDOM_FOLDS):
    splits = protocols.split(clips, by('random'), fold)
    again = names(protocols.split(clips[::-1], by('random'), fold))
    for key, members in names(splits).items():
      assert sorted(members) == sorted(again[key])
    for each in splits['test']:
      folds_of.setdefault(each.take, set()).add(fold)
  assert len(folds_of) == 60
  assert all(len(folds) == 1 for folds in folds_of.values())


@pytest.mark.parametrize(
  ('clips', 'protocol', 'reason'),
  [
    (actors('savee', range(1, 25)), 'ravdess/5fold-luna', 'are of savee'),
    (actors('', range(1, 27)), 'ravdess/5fold-luna', '2 speakers are none'),
    (actors('', ['DC']), 'ravdess/5fold-luna', 'none of them (DC)'),
    (actors('', range(1, 6)), 'ravdess/6fold-4actors', 'actors 9, 10, 11, 12'),
  ],
)
def test_another_corpus(clips, protocol, reason):
  """Law: the error names unknown speakers, missing actors or another corpus."""
  with pytest.raises(DataError) as caught:
    protocols.split(clips, by(protocol))
  assert reason in str(caught.value)


def several(counts):
  """Returns clips of speakers, by their number of happy and of sad clips."""
  return [
    clip(f'{who}-{label}-{k}', label, f'Actor_{who}')
    for who, pair in counts.items()
    for label, number in zip(('happy', 'sad'), pair, strict=True)
    for k in range(number)
  ]


def test_groups_of_speakers_in_natural_order():
  """Law: consecutive speakers, 9 before 10, in sizes that differ by one."""
  clips, data = corpus(7), DataConfig(protocol='speakers/3')
  assert protocols.folds(clips, data) == 3
  tested = [protocols.split(clips, data, k)['test'] for k in range(3)]
  assert [sorted({int(c.speaker[6:]) for c in each}) for each in tested] == [
    [9, 10, 11],
    [12, 13],
    [14, 15],
  ]
  validation = speakers(protocols.split(clips, data, 2))['validation']
  assert validation == {c.speaker for c in tested[0]}
  with pytest.raises(DataError, match='needs 8 speakers or more'):
    protocols.folds(clips, DataConfig(protocol='speakers/8'))
  with pytest.raises(ConfigError, match='K must be at least 3'):
    DataConfig(protocol='speakers/2')


def test_balanced_groups_have_the_same_labels():
  """Law: speakers of one label each are spread evenly; the seed permutes."""
  clips = several({k: (4, 0) if k < 6 else (0, 4) for k in range(12)})
  divided = []
  for seed in range(4):
    data = DataConfig(
      protocol='speakers/3', grouping='balanced', grouping_seed=seed
    )
    again = [protocols.split(clips[::-1], data, k)['test'] for k in range(3)]
    tested = [protocols.split(clips, data, k)['test'] for k in range(3)]
    for each, same in zip(tested, again, strict=True):
      assert [c.label for c in each].count('happy') == 8 == len(each) / 2
      assert {c.name for c in each} == {c.name for c in same}
    divided.append({frozenset(c.speaker for c in each) for each in tested})
  assert any(one != divided[0] for one in divided)


def test_speakers_that_validate():
  """Law: they are no others', have the share of labels, and replace a fold."""
  clips = several({k: (4, 0) if k < 8 else (0, 4) for k in range(16)})
  data = DataConfig(
    protocol='speakers/4', validation='speakers', validation_share=0.33
  )
  by_split = speakers(protocols.split(clips, data, 1))
  assert [len(names) for names in by_split.values()] == [8, 4, 4]
  assert len(set.union(*by_split.values())) == 16
  held_out = DataConfig(protocol='held_out', held_out='Actor_3, Actor_12')
  parts = protocols.split(clips, held_out)
  assert speakers(parts)['test'] == {'Actor_3', 'Actor_12'}
  labels = [c.label for c in parts['validation']]
  assert abs(labels.count('happy') - labels.count('sad')) <= 4
  parts = protocols.split(clips, DataConfig(protocol='all'))
  assert sorted(c.name for part in parts.values() for c in part) == sorted(
    c.name for c in clips
  )
  assert {k: len(names) for k, names in speakers(parts).items()} == {
    'training': 13,
    'validation': 3,
  }
  with pytest.raises(DataError, match='names anna, of whom there is no clip'):
    protocols.split(clips, DataConfig(protocol='held_out', held_out='anna'))
  with pytest.raises(ConfigError, match='go together'):
    DataConfig(protocol='held_out')
  everyone = DataConfig(
    protocol='held_out', held_out='Actor_3', validation_share=0.99
  )
  with pytest.raises(DataError, match='leaves none to train on'):
    protocols.split(clips, everyone)
