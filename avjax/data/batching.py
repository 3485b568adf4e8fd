"""Clips -> padded batches, by pure functions of (seed, epoch).

Clips of similar length are batched together and padded to one of a few lengths,
so that few shapes are compiled. Every clip is in an epoch exactly once.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from avjax.clips import AUDIO, Batch, Clip
from avjax.errors import DataError
from avjax.shapes import Int

UNKNOWN = -1
"""Label of a clip without one and of a padding row; index of a padding row."""


@dataclasses.dataclass(frozen=True)
class Buckets:
  """The padded lengths, for each of which the model is compiled.

  Attributes:
    lengths: ascending pairs (audio frames, video frames); a clip belongs to
      the first pair that is not below its own lengths.
  """

  lengths: tuple[tuple[int, int], ...]

  def of(self, clips: Sequence[Clip]) -> Int[np.ndarray, ' clips']:
    """Returns the number of each clip's bucket.

    Raises:
      DataError: a clip is longer than all buckets.
    """
    if too_long := [c for c in clips if not _fits(c, self.lengths[-1])]:
      clip, (audio, visual) = too_long[0], self.lengths[-1]
      raise DataError(
        f'{clip.name} has {clip.audio_length} audio and {clip.visual_length}'
        f' video frames, and the longest bucket {audio} and {visual}; make the'
        ' buckets from all clips in use'
      )
    fitting = (
      next(i for i, pair in enumerate(self.lengths) if _fits(clip, pair))
      for clip in clips
    )
    return np.fromiter(fitting, np.int64, len(clips))


def _fits(clip: Clip, lengths: tuple[int, int]) -> bool:
  return clip.audio_length <= lengths[0] and clip.visual_length <= lengths[1]


def buckets(clips: Sequence[Clip], count: int) -> Buckets:
  """Returns at most `count` buckets with about equally many clips each.

  The clips are ranked by the greater of their two lengths, each relative to
  the longest of the corpus. So a clip with many audio and few video frames
  does not make the short buckets longer.

  Args:
    clips: of all splits in use together; at least one.
    count: maximum number of buckets; fewer if lengths coincide.
  """
  lengths = np.array([(c.audio_length, c.visual_length) for c in clips])
  longest = np.maximum(lengths.max(axis=0), 1)
  ranked = lengths[np.argsort((lengths / longest).max(axis=1), kind='stable')]
  largest = np.maximum.accumulate(ranked, axis=0)
  # The last clip of each quantile k/count of the ranking; -(-a // b) rounds up.
  ends = [-(-len(clips) * k // count) - 1 for k in range(1, count + 1)]
  pairs = {(int(largest[i, 0]), int(largest[i, 1])) for i in ends}
  return Buckets(tuple(sorted(pairs)))


def epoch_order(
  bucket_of: Int[np.ndarray, ' clips'], seed: int, epoch: int, batch_size: int
) -> list[Int[np.ndarray, ' _']]:
  """Returns the indices of the clips of each training step of one epoch.

  There are ceil(clips / batch_size) steps, of which one may be smaller. Batches
  are cut from the clips sorted by bucket; a batch with clips of two buckets is
  padded to the larger one.
  """
  stream = np.random.Philox(key=np.array([seed % 2**64, epoch], np.uint64))
  # Sorting raw output gives the same permutation with every release of NumPy;
  # Generator.permutation does not guarantee that.
  shuffled = np.argsort(stream.random_raw(len(bucket_of)), kind='stable')
  by_bucket = shuffled[np.argsort(bucket_of[shuffled], kind='stable')]
  batches = _cut(by_bucket, batch_size)
  order = np.argsort(stream.random_raw(len(batches)), kind='stable')
  return [batches[i] for i in order]


def evaluation_order(
  bucket_of: Int[np.ndarray, ' clips'], batch_size: int
) -> list[Int[np.ndarray, ' _']]:
  """Returns the indices of each evaluation step: by bucket, not shuffled."""
  return _cut(np.argsort(bucket_of, kind='stable'), batch_size)


def _cut(
  order: Int[np.ndarray, ' clips'], batch_size: int
) -> list[Int[np.ndarray, ' _']]:
  starts = range(0, len(order), batch_size)
  return [order[start : start + batch_size] for start in starts]


def collate(
  clips: Sequence[Clip],
  indices: Int[np.ndarray, ' batch'],
  buckets: Buckets,
  emotions: Sequence[str],
  streams: Sequence[str],
  rows: int,
) -> Batch:
  """Returns one batch of NumPy arrays, padded with zeros.

  Args:
    clips: all clips of the split, which `check_streams` has accepted.
    indices: of the clips in the batch.
    buckets: the padded lengths; the longest clip of the batch decides.
    emotions: the list of labels; a label becomes its index.
    streams: names of the streams to collate; 'audio' is optional.
    rows: of the batch, padding rows included.

  Returns:
    float32 streams, int32 lengths and labels. A padding row has length 0. Its
    label, and that of a clip without a label, is UNKNOWN.

  Raises:
    DataError: a label is not among the emotions.
  """
  pair = buckets.lengths[buckets.of([clips[i] for i in indices]).max()]
  chosen = {row: clips[i] for row, i in enumerate(indices)}
  padded = {}
  for name in streams:
    length = pair[0] if name == AUDIO else pair[1]
    width = clips[indices[0]].streams[name].shape[1]
    padded[name] = _pad(name, chosen, (rows, length, width))
  lengths = np.zeros((2, rows), np.int32)
  label = np.full(rows, UNKNOWN, np.int32)
  for row, clip in chosen.items():
    lengths[:, row] = clip.audio_length, clip.visual_length
  label[list(chosen)] = labels(list(chosen.values()), emotions)
  return Batch(
    audio=padded.pop(AUDIO, None),
    visual=padded,
    audio_length=lengths[0],
    visual_length=lengths[1],
    label=label,
    zero_padded=True,
  )


def _pad(
  name: str, clips: Mapping[int, Clip], shape: tuple[int, int, int]
) -> np.ndarray:
  """Returns one stream of a batch, (rows, frames, width), zero-padded."""
  padded = np.zeros(shape, np.float32)
  for row, clip in clips.items():
    array = clip.streams[name]
    padded[row, : len(array)] = array
  return padded


def labels(
  clips: Sequence[Clip], emotions: Sequence[str]
) -> Int[np.ndarray, ' clips']:
  """Returns the index of each clip's label in `emotions`, or UNKNOWN.

  Raises:
    DataError: a label is not among the emotions.
  """
  for clip in clips:
    if clip.label is not None and clip.label not in emotions:
      raise DataError(
        f'{clip.name} has the label {clip.label!r}, which is not one of'
        f' {", ".join(emotions)}; correct the label, or train with it'
      )
  numbers = {None: UNKNOWN} | {name: k for k, name in enumerate(emotions)}
  return np.array([numbers[clip.label] for clip in clips], np.int32)


def speakers(
  clips: Sequence[Clip], names: Sequence[str]
) -> Int[np.ndarray, ' clips']:
  """Returns the index of each clip's speaker in `names`, or UNKNOWN."""
  numbers = {name: k for k, name in enumerate(names)}
  return np.array([numbers.get(c.speaker, UNKNOWN) for c in clips], np.int32)


def check_streams(clips: Sequence[Clip], streams: Sequence[str]) -> None:
  """Raises DataError unless all clips have these streams, of equal widths.

  Args:
    clips: of all splits in use together; at least one.
    streams: names of the streams.
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
        f' again with one width, or set model.streams to others of: {present}'
      )
