"""Runs whose clips are not kept in memory."""

import dataclasses
import gc
import json
import weakref

import numpy as np
import pytest

from avjax.data import store
from avjax.errors import DataError
from avjax.robustness import conditions, recordings
from avjax.robustness.conditions import Condition
from avjax.runs import experiment, scoring
from tests.training import examples


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Returns a store of 34 clips of 4 speakers."""
  folder = tmp_path_factory.mktemp('unread') / 'store'
  parts = (('training', 20), ('validation', 7), ('test', 7))
  store.write(folder, [c for k, n in parts for c in examples.make_clips(n, k)])
  return folder


def config_of(folder, placement, variant='average', **data):
  return dataclasses.replace(
    examples.SETTINGS,
    data=dataclasses.replace(
      examples.SETTINGS.data,
      store=str(folder),
      placement=placement,
      allow_leaks='speaker,content,selection',
      **data,
    ),
    model=dataclasses.replace(examples.SETTINGS.model, variant=variant),
    training=dataclasses.replace(examples.SETTINGS.training, epochs=1),
  )


@pytest.fixture
def alive(monkeypatch):
  """Returns [now, most], numbers of arrays that were read and are in use."""
  counts = [0, 0]
  real = store._read_stream

  def gone():
    counts[0] -= 1

  def read(*args):
    array = real(*args)
    weakref.finalize(array, gone)
    counts[0] += 1
    counts[1] = max(counts)
    return array

  monkeypatch.setattr(store, '_read_stream', read)
  return counts


@pytest.mark.parametrize(
  ('variant', 'data'),
  [
    ('average', {'standardise': 'recording'}),
    ('majority', {'standardise': 'speaker', 'protocol': 'loso'}),
    (
      'linear',
      {
        'protocol': 'loso',
        'fold': '0',
        'standardise': 'enrolment',
        'enrolment': 1,
        'enrolment_clips': 2,
      },
    ),
  ],
)
def test_the_same_results(variant, data, folder, tmp_path, alive):
  """Law: training and evaluation give the bits of clips in memory.

  A few of the 68 streams are in memory at a time.
  """
  found = []
  for placement in ('host', 'stream'):
    run = tmp_path / placement
    experiment.train(config_of(folder, placement, variant, **data), run)
    info = json.loads((run / 'config.json').read_text())
    again = scoring.evaluate(run)
    texts = [path.read_bytes() for path in sorted(run.rglob('*.csv'))]
    found.append((info['data_fingerprint'], again['splits'], texts))
  assert found[0] == found[1]
  gc.collect()
  assert alive[0] == 0 < alive[1] <= 5


def test_batches_are_made_ahead(folder, monkeypatch):
  """Law: the batches of unread clips are the others', in their order.

  An error of the thread is raised where the batch is asked for.
  """
  settings = config_of(folder, 'stream', buckets=2, batch_frames=24)
  kept, unread = store.read(folder), store.read(folder, 0)
  loader = examples.make_loader(settings, {'': kept})
  order = loader.order(kept, 0, 0)
  assert len(order) > 5
  for wanted, got in zip(
    loader.batches(kept, order), loader.batches(unread, order), strict=True
  ):
    for name in ('audio', 'audio_length', 'visual_length', 'label'):
      one, other = getattr(wanted, name), getattr(got, name)
      assert one.dtype == other.dtype
      np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(wanted.visual['face'], got.visual['face'])
  batches = loader.batches(unread, order)
  next(batches)
  monkeypatch.setattr(store.zlib, 'crc32', lambda _: -1)
  with pytest.raises(DataError, match='has changed since'):
    list(batches)


def test_disturbed_clips(folder):
  """Law: a clip that is disturbed when it is read has the same streams."""
  streams = recordings.Streams(3)
  pairs = list(zip(store.read(folder), store.read(folder, 0), strict=True))[:3]
  for kind in conditions.OF_STREAMS:
    condition = Condition(kind, kind.levels[-1])
    for clip, unread in pairs:
      wanted = streams.disturbed(clip, condition)
      got = streams.disturbed(unread, condition)
      assert got.unread and got.shapes == wanted.shapes
      for name in wanted.streams:
        np.testing.assert_array_equal(got.streams[name], wanted.streams[name])
