"""Writing and reading feature stores."""

import dataclasses
import json
import os
import pathlib
import shutil

import numpy as np
import pytest

from avjax.clips import Clip
from avjax.data import manifest, store
from avjax.errors import DataError


def clips(count: int = 4) -> list[Clip]:
  rng = np.random.default_rng(0)

  def stream(frames, width):
    return rng.normal(size=(frames, width)).astype(np.float32)

  return [
    Clip(
      name=f'film/{i} é',
      streams={'audio': stream(5 + i // 2, 3), 'shape': stream(4 + i // 2, 2)},
      label=('happy', 'sad', None)[i % 3],
      speaker=f'speaker {i % 2}',
      split='train',
      truth={'salient': np.array([1, 3]), 'events': np.zeros((0, 2), int)},
    )
    for i in range(count)
  ]


def same(one: list[Clip], other: list[Clip]) -> bool:
  def plain(clip):
    arrays = {**clip.streams, **{f't.{k}': v for k, v in clip.truth.items()}}
    facts = (clip.name, clip.label, clip.speaker, clip.split, list(arrays))
    return facts, [(v.shape, v.tobytes()) for v in arrays.values()]

  return [plain(clip) for clip in one] == [plain(clip) for clip in other]


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
  store.write(tmp_path / 'store', clips(), 'a test')
  return tmp_path / 'store'


def error(folder) -> str:
  with pytest.raises(DataError) as caught:
    store.read(folder)
  message = str(caught.value)
  assert '\n' not in message
  return message


def redo(folder, change=lambda record: None, header=lambda header: None):
  """Changes the manifest and updates its hash, as an attacker would."""
  lines = (folder / manifest.NAME).read_text().splitlines()
  head, *records = map(json.loads, lines)
  for record in records:
    change(record)
  header(head)
  body = ''.join(json.dumps(record) + '\n' for record in records).encode()
  head['sha256'] = manifest._digest(head, body)
  (folder / manifest.NAME).write_bytes(json.dumps(head).encode() + b'\n' + body)


def test_what_is_written_is_read(folder):
  """Law: a store returns the written clips, with their truth and order."""
  assert same(store.read(folder), clips())
  assert all(
    array.dtype == np.float32 and array.flags.writeable
    for clip in store.read(folder)
    for array in clip.streams.values()
  )


FACTS = {
  'corpus': 'mine',
  'take': 'film/1',
  'source': '0f' * 32,
  'targets': {'acted': 'happy', 'voice': 'sad'},
  'attributes': {'gender': 'male', 'Ort, Land': 'Köln'},
}


def test_facts_are_kept(tmp_path, folder):
  """Law: they are kept if not empty; the fingerprint has what trains."""
  with_facts = [dataclasses.replace(clips()[0], **FACTS), *clips()[1:]]
  store.write(tmp_path / 'facts', with_facts)
  first, *others = store.read(tmp_path / 'facts')
  assert {key: getattr(first, key) for key in FACTS} == FACTS
  assert list(first.targets) == ['acted', 'voice']
  assert [(clip.take, clip.targets) for clip in others] == [('', {})] * 3
  plain = (folder / manifest.NAME).read_text()
  assert not any(f'"{key}": ' in plain.partition('\n')[2] for key in FACTS)
  for key, value in FACTS.items():
    other = [dataclasses.replace(clips()[0], **{key: value}), *clips()[1:]]
    same = store.fingerprint(other) == store.fingerprint(clips())
    assert same == (key == 'attributes')


@pytest.mark.parametrize(
  ('facts', 'reason'),
  [
    ({'take': 'a\nb'}, 'take is not plain text'),
    ({'source': 3}, 'source is not plain text'),
    ({'targets': ['sad']}, 'targets does not map'),
    ({'targets': {'voice': None}}, 'targets does not map'),
    ({'attributes': {'age': 3}}, 'attributes does not map'),
    ({'tkae': 'x'}, "['tkae'] are missing or unknown"),
  ],
)
def test_facts_are_checked(folder, facts, reason):
  """Law: the facts of a clip have known names, and are text."""
  redo(folder, lambda record: record.update(facts))
  assert reason in error(folder)


def test_same_clips_same_bytes(folder, tmp_path):
  """Law: identical clips give a bit-identical store at any time."""
  store.write(tmp_path / 'again', clips(), 'a test')
  files = [path for path in sorted(folder.rglob('*')) if path.is_file()]
  assert len(files) == 5
  for path in files:
    other = tmp_path / 'again' / path.relative_to(folder)
    assert other.read_bytes() == path.read_bytes()


def test_numpy_reads_it(folder):
  """Agreement: numpy.load opens a clip's file."""
  with np.load(min((folder / 'clips').iterdir())) as opened:
    assert set(opened) == {'audio', 'shape', 'truth.salient', 'truth.events'}
    np.testing.assert_array_equal(
      opened['shape'], clips()[0].streams['shape'], strict=True
    )


def test_every_bad_clip_is_named(folder):
  """Law: one message names all bad clips, up to LISTED."""
  for path in (folder / 'clips').iterdir():
    path.write_bytes(path.read_bytes()[:-1])
  message = error(folder)
  assert 'has 4 bad clips' in message
  assert all(repr(clip.name) in message for clip in clips())


def test_long_lists_are_cut(tmp_path):
  """Law: at most LISTED clips are named, the others are counted."""
  store.write(tmp_path / 'store', clips(store.manifest.LISTED + 3))
  shutil.rmtree(tmp_path / 'store' / 'clips')
  message = error(tmp_path / 'store')
  assert message.count('is missing') == store.manifest.LISTED
  assert 'and 3 more' in message


def test_not_a_store(tmp_path, folder):
  """Law: the error for a folder that is not a store tells what to do."""
  assert 'bin/ingest' in error(tmp_path / 'nothing')
  assert 'bin/ingest' in error(tmp_path)
  lines = (folder / manifest.NAME).read_text().splitlines()
  lines[2] = '{"name": '
  (folder / manifest.NAME).write_text('\n'.join(lines))
  assert 'line 3: not JSON' in error(folder)


def test_another_schema(folder):
  """Law: the error for another schema gives both numbers."""
  redo(folder, header=lambda header: header.update(schema=2))
  message = error(folder)
  assert 'schema 2' in message and 'reads 1' in message


def test_an_edited_label_is_refused(folder):
  """Law: a manifest that was edited is refused."""
  text = (folder / manifest.NAME).read_text()
  (folder / manifest.NAME).write_text(text.replace('happy', 'angry'))
  assert 'was changed (its sha256 differs)' in error(folder)


def changed(streams=None, **facts) -> list[Clip]:
  first, *others = clips()
  streams = {**first.streams, **(streams or {})}
  return [Clip(**{'name': 'new', 'streams': streams, **facts}), *others]


def test_invalid_clips_are_not_written(tmp_path):
  """Law: a clip that could not be read back is not written."""
  for bad, reason in (
    (changed(name='film/1 é'), 'two clips'),
    (changed(name='a\nb'), 'plain text'),
    (changed({'shape': np.zeros((4, 3), np.float32)}), 'wide'),
    (changed({'shape': np.zeros((0, 2), np.float32)}), 'empty'),
    (changed({'shape': np.full((4, 2), np.inf, np.float32)}), 'frame 0'),
    (changed({'shape': np.full((4, 2), 1e300)}), 'infinite'),
    (changed({'face': np.zeros((9, 1), np.float32)}), 'shape 4, face 9'),
    (changed({'truth.x': np.zeros((4, 1), np.float32)}), 'name of a stream'),
    (changed({'../x': np.zeros((4, 1), np.float32)}), 'name of a stream'),
    ([], 'no clips'),
  ):
    with pytest.raises(DataError) as caught:
      store.write(tmp_path / 'store', bad)
    assert reason in str(caught.value)
    assert not (tmp_path / 'store').exists()


def test_an_interrupted_write_leaves_no_store(tmp_path, monkeypatch):
  """Law: an interrupted write leaves neither a store nor a partial file."""
  real, calls = os.replace, []

  def replace(*args):
    calls.append(args)
    if len(calls) == 3:
      raise OSError(28, 'No space left on device')
    real(*args)

  monkeypatch.setattr(os, 'replace', replace)
  with pytest.raises(DataError, match='No space left on device'):
    store.write(tmp_path / 'store', clips())
  assert 'not a feature store' in error(tmp_path / 'store')
  assert len(list((tmp_path / 'store' / 'clips').glob('*.npz'))) == 2
  with pytest.raises(DataError, match='choose another folder'):
    store.write(tmp_path / 'store', clips())


def test_the_fingerprint_depends_on_everything():
  """Law: name, label, speaker, split, values and order change it."""
  first = clips()[0]
  audio = first.streams['audio'].copy()
  audio[0, 0] = np.nextafter(audio[0, 0], np.float32(9))
  facts = {key: getattr(first, key) for key in ('name', 'label', 'speaker')}
  variants = [
    clips(),
    clips()[::-1],
    changed({'audio': audio}, **facts, split='train'),
    changed(**facts, split='test'),
    *(
      changed(**{**facts, key: 'other'}, split='train')
      for key in ('name', 'label', 'speaker')
    ),
  ]
  assert len({store.fingerprint(each) for each in variants}) == len(variants)
  unchanged = changed(**facts, split='train')
  assert store.fingerprint(unchanged) == store.fingerprint(clips())


def test_streams_that_are_not_kept(folder):
  """Law: read when they are asked for, they are the same; changed, refused."""
  size = sum(x.nbytes for clip in clips() for x in clip.streams.values())
  assert not any(clip.unread for clip in store.read(folder, size))
  unread = store.read(folder, size - 1)
  assert all(clip.unread for clip in unread)
  assert same(unread, clips())
  assert [c.visual_length for c in unread] == [c.visual_length for c in clips()]
  assert store.fingerprint(unread) == store.fingerprint(clips())
  assert 'face' not in unread[0].streams and 'audio' in unread[0].streams
  path = sorted((folder / 'clips').iterdir())[0]
  whole = path.read_bytes()
  at = whole.index(clips()[0].streams['shape'].tobytes())
  path.write_bytes(whole[:at] + b'?' + whole[at + 1 :])  # CRC
  with pytest.raises(DataError, match='has changed since'):
    unread[0].streams['shape']
  np.savez(path, audio=np.ones((5, 3)), shape=np.ones((4, 2)))  # float64
  with pytest.raises(DataError, match='has changed since'):
    unread[0].streams['shape']
  path.unlink()
  with pytest.raises(DataError, match='has changed since'):
    unread[0].streams['shape']
