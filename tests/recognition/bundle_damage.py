"""Damaged copies of a bundle: refused, or unharmed, but never wrong.

Run as a script, this module damages a bundle 200 times, reads each copy and
compares its answers with those of the bundle. It exits with 1 if an answer
differs, or an error is not one line of ours:

  python -m tests.recognition.bundle_damage [BUNDLE] [NUMBER]
"""

import collections
import io
import json
import pathlib
import random
import sys
import tempfile
import zipfile

import numpy as np

from avjax import records
from avjax.clips import Clip
from avjax.data import npy
from avjax.errors import AvjaxError
from avjax.recognition import bundle
from tests.recognition import made


def files_of(packed):
  """Returns name -> content."""
  with zipfile.ZipFile(io.BytesIO(packed)) as archive:
    return {name: archive.read(name) for name in archive.namelist()}


def zipped(contents, method=zipfile.ZIP_STORED):
  """Returns a valid archive, whatever is in it."""
  file = io.BytesIO()
  with zipfile.ZipFile(file, 'w', method) as archive:
    for name, content in contents.items():
      archive.writestr(name, content)
  return file.getvalue()


def flipped(packed, chance):
  """One bit is another."""
  content = bytearray(packed)
  content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
  return bytes(content)


def cut(packed, chance):
  """The end is missing."""
  return packed[: chance.randrange(len(packed))]


def emptied(packed, chance):
  """A stretch is zero."""
  start = chance.randrange(len(packed))
  length = chance.randrange(1, 4096)
  return packed[:start] + bytes(length) + packed[start + length :]


def lost(packed, chance):
  """A stretch in the middle is missing."""
  start = chance.randrange(len(packed))
  return packed[:start] + packed[start + chance.randrange(1, 4096) :]


def headless(packed, chance):
  """A bit of the directory at the end, or of a header, is another."""
  start = packed.index(b'PK\x01\x02')
  place = chance.randrange(start, len(packed))
  return packed[:place] + bytes([packed[place] ^ 255]) + packed[place + 1 :]


def swapped(packed, chance):
  """Two files have each other's content, with valid checksums."""
  contents = files_of(packed)
  one, other = chance.sample(sorted(contents), 2)
  contents[one], contents[other] = contents[other], contents[one]
  return zipped(contents)


def missing(packed, chance):
  """A file is missing."""
  contents = files_of(packed)
  del contents[chance.choice(sorted(contents))]
  return zipped(contents)


def added(packed, chance):
  """There is another file."""
  return zipped({**files_of(packed), 'none/9/w_class.npy': b'', 'x': b'y'})


def edited(packed, chance):
  """A value in bundle.json is another; its digest is not."""
  contents = files_of(packed)
  head = json.loads(contents['bundle.json'])
  where, key = chance.choice([*places(head)])
  where[key] = chance.choice([0, -1, 1.5, 'x', '', [], {}, None, 2**70, True])
  contents['bundle.json'] = json.dumps(head).encode()
  return zipped(contents)


def places(value):
  """Yields every place in a JSON value that holds no other places."""
  pairs = value.items() if isinstance(value, dict) else enumerate(value)
  for key, inner in pairs:
    if isinstance(inner, dict | list) and inner:
      yield from places(inner)
    else:
      yield value, key


def misfit(packed, chance):
  """An array has another shape, type or a NaN, and a digest of that."""
  contents = files_of(packed)
  names = sorted(name for name in contents if name.endswith('.npy'))
  name = chance.choice(names)
  file = io.BytesIO(contents[name])
  array = npy.data(file, npy.header(file, len(contents[name]))).copy()
  kind = chance.randrange(4)
  if kind == 0:
    array = array[..., None]
  elif kind == 1:
    array = array.astype('<f2')
  elif kind == 2:
    array.flat[chance.randrange(array.size)] = np.nan
  else:
    array = np.concatenate([array, array])
  file = io.BytesIO()
  np.save(file, array)
  contents[name] = file.getvalue()
  return resealed(contents, lambda head: None)


def resealed(contents, change):
  """Returns an archive whose digests are right, after a change of its head."""
  head = json.loads(contents['bundle.json'])
  change(head)
  head['files'] = {name: records.digest(contents[name]) for name in
                   head['files']}  # fmt: skip
  content = json.dumps(records.seal(head | {'sha256': ''}))
  return zipped({**contents, 'bundle.json': content.encode()})


def retyped(packed, chance):
  """A setting of the network is another, and so is the digest."""

  def change(head):
    settings = chance.choice(head['ways'])['settings']
    name = chance.choice(['hidden_size', 'lstm_cells', 'embedding_size'])
    settings[name] = chance.choice([0, 1, 5, 64, 'x', None, 10**9])

  return resealed(files_of(packed), change)


def inflated(packed, chance):
  """It is compressed, with a file that would fill the memory."""
  contents = files_of(packed) | {'none/0/z.npy': bytes(1 << 24)}
  return zipped(contents, zipfile.ZIP_DEFLATED)


def later(packed, chance):
  """A later version of avjax has made it."""
  return resealed(files_of(packed), lambda head: head.update(format=2))


KINDS = (
  flipped, cut, emptied, lost, headless, swapped, missing, added, edited,
  misfit, retyped, inflated, later,
)  # fmt: skip


def judged(path, clips, wanted):
  """Returns 'refused', 'unharmed' or what is wrong, and the message."""
  try:
    found = bundle.read(path)
    got = answers(found, clips)
  except AvjaxError as error:
    text = str(error)
    return ('refused' if '\n' not in text else 'two lines'), text
  except Exception as error:
    return 'traceback', repr(error)
  return ('unharmed' if same(got, wanted) else 'wrong'), ''


def answers(recogniser, clips):
  """Returns the probabilities of every way, by emotion, and features."""
  ways = (recogniser, *recogniser.others)
  columns = np.random.default_rng(0).normal(size=(5, 901))
  return [
    recogniser.emotions,
    [way.standardise for way in ways],
    *(way.outcome(clips).probabilities for way in ways),
    recogniser.extractor.audio(columns),
  ]


def same(got, wanted):
  """Returns whether two answers are equal."""
  return len(got) == len(wanted) and all(
    np.array_equal(one, other) for one, other in zip(got, wanted, strict=True)
  )


def main(path='', number='200'):
  """Damages a bundle; returns 1 if something is wrong."""
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    source = pathlib.Path(path or folder / 'made.zip')
    if not path:
      made.write(source)
    packed, found = source.read_bytes(), collections.Counter()
    whole = bundle.read(source)
    normal = np.random.default_rng(3).normal
    frames = {k: 50 if k == 'audio' else 40 for k in whole.widths}
    clip = Clip('clip', {k: normal(size=(frames[k], n)).astype(np.float32)
                         for k, n in whole.widths.items()})  # fmt: skip
    wanted = answers(whole, [clip])
    for seed in range(int(number)):
      kind = KINDS[seed % len(KINDS)]
      damaged = folder / 'damaged.zip'
      damaged.write_bytes(kind(packed, random.Random(seed)))
      verdict, text = judged(damaged, [clip], wanted)
      found[verdict] += 1
      if verdict not in ('refused', 'unharmed'):
        print(kind.__name__, seed, verdict, text)
  print(dict(found))
  return int(bool(found.keys() - {'refused', 'unharmed'}))


if __name__ == '__main__':
  sys.exit(main(*sys.argv[1:]))
