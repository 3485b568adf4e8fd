"""Buckets, the order of an epoch, and padded batches."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from avjax.clips import Clip
from avjax.data import batching
from avjax.errors import DataError

EMOTIONS = ('angry', 'sad')


def clip(i, audio, visual, label: str | None = 'sad', value=1.0):
  streams = {'shape': np.full((visual, 2), value, np.float32)}
  if audio:
    streams['audio'] = np.full((audio, 3), value, np.float32)
  return Clip(f'clip {i}', streams, label)


lengths = st.lists(
  st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=50
)


@hypothesis.settings(max_examples=200, deadline=None, derandomize=True)
@hypothesis.given(lengths, st.integers(1, 6))
def test_every_clip_fits(pairs, count):
  """Law: buckets ascend in both lengths, and every clip fits in its bucket."""
  clips = [clip(i, *pair) for i, pair in enumerate(pairs)]
  made = batching.buckets(clips, count, 32)
  assert 1 <= len(made.lengths) <= count
  steps = np.diff(np.array(made.lengths), axis=0)
  assert (steps >= 0).all() and (steps.sum(axis=1) > 0).all()
  assert made.lengths[-1] == tuple(np.max(pairs, axis=0))
  for pair, bucket in zip(pairs, made.of(clips), strict=True):
    assert (np.array(pair) <= made.lengths[bucket]).all()
    assert bucket == 0 or (np.array(pair) > made.lengths[bucket - 1]).any()


def test_buckets_share_the_clips():
  """Law: if lengths differ, the buckets have equally many clips."""
  clips = [clip(i, 5 * i + 5, 4 * i + 4) for i in range(30)]
  made = batching.buckets(clips[::-1], 3, 32)
  assert made.lengths == ((50, 40), (100, 80), (150, 120))
  assert np.bincount(made.of(clips)).tolist() == [10, 10, 10]
  odd = clip('odd', 150, 4)
  assert batching.buckets([*clips, odd], 3, 32).lengths[0][0] <= 60
  silent = [clip(i, 0, 4) for i in range(3)]
  assert batching.buckets(silent, 3, 32).lengths == ((0, 4),)


def test_a_longer_clip_is_refused():
  """Law: the error names a clip that is longer than all buckets."""
  made = batching.buckets([clip(0, 5, 4)], 1, 32)
  with pytest.raises(DataError, match='clip 1 has 5 audio and 9 video'):
    made.of([clip(0, 5, 4), clip(1, 5, 9)])


@hypothesis.settings(max_examples=300, deadline=None, derandomize=True)
@hypothesis.given(
  st.lists(st.integers(0, 3), min_size=1, max_size=50),
  st.integers(1, 8),
  st.integers(-1, 2**40),
  st.integers(0, 99),
)
def test_every_clip_once(bucket_of, batch_size, seed, epoch):
  """Law: every clip is in exactly one step of an epoch."""
  bucket_of = np.array(bucket_of)
  count = len(bucket_of)
  for steps in (
    batching.epoch_order(bucket_of, seed, epoch, [batch_size] * 4),
    batching.evaluation_order(bucket_of, [batch_size] * 4),
  ):
    assert len(steps) == -(-count // batch_size)
    assert sorted(map(len, steps))[1:] == [batch_size] * (len(steps) - 1)
    assert sorted(i for step in steps for i in step) == list(range(count))


def test_the_order_depends_on_seed_and_epoch():
  """Law: the order depends only on seed and epoch, and differs between them."""
  bucket_of = np.arange(40) // 20
  orders = {
    (seed, epoch): tuple(
      tuple(step)
      for step in batching.epoch_order(bucket_of, seed, epoch, [4, 4])
    )
    for seed in (0, 1)
    for epoch in (0, 1)
  }
  again = batching.epoch_order(bucket_of, 1, 0, [4, 4])
  assert orders[1, 0] == tuple(tuple(step) for step in again)
  assert len(set(orders.values())) == 4
  firsts = [bucket_of[step[0]] for step in again]
  assert sorted(firsts) != firsts  # short clips do not all come first
  assert all(len(set(bucket_of[step])) == 1 for step in again)


def test_the_order_never_changes():
  """Golden: the order of seed 3, epoch 2, made with NumPy 2.4.6.

  A run resumed with another NumPy must continue in the same order.
  """
  steps = batching.epoch_order(np.array([0, 1] * 4), 3, 2, [3, 3])
  assert [step.tolist() for step in steps] == [[2, 4, 6], [5, 7], [0, 1, 3]]


def test_evaluation_is_sorted():
  """Law: evaluation takes the clips by bucket, not shuffled."""
  steps = batching.evaluation_order(np.array([1, 0, 1, 0, 0]), [2, 2])
  assert [step.tolist() for step in steps] == [[1, 3], [4, 0], [2]]


def test_long_clips_are_in_small_batches():
  """Law: a batch has 160 frames at most, or one clip; others stay as were.

  The usual clips are in the same batches as without the long ones.
  """
  usual = [clip(k, 20 + k % 20, 10 + k % 20) for k in range(21)]
  long = [clip(30 + k, n, n // 2) for k, n in enumerate((41, 60, 95, 999, 70))]
  clips = [*usual, *long]
  alone, made = (batching.buckets(c, 2, 4, 160) for c in (usual, clips))
  assert alone.sizes(4) == (4, 4)
  assert made.lengths[:2] == alone.lengths
  assert (made.lengths[2:], made.sizes(4)) == (
    ((70, 35), (999, 499)),
    (4, 4, 2, 1),
  )
  bucket_of = made.of(clips)
  orders = [
    batching.epoch_order(bucket_of, 7, 1, made.sizes(4)),
    batching.evaluation_order(bucket_of, made.sizes(4)),
  ]
  for order in orders:
    assert sorted(np.concatenate(order)) == list(range(len(clips)))
    for batch in order:
      frames = max(made.lengths[bucket_of[batch].max()])
      assert len(batch) * frames <= 160 or len(batch) == 1
    assert len(order) == 6 + 2 + 2
  wanted = batching.evaluation_order(alone.of(usual), alone.sizes(4))
  for one, other in zip(wanted, orders[1], strict=False):
    np.testing.assert_array_equal(one, other)


CLIPS = [
  clip(0, 5, 4, 'sad', 1),
  clip(1, 6, 5, None, 2),
  clip(2, 9, 8, 'angry', 3),
]
BUCKETS = batching.Buckets(((6, 5), (9, 8)))


def collate(indices, streams=('audio', 'shape'), rows=3, **kwargs):
  return batching.collate(
    CLIPS, np.array(indices), BUCKETS, EMOTIONS, streams, rows, **kwargs
  )


def test_rows_are_padded_clips():
  """Law: a row is a clip, then zeros; a padding row has length 0."""
  batch = collate([1, 0])
  assert batch.audio.shape == (3, 6, 3)
  assert batch.visual['shape'].shape == (3, 5, 2)
  for array, lengths in (
    (batch.audio, batch.audio_length),
    (batch.visual['shape'], batch.visual_length),
  ):
    assert array.dtype == np.float32 and lengths.dtype == np.int32
    for row, value in enumerate((2, 1, 0)):
      assert (array[row, : lengths[row]] == value).all()
      assert not array[row, lengths[row] :].any()
  assert batch.audio_length.tolist() == [6, 5, 0]
  assert batch.visual_length.tolist() == [5, 4, 0]
  assert batch.label.tolist() == [batching.UNKNOWN, 1, batching.UNKNOWN]
  assert batch.label.dtype == np.int32


def test_the_longest_clip_decides():
  """Law: a batch takes the bucket of its longest clip."""
  batch = collate([0, 2])
  assert batch.audio.shape[1] == 9
  assert batch.visual['shape'].shape[1] == 8


def test_rows_of_several_processes():
  """Law: one after another they are the whole batch, fewer clips than rows."""
  whole = collate([1, 0], rows=4)
  parts = [collate([1, 0], rows=2, first=first) for first in (0, 2)]
  for name in ('audio_length', 'visual_length', 'label', 'audio'):
    joined = np.concatenate([getattr(part, name) for part in parts])
    np.testing.assert_array_equal(joined, getattr(whole, name))
  joined = np.concatenate([part.visual['shape'] for part in parts])
  np.testing.assert_array_equal(joined, whole.visual['shape'])


def test_only_requested_streams():
  """Law: a batch has only the requested streams."""
  batch = collate([0, 2], ('shape',))
  assert batch.audio is None
  assert set(batch.visual) == {'shape'}


def test_an_unknown_label_is_refused():
  """Law: the error names a label that the run does not have."""
  with pytest.raises(DataError, match="clip 0 has the label 'sad'"):
    batching.collate(CLIPS, np.array([0]), BUCKETS, ('angry',), ('shape',), 1)


def test_streams_are_checked():
  """Law: the error names a missing stream, or a stream of two widths."""
  batching.check_streams(CLIPS, ('shape', 'audio'))
  with pytest.raises(DataError, match=r'1 of 4 .* to some of: shape, audio'):
    batching.check_streams([*CLIPS, clip(3, 0, 4)], ('audio',))
  wide = Clip('wide', {'shape': np.zeros((2, 7), np.float32)})
  with pytest.raises(DataError, match='2 in clip 2, 7 in wide'):
    batching.check_streams([*CLIPS, wide], ('shape',))
