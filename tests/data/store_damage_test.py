"""Damaged and malicious stores are refused."""

import hashlib
import io
import json
import os
import pathlib
import pickle
import random
import tracemalloc
import zipfile

import numpy as np
import pytest

from avjax.data import manifest, npy, store
from avjax.errors import DataError
from tests.data.store_test import clips, error, redo, same


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
  store.write(tmp_path / 'store', clips(), 'a test')
  return tmp_path / 'store'


def plant(folder, data: bytes, number: int = 0):
  """Replaces the bytes of a clip's file, and updates the manifest."""
  file = sorted((folder / 'clips').iterdir())[number]
  file.write_bytes(data)

  def change(record):
    if record['file'] == f'clips/{file.name}':
      record['sha256'] = hashlib.sha256(data).hexdigest()

  redo(folder, change)


def archive(members: dict[str, bytes], method=zipfile.ZIP_STORED) -> bytes:
  packed = io.BytesIO()
  with zipfile.ZipFile(packed, 'w', method) as file:
    for name, data in members.items():
      file.writestr(name, data)
  return packed.getvalue()


def array(value, **kwargs) -> bytes:
  file = io.BytesIO()
  np.save(file, value, **kwargs)
  return file.getvalue()


def members(folder, number: int = 0) -> dict[str, bytes]:
  file = sorted((folder / 'clips').iterdir())[number]
  with zipfile.ZipFile(file) as opened:
    return {name: opened.read(name) for name in opened.namelist()}


def test_swapped_files_are_found(folder):
  """Law: swapped files of two clips of equal shape are refused."""
  paths = sorted((folder / 'clips').iterdir())[:2]
  first, second = (path.read_bytes() for path in paths)
  paths[0].write_bytes(second)
  paths[1].write_bytes(first)
  assert 'has 2 bad clips' in error(folder)


def damage(data: bytes, rng: random.Random) -> bytes:
  changed = bytearray(data)
  at = rng.randrange(len(data))
  end = min(len(data), at + rng.choice((1, 8, 64)))
  kind = rng.choice(('flip', 'zero', 'cut', 'remove', 'double', 'random'))
  if kind == 'flip':
    changed[at] ^= 1 << rng.randrange(8)
  elif kind == 'zero':
    changed[at:end] = bytes(end - at)
  elif kind == 'cut':
    del changed[at:]
  elif kind == 'remove':
    del changed[at:end]
  elif kind == 'double':
    changed[at:at] = changed[at:end]
  else:
    changed[at:end] = rng.randbytes(end - at)
  return bytes(changed)


@pytest.mark.parametrize('signed', [False, True])
def test_damage_is_found(folder, signed):
  """Law: each of 1,000 damages is refused in one line or changes nothing.

  If signed, the manifest has the hash of the damaged file, so that the zip and
  npy parsers read it.
  """
  rng = random.Random(1)
  files = sorted(path for path in folder.rglob('*') if path.is_file())
  kept = {path: path.read_bytes() for path in files}
  wanted, refused = clips(), 0
  for _ in range(500):
    path = rng.choice(files[:-1] if signed else files)
    kind = rng.choice(('delete', 'swap') if rng.random() < 0.1 else ('bytes',))
    if kind == 'bytes' and signed:
      plant(folder, damage(kept[path], rng), files.index(path))
    elif kind == 'bytes':
      path.write_bytes(damage(kept[path], rng))
    elif kind == 'delete':
      path.unlink()
    else:
      path.write_bytes(kept[rng.choice(files)])
    try:
      assert same(store.read(folder), wanted)
    except DataError as fault:
      assert '\n' not in str(fault)
      assert str(folder) in str(fault)
      if not signed and path.name != manifest.NAME:
        assert repr(wanted[files.index(path)].name) in str(fault)
      refused += 1
    for each in {path, files[-1]}:
      each.write_bytes(kept[each])
  assert refused > (150 if signed else 450)


def test_mutated_lines(folder):
  """Law: a signed manifest with any value in any field is read or refused."""
  whole = (folder / manifest.NAME).read_bytes()
  values = [None, True, -1, 0, 10**30, 1.5, '', '\n', '\ud800', 'x' * 300, '..']
  values += [[], {}, [1], {'shape': -1}, {'shape': 'a'}, {'audio': [1]}]
  keys = list(json.loads(whole.splitlines()[1]))
  header_keys = list(json.loads(whole.splitlines()[0]))
  for value in values:
    for key in keys:
      redo(folder, lambda record, k=key, v=value: record.update({k: v}))
      error_or_clips(folder)
      (folder / manifest.NAME).write_bytes(whole)
    for key in header_keys:
      redo(folder, header=lambda head, k=key, v=value: head.update({k: v}))
      error_or_clips(folder)
      (folder / manifest.NAME).write_bytes(whole)


def error_or_clips(folder):
  try:
    store.read(folder)
  except DataError as fault:
    assert '\n' not in str(fault)
    str(fault).encode()  # the message can be printed


@pytest.mark.parametrize(
  'file', ['../secret.npz', '/etc/passwd', 'clips/../../a.npz', 'clips/a']
)
def test_no_path_leads_out(folder, file):
  """Law: a signed manifest cannot name a file outside its folder."""
  redo(folder, lambda record: record.update(file=file))
  assert 'not clips/<name>.npz' in error(folder)


class Malice:
  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return os.mkdir, (str(self.path),)


def test_pickles_do_not_run(folder, tmp_path):
  """Law: a pickle anywhere in a store is refused and not run."""
  path = tmp_path / 'ran'
  plain = pickle.dumps(Malice(path))
  objects = array(np.array([[Malice(path)]], object), allow_pickle=True)
  arrays = members(folder)
  for data in (
    plain,
    objects,
    archive({**arrays, 'audio.npy': plain}),
    archive({**arrays, 'audio.npy': objects}),
  ):
    plant(folder, data)
    assert repr(clips()[0].name) in error(folder)
  (folder / manifest.NAME).write_bytes(plain)
  error(folder)
  assert not path.exists()
  pickle.loads(plain)
  assert path.exists()  # the pickle is effective when loaded


def test_bombs_stay_small(folder):
  """Law: little memory is used, whatever size a file declares."""
  arrays = members(folder)
  huge = array(np.zeros((5, 3), np.float32)).replace(
    b'(5, 3), }' + b' ' * 20, b'(1000000, 1000000), }' + b' ' * 8
  )
  zeros = array(np.zeros((50_000_000, 1), np.float32))
  header = b'\x93NUMPY\x02\x00\xff\xff\xff\x05' + bytes(100_000_000)
  bombs = [
    archive({**arrays, 'audio.npy': huge}),
    archive({**arrays, 'audio.npy': zeros}, zipfile.ZIP_DEFLATED),
    archive({**arrays, 'audio.npy': header}, zipfile.ZIP_DEFLATED),
    archive({**arrays, 'audio.npy': header[:99]}),
  ]
  del zeros, header
  tracemalloc.start()
  for bomb in bombs:
    plant(folder, bomb)
    assert repr(clips()[0].name) in error(folder)
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert peak < 20e6  # the compressed zeros would be 200 MB


@pytest.mark.parametrize(
  ('change', 'reason'),
  [
    ({'audio.npy': array(np.zeros((5, 3)))}, 'float64'),
    ({'audio.npy': array(np.zeros((6, 3), np.float32))}, 'of shape (6, 3)'),
    ({'audio.npy': array(np.full((5, 3), np.nan, np.float32))}, 'NaN'),
    ({'more.npy': array(np.zeros(1))}, 'more.npy'),
    ({'audio.npy': array(np.zeros((5, 3), np.float32)) + b'x'}, 'bytes'),
  ],
)
def test_other_content(folder, change, reason):
  """Law: a signed file that disagrees with the manifest is refused."""
  plant(folder, archive({**members(folder), **change}))
  assert reason in error(folder)


def test_compressed_files(folder):
  """Law: a compressed file is refused before anything is unpacked."""
  plant(folder, archive(members(folder), zipfile.ZIP_DEFLATED))
  assert 'is compressed' in error(folder)


def test_limits_are_checked_before_reading(monkeypatch, folder):
  """Law: a file above the limit is refused without reading it."""
  monkeypatch.setattr(npy, 'MAX_BYTES', 100)
  monkeypatch.setattr(pathlib.Path, 'read_bytes', lambda path: b'{}')
  with pytest.raises(DataError, match='more than 100 bytes'):
    manifest.file_bytes(min((folder / 'clips').iterdir()), npy.MAX_BYTES)
