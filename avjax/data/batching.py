"""Clips -> padded batches, by pure functions of (seed, epoch).

Clips of similar length are batched together and padded to one of a few lengths,
so that few shapes are compiled. Very long clips are in batches of fewer clips.
Every clip is in an epoch exactly once.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from avjax.clips import AUDIO, Batch, Clip
from avjax.errors import DataError
from avjax.settings import DataConfig
from avjax.shapes import Int

UNKNOWN = -1
"""Label of a clip without one and of a padding row; index of a padding row."""


@dataclasses.dataclass(frozen=True)
class Buckets:
  """The padded lengths, for each of which the model is compiled.

  Attributes:
    lengths: ascending pairs (audio frames, video frames); a clip belongs to
      the first pair that is not below its own lengths.
    frames: of a batch at most, padding included. By default its streams are
      290 MB with the paper's 1094 values a frame. A batch of 32 clips stays
      whole up to 2048 frames, over a minute, more than any clip of one emotion;
      longer clips share a batch with fewer others, down to one clip alone,
      however long it is.
  """

  lengths: tuple[tuple[int, int], ...]
  frames: int = DataConfig.batch_frames

  def sizes(self, batch_size: int) -> tuple[int, ...]:
    """Returns how many clips of each bucket are in one batch."""
    return tuple(
      _size(max(pair), batch_size, self.frames) for pair in self.lengths
    )

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


def _size(frames: int, batch_size: int, most: int) -> int:
  """Returns how many clips of so many frames are in one batch.

  It is `batch_size`, or halves of it within `most` frames, but at least 1.
  """
  size = batch_size
  while size > 1 and size * frames > most:
    size //= 2
  return size


def buckets(
  clips: Sequence[Clip],
  count: int,
  batch_size: int,
  frames: int = DataConfig.batch_frames,
) -> Buckets:
  """Returns at most `count` buckets with about equally many clips each.

  Clips too long for a whole batch have buckets of their own, one for each
  number of clips in a batch: 16, 8, 4, 2 and 1 for batches of 32.

  Args:
    clips: of all splits in use together; at least one.
    count: maximum number of buckets; fewer if lengths coincide.
    batch_size: clips in a whole batch.
    frames: of a batch at most, see `Buckets`.
  """
  lengths = np.array([(c.audio_length, c.visual_length) for c in clips])
  size = np.array(
    [_size(max(pair), batch_size, frames) for pair in lengths.tolist()]
  )
  usual = lengths[size == batch_size]
  pairs = _quantiles(usual, count) if len(usual) else set()
  for fewer in set(size.tolist()) - {batch_size}:
    # Not shorter than the usual ones, so that buckets ascend in both lengths.
    longest = lengths[size >= fewer].max(axis=0)
    pairs.add((int(longest[0]), int(longest[1])))
  return Buckets(tuple(sorted(pairs)), frames)


def rounded(clips: Sequence[Clip]) -> Buckets:
  """Returns a single bucket, whose length in frames is a power of two.

  So the clips of many calls are padded to few lengths.
  """
  audio = max(clip.audio_length for clip in clips)
  visual = max(clip.visual_length for clip in clips)
  # 1.25 audio frames a video frame (Section 3). Most clips of an emotion are
  # shorter than 256 frames, 10 s, so that one network serves them all.
  frames = max(256, visual, -(-4 * audio // 5))
  frames = 1 << (frames - 1).bit_length()
  return Buckets(((frames * 5 // 4 if audio else 0, frames),))


def _quantiles(
  lengths: Int[np.ndarray, 'clips 2'], count: int
) -> set[tuple[int, int]]:
  """Returns the padded lengths of at most `count` buckets.

  The clips are ranked by the greater of their two lengths, each relative to
  the longest of the corpus. So a clip with many audio and few video frames
  does not make the short buckets longer.
  """
  longest = np.maximum(lengths.max(axis=0), 1)
  share = (lengths / longest).max(axis=1)
  # Of equal shares the shorter comes first, in whatever order the clips are.
  ranked = lengths[np.lexsort((lengths[:, 1], lengths[:, 0], share))]
  largest = np.maximum.accumulate(ranked, axis=0)
  # The last clip of each quantile k/count of the ranking; -(-a // b) rounds up.
  ends = [-(-len(ranked) * k // count) - 1 for k in range(1, count + 1)]
  return {(int(largest[i, 0]), int(largest[i, 1])) for i in ends}


def epoch_order(
  bucket_of: Int[np.ndarray, ' clips'],
  seed: int,
  epoch: int,
  sizes: Sequence[int],
) -> list[Int[np.ndarray, ' _']]:
  """Returns the indices of the clips of each training step of one epoch.

  Batches are cut from the clips sorted by bucket; a batch with clips of two
  buckets of one size is padded to the larger one. So there are ceil(clips /
  size) steps of each size, of which one may be smaller.

  Args:
    bucket_of: number of each clip's bucket.
    seed: of the run.
    epoch: from 0.
    sizes: clips in a batch of each bucket, see `Buckets.sizes`.
  """
  stream = np.random.Philox(key=np.array([seed % 2**64, epoch], np.uint64))
  # Sorting raw output gives the same permutation with every release of NumPy;
  # Generator.permutation does not guarantee that.
  shuffled = np.argsort(stream.random_raw(len(bucket_of)), kind='stable')
  by_bucket = shuffled[np.argsort(bucket_of[shuffled], kind='stable')]
  batches = _cut(by_bucket, np.asarray(sizes)[bucket_of[by_bucket]])
  order = np.argsort(stream.random_raw(len(batches)), kind='stable')
  return [batches[i] for i in order]


def evaluation_order(
  bucket_of: Int[np.ndarray, ' clips'], sizes: Sequence[int]
) -> list[Int[np.ndarray, ' _']]:
  """Returns the indices of each evaluation step: by bucket, not shuffled."""
  order = np.argsort(bucket_of, kind='stable')
  return _cut(order, np.asarray(sizes)[bucket_of[order]])


def _cut(
  order: Int[np.ndarray, ' clips'], size_of: Int[np.ndarray, ' clips']
) -> list[Int[np.ndarray, ' _']]:
  """Returns the batches of clips whose batches have these sizes, in order."""
  ends = [*(np.flatnonzero(np.diff(size_of)) + 1), len(order)]
  return [
    order[start : min(start + size_of[first], end)]
    for first, end in zip([0, *ends], ends, strict=False)
    for start in range(first, end, size_of[first])
  ]


def collate(
  clips: Sequence[Clip],
  indices: Int[np.ndarray, ' batch'],
  buckets: Buckets,
  emotions: Sequence[str],
  streams: Sequence[str],
  rows: int,
  first: int = 0,
) -> Batch:
  """Returns one batch of NumPy arrays, padded with zeros.

  Args:
    clips: all clips of the split, which `check_streams` has accepted.
    indices: of the clips in the batch.
    buckets: the padded lengths; the longest clip of the batch decides.
    emotions: the list of labels; a label becomes its index.
    streams: names of the streams to collate; 'audio' is optional.
    rows: of the batch, padding rows included.
    first: the first of these rows in a batch that several processes share.

  Returns:
    float32 streams, int32 lengths and labels. A padding row has length 0. Its
    label, and that of a clip without a label, is UNKNOWN.

  Raises:
    DataError: a label is not among the emotions.
  """
  pair = buckets.lengths[buckets.of([clips[i] for i in indices]).max()]
  own = indices[first : first + rows]
  chosen = {row: clips[i] for row, i in enumerate(own)}
  padded = {}
  for name in streams:
    length = pair[0] if name == AUDIO else pair[1]
    width = clips[indices[0]].shapes[name][1]
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
  """Returns one stream of a batch, (rows, frames, width), zero-padded.

  A clip that fills the batch is not copied: it may be as large as all others.
  """
  if clips and shape[:2] == (1, clips[0].shapes[name][0]):
    return np.asarray(clips[0].streams[name], np.float32)[None]
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


def check_streams(
  clips: Sequence[Clip], streams: Sequence[str], trained: bool = False
) -> None:
  """Raises DataError unless all clips have these streams, of equal widths.

  Args:
    clips: of all splits in use together; at least one.
    streams: names of the streams.
    trained: whether a finished run reads them, so that they are settled.
  """
  present = ', '.join(dict.fromkeys(k for c in clips for k in c.streams))
  for name in streams:
    without = [clip.name for clip in clips if name not in clip.streams]
    if without:
      remedy = (
        f'the run reads {", ".join(streams)}, and these have {present}: give'
        ' clips with the streams of the run'
        if trained
        else f'set model.streams to some of: {present}'
      )
      raise DataError(
        f'{len(without)} of {len(clips)} clips ({without[0]}, ...) have no'
        f' stream {name!r}; {remedy}'
      )
    widths = {clip.shapes[name][1]: clip.name for clip in clips}
    if len(widths) > 1:
      listed = ', '.join(f'{w} in {clip}' for w, clip in widths.items())
      others = (
        '' if trained else f', or set model.streams to others of: {present}'
      )
      raise DataError(
        f'the stream {name!r} has several widths ({listed}); make the store'
        f' again with one width{others}'
      )
