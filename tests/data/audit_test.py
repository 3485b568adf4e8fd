"""The audit of splits: five planted leaks, and clean splits."""

import dataclasses

import numpy as np
import pytest

from avjax import settings
from avjax.clips import Clip
from avjax.data import audit, protocols
from avjax.errors import DataError
from avjax.settings import DataConfig

SPLITS = ('train', 'val', 'test')


def clip(name, split='', speaker='', label: str | None = 'sad', **facts):
  """Returns a clip whose content depends on its name."""
  random = np.random.default_rng([ord(letter) for letter in name])
  streams = {'shape': random.standard_normal((3, 2)).astype(np.float32)}
  return Clip(name, streams, label, speaker, split, **facts)


def clean() -> list[Clip]:
  """Returns the clips of three actors, one in each split."""
  return [
    clip(f'{actor}-{label}-{k}', split, actor, label, take=f'{actor} {label}')
    for actor, split in zip(('ann', 'bob', 'cy'), SPLITS, strict=True)
    for label in ('happy', 'sad')
    for k in range(2)
  ]


def audited(clips, protocol='store', allowed=(), fold=0):
  """Returns the findings that a run would record."""
  splits = protocols.split(clips, DataConfig(protocol=protocol), fold)
  findings = audit.examine(splits, audit.contents(clips))
  return audit.settle(findings, protocol, allowed)


def refused(clips, protocol='store', allowed=()) -> str:
  with pytest.raises(DataError) as caught:
    audited(clips, protocol, allowed)
  message = str(caught.value)
  assert '\n' not in message
  return message


def kinds(findings):
  return [(f['kind'], tuple(f['splits']), f['status']) for f in findings]


def test_clean_splits():
  """Law: splits that share nothing give no findings."""
  assert audited(clean()) == []
  everybody = [dataclasses.replace(c, split='') for c in clean()]
  for fold in range(3):
    assert audited(everybody, 'loso', fold=fold) == []
  twice = [*clean(), dataclasses.replace(clean()[0], name='again')]
  assert audited(twice) == []  # both in training


def test_a_speaker_in_two_splits():
  """Law: a planted speaker is named with the number of clips."""
  clips = [*clean(), clip('x', 'test', 'ann'), clip('y', 'test', 'ann')]
  message = refused(clips)
  assert '1 speaker in training and test (ann), with 2 clips of test' in message
  assert 'data.allow_leaks=speaker trains' in message
  findings = audited(clips, allowed=('speaker',))
  assert kinds(findings) == [('speaker', ('training', 'test'), 'allowed')]
  assert (findings[0]['names'], findings[0]['clips']) == (['ann'], 2)
  other = dataclasses.replace(clips[-1], corpus='other')
  assert audited([*clean(), other]) == []  # another corpus's ann


def test_words_that_look_alike():
  """Law: labels of one look, and speakers of two splits, are named."""
  clips = [*clean(), clip('x', 'train', 'ann', 'Happy')]
  message = refused(clips)
  assert "the labels 'happy' and 'Happy' look alike" in message
  assert '--merge_labels' in message
  assert kinds(audited(clips, allowed=('class',)))[0] == (
    'class', ('training', 'validation', 'test'), 'allowed',
  )  # fmt: skip
  clips = [*clean(), clip('x', 'test', '\u0430nn')]
  assert "'ann' and '\u0430nn' (with U+0430 CYRILLIC" in refused(clips)
  assert kinds(audited(clips, allowed=('speaker',))) == [
    ('speaker', ('training', 'test'), 'allowed')
  ]
  assert audited([*clean(), clip('x', 'train', 'Ann')]) == []  # in one split


def test_a_take_in_two_splits():
  """Law: the finding for two files of one take names the take."""
  clips = [*clean(), clip('x', 'test', 'dan', take='ann sad')]
  message = refused(clips)
  assert '1 take in training and test (ann sad), with 1 clip of test' in message
  assert kinds(audited(clips, allowed=('take', 'class'))) == [
    ('take', ('training', 'test'), 'allowed')
  ]
  assert 'data.allow_leaks=class,take trains' in refused(
    clips, 'store', ['class']
  )


@pytest.mark.parametrize('same', ['streams', 'file'])
def test_a_file_under_another_name(same):
  """Law: equal streams, or an equal file, are found under any name."""
  clips = clean()
  first, copy = clips[0], clip('copy', 'test', 'cy')
  if same == 'streams':
    copy = dataclasses.replace(copy, streams=first.streams)
  else:
    copy = dataclasses.replace(copy, source='f0' * 32)
    clips[0] = dataclasses.replace(first, source='f0' * 32)
  message = refused([*clips, copy])
  assert (
    'leaks: 1 clip of test with the content of one of training'
    ' (copy = ann-happy-0); correct'
  ) in message
  assert 'data.allow_leaks=content trains' in message


def test_standardising_hides_no_copy():
  """Law: a copy under another speaker's name is found by its stored streams."""
  clips = clean()
  copy = dataclasses.replace(
    clips[0], name='copy', speaker='cy', split='test', take=''
  )
  raw = [*clips, copy]
  splits = protocols.split(raw, DataConfig(protocol='store'))
  content_keys = audit.contents(raw)
  for members in splits.values():
    for k, each in enumerate(members):
      streams = {name: x - len(each.name) for name, x in each.streams.items()}
      members[k] = dataclasses.replace(each, streams=streams)
  findings = audit.examine(splits, content_keys)
  assert [finding.kind for finding in findings] == ['content']


@pytest.mark.parametrize('same', ['streams', 'source'])
@pytest.mark.parametrize('label', ['sad', 'happy'])
def test_one_content_with_two_labels(same, label):
  """Law: clips of equal content but different labels are named, in one split.

  They are no error.
  """
  first, *rest = clean()
  first = dataclasses.replace(first, source='f0' * 32)
  copy = clip('copy', 'train', 'ann', label)
  copy = dataclasses.replace(copy, **{same: getattr(first, same)})
  findings = audited([first, *rest, copy])
  if label != 'sad':
    assert findings == []
    return
  assert kinds(findings) == [('content', ('training',), 'warning')]
  assert findings[0]['names'] == ['ann-happy-0 (happy) = copy (sad)']
  assert findings[0]['clips'] == 2


def test_selection_on_reported_clips():
  """Law: selecting the epoch on test clips, or reporting validation, fails."""
  clips = clean()
  chosen = [
    dataclasses.replace(c, name=f'{c.name} again', split='test', speaker='dan')
    for c in clips
    if c.split == 'val'
  ]
  message = refused([c for c in clips if c.split != 'test'] + chosen)
  assert '4 clips of test with the content of one of validation (' in message
  assert '2 takes in validation and test (bob happy, bob sad)' in message
  assert 'data.allow_leaks=selection trains' in message
  two = [c for c in clips if c.split != 'test']
  for hidden in ([], [clip('x', 'test', 'cy', None)]):
    message = refused([*two, *hidden])
    assert 'no clip of a test split has a label' in message
    findings = audited([*two, *hidden], 'afew/official')
    assert kinds(findings) == [('selection', ('validation',), 'documented')]


def test_the_published_lists_of_cremad():
  """Law: lists with all 91 actors in both splits are refused."""
  clips = [
    clip(f'{actor}_{split}_{label}', split, str(actor), label, corpus='cremad')
    for actor in range(1001, 1092)
    for split in ('train', 'test')
    for label in ('happy', 'sad')
  ]
  clips += [clip(f'v{k}', 'val', 'v', corpus='cremad') for k in range(2)]
  message = refused(clips)
  assert '91 speakers in training and test (1001, 1002, 1003,' in message
  assert '1020 and 71 more), with 182 clips of test' in message
  rest = [c for c in clips if c.speaker != 'v']
  for fold in range(5):
    assert audited(rest, 'cremad/5fold-actors', fold=fold) == []


def test_a_label_without_training_clips():
  """Law: a label of test clips that no training clip has is reported."""
  clips = [*clean(), clip('x', 'test', 'cy', 'fear')]
  message = refused(clips)
  assert "no training clip has the label 'fear' of 1 clips (x)" in message
  assert kinds(audited(clips, allowed=('class',))) == [
    ('class', ('test',), 'allowed')
  ]


@pytest.mark.parametrize('protocol', ['meld/official', 'random'])
def test_documented_leaks(protocol):
  """Law: inherent leaks are only recorded; a copy is an error even so."""
  friends = [
    dataclasses.replace(
      c, speaker=f'friend {k % 2}', name=f'{c.name} {n}', take='',
      streams=clip(f'{c.name} {n}').streams,
    )
    for n in range(10)
    for k, c in enumerate(clean())
  ]  # fmt: skip
  findings = audited(friends, protocol)
  assert {(kind, status) for kind, _, status in kinds(findings)} == {
    ('speaker', 'documented')
  }
  copies = [
    dataclasses.replace(c, name=f'{c.name} again', split='test')
    for c in friends
    if c.split == 'train'
  ]
  message = refused([*friends, *copies], protocol)
  assert 'with the content of one of training' in message
  assert 'speakers' not in message


def test_unknown_speakers():
  """Law: it is recorded that speakers were not compared."""
  findings = audited([dataclasses.replace(c, speaker='') for c in clean()])
  assert kinds(findings)[0][0::2] == ('speaker', 'unchecked')


def test_folds_are_named():
  """Law: the error for a leak in several folds names the folds."""
  clips = [dataclasses.replace(c, split='') for c in clean()]
  clips.append(
    dataclasses.replace(clips[0], name='copy', speaker='cy', take='')
  )
  content_keys = audit.contents(clips)
  findings = []
  for fold in range(3):
    splits = protocols.split(clips, DataConfig(protocol='loso'), fold)
    findings += audit.examine(splits, content_keys, fold)
  with pytest.raises(DataError, match=r'fold 0: 1 clip .*; fold 1: 1 clip '):
    audit.settle(findings, 'loso', ())


def test_kinds_are_those_of_the_settings():
  """Law: the kinds and protocols of DOCUMENTED are those of the settings."""
  for documented in audit.DOCUMENTED.values():
    assert set(documented) <= set(settings.LEAKS)
  assert set(audit.DOCUMENTED) <= set(settings.PROTOCOLS)


def test_clips_of_another_store():
  """Law: speakers, takes and files of the training are found, however named."""
  trained = protocols.split(clean(), DataConfig(protocol='store'))

  def found(**facts):
    other = dataclasses.replace(clip('elsewhere', speaker='dee'), **facts)
    findings = audit.examine_others(trained, [other], 'other')
    return [(f.kind, f.splits, f.names) for f in findings]

  assert found() == found(name='ann-sad-0') == found(speaker='cy') == []
  assert found(speaker='ann') == [('speaker', ('training', 'other'), ('ann',))]
  assert found(speaker='bob') == [
    ('speaker', ('validation', 'other'), ('bob',))
  ]
  alike = ('speaker', ('training', 'test'), ('ann', 'Ann'))
  assert found(speaker='Ann') == [alike]
  copy = trained['training'][1]
  assert found(streams=copy.streams) == [
    ('content', ('training', 'other'), (f'other/elsewhere = {copy.name}',))
  ]
  assert [kind for kind, *_ in found(speaker='')] == ['speaker']
  # Names of speakers and takes are those of their corpus, where it is known.
  for split in trained.values():
    split[:] = [
      dataclasses.replace(c, corpus='one', source=c.name) for c in split
    ]
  ann = {'speaker': 'ann', 'take': 'ann sad'}
  assert found(**ann, corpus='two') == []
  assert [kind for kind, *_ in found(**ann, corpus='one')] == [
    'speaker',
    'take',
  ]
  assert [kind for kind, *_ in found(**ann)] == ['speaker']
  assert [kind for kind, *_ in found(source='ann-sad-0')] == ['content']
