"""Clips -> padded batches, by pure functions of (seed, epoch).

Clips of like length go together and are padded to one of a few lengths, so
that only so many shapes are compiled. An epoch has every clip exactly once.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from avjax.clips import AUDIO, Batch, Clip
from avjax.errors import DataError
from avjax.shapes import Int

UNKNOWN = -1
"""The label of a clip that has none, and of filler; the index of filler."""


@dataclasses.dataclass(frozen=True)
class Buckets:
  """The lengths that are compiled for.

  Attributes:
    lengths: rising pairs (audio frames, video frames); a clip belongs to the
      first that holds both of its lengths.
  """

  lengths: tuple[tuple[int, int], ...]

  def of(self, clips: Sequence[Clip]) -> Int[np.ndarray, ' clips']:
    """Returns the number of each clip's bucket.

    Raises:
      DataError: a clip is longer than all of them.
    """
    if too_long := [c for c in clips if not _fits(c, self.lengths[-1])]:
      clip, (audio, visual) = too_long[0], self.lengths[-1]
      raise DataError(
        f'{clip.name} has {clip.audio_length} audio and {clip.visual_length}'
        f' video frames where at most {audio} and {visual} were planned for;'
        ' make the buckets from all clips that are used'
      )
    fitting = (
      next(i for i, pair in enumerate(self.lengths) if _fits(clip, pair))
      for clip in clips
    )
    return np.fromiter(fitting, np.int64, len(clips))


def _fits(clip: Clip, lengths: tuple[int, int]) -> bool:
  return clip.audio_length <= lengths[0] and clip.visual_length <= lengths[1]


def buckets(clips: Sequence[Clip], count: int) -> Buckets:
  """Returns at most `count` buckets that hold about equally many clips.

  The clips are ranked by the greater of their two lengths, each relative to
  the corpus's longest, so that a clip with much audio and few video frames
  does not stretch the short buckets.

  Args:
    clips: of all splits in use together; at least one.
    count: buckets wanted; there are fewer where lengths coincide.
  """
  lengths = np.array([(c.audio_length, c.visual_length) for c in clips])
  longest = np.maximum(lengths.max(axis=0), 1)
  ranked = lengths[np.argsort((lengths / longest).max(axis=1), kind='stable')]
  largest = np.maximum.accumulate(ranked, axis=0)
  # The last clip of each k/count of the ranking; -(-a // b) rounds up.
  ends = [-(-len(clips) * k // count) - 1 for k in range(1, count + 1)]
  pairs = {(int(largest[i, 0]), int(largest[i, 1])) for i in ends}
  return Buckets(tuple(sorted(pairs)))


def epoch_order(
  bucket_of: Int[np.ndarray, ' clips'], seed: int, epoch: int, batch_size: int
) -> list[Int[np.ndarray, ' _']]:
  """Returns the clips of each training step of one epoch, by their number.

  There are always ceil(clips / batch_size) steps, and only one of them is
  short: batches are cut from the clips in the order of their buckets, and the
  few that lie across a border take the larger bucket.
  """
  stream = np.random.Philox(key=np.array([seed % 2**64, epoch], np.uint64))
  # Sorting raw output is a permutation that no release of NumPy will change;
  # Generator.permutation makes no such promise.
  mixed = np.argsort(stream.random_raw(len(bucket_of)), kind='stable')
  batches = _cut(mixed[np.argsort(bucket_of[mixed], kind='stable')], batch_size)
  order = np.argsort(stream.random_raw(len(batches)), kind='stable')
  return [batches[i] for i in order]


def evaluation_order(
  bucket_of: Int[np.ndarray, ' clips'], batch_size: int
) -> list[Int[np.ndarray, ' _']]:
  """Returns the clips of each evaluation step: by bucket, never mixed."""
  return _cut(np.argsort(bucket_of, kind='stable'), batch_size)


def _cut(
  order: Int[np.ndarray, ' clips'], batch_size: int
) -> list[Int[np.ndarray, ' _']]:
  starts = range(0, len(order), batch_size)
  return [order[start : start + batch_size] for start in starts]


def collate(
  clips: Sequence[Clip],
  indices: Int[np.ndarray, ' taken'],
  buckets: Buckets,
  emotions: Sequence[str],
  streams: Sequence[str],
  rows: int,
) -> Batch:
  """Returns one batch of NumPy arrays, padded with zeros.

  Args:
    clips: all clips of the split; `check_streams` has seen them.
    indices: the batch: its clips, by their number.
    buckets: the lengths to choose from; the longest clip decides.
    emotions: the label's index is the place in this list.
    streams: names of the wanted streams; without 'audio' the batch has none.
    rows: of the batch, padding rows included.

  Returns:
    float32 streams, int32 lengths and labels. A row without a clip has the
    length 0; its label, and that of a clip without one, is UNKNOWN.

  Raises:
    DataError: a label is not among the emotions.
  """
  pair = buckets.lengths[buckets.of([clips[i] for i in indices]).max()]
  taken = {row: clips[i] for row, i in enumerate(indices)}
  padded = {}
  for name in streams:
    length = pair[0] if name == AUDIO else pair[1]
    width = clips[indices[0]].streams[name].shape[1]
    padded[name] = _pad(name, taken, (rows, length, width))
  lengths = np.zeros((2, rows), np.int32)
  label = np.full(rows, UNKNOWN, np.int32)
  for row, clip in taken.items():
    lengths[:, row] = clip.audio_length, clip.visual_length
  label[list(taken)] = labels(list(taken.values()), emotions)
  return Batch(
    audio=padded.pop(AUDIO, None),
    visual=padded,
    audio_length=lengths[0],
    visual_length=lengths[1],
    label=label,
    zero_padded=True,
  )


def _pad(
  name: str, taken: Mapping[int, Clip], shape: tuple[int, int, int]
) -> np.ndarray:
  """Returns one stream of a batch: one array, the clips copied in."""
  padded = np.zeros(shape, np.float32)
  for row, clip in taken.items():
    array = clip.streams[name]
    padded[row, : len(array)] = array
  return padded


def labels(
  clips: Sequence[Clip], emotions: Sequence[str]
) -> Int[np.ndarray, ' clips']:
  """Returns each clip's place in the list of emotions, or UNKNOWN.

  Raises:
    DataError: a label is not among the emotions.
  """
  for clip in clips:
    if clip.label is not None and clip.label not in emotions:
      raise DataError(
        f'{clip.name} has the label {clip.label!r}, which is none of'
        f' {", ".join(emotions)}; correct the label or train with it'
      )
  numbers = {None: UNKNOWN} | {name: k for k, name in enumerate(emotions)}
  return np.array([numbers[clip.label] for clip in clips], np.int32)


def check_streams(clips: Sequence[Clip], streams: Sequence[str]) -> None:
  """Returns nothing; raises DataError unless all clips have these streams.

  Args:
    clips: of all splits in use together; at least one.
    streams: names that every clip must have, each with one width.
  """
  present = ', '.join(dict.fromkeys(k for c in clips for k in c.streams))
  for name in streams:
    without = [clip.name for clip in clips if name not in clip.streams]
    if without:
      raise DataError(
        f'{len(without)} of {len(clips)} clips ({without[0]}, ...) have no'
        f' stream {name!r}; set model.streams to some of: {present}'
      )
    widths = {clip.streams[name].shape[1]: clip.name for clip in clips}
    if len(widths) > 1:
      listed = ', '.join(f'{w} in {clip}' for w, clip in widths.items())
      raise DataError(
        f'the stream {name!r} has several widths ({listed}); make the store'
        f' again with one, or set model.streams to others of: {present}'
      )
