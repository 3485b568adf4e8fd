"""Makes the batches of a run."""

import collections
import dataclasses
import math
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent import futures

import numpy as np

from avjax.clips import Batch, Clip
from avjax.data import batching
from avjax.processes import ALONE, Process

AHEAD = 2
"""Batches that are read before they are needed."""


@dataclasses.dataclass(frozen=True)
class Loader:
  """Makes batches; every batch is a pure function of the arguments.

  Attributes:
    buckets: the padded lengths.
    emotions: names of the classes, in the order of the labels.
    streams: streams that the model reads.
    batch_size: clips in a full batch.
    rows: rows of a full batch, padding rows included.
    devices: number of devices, of which the rows of every batch are a multiple.
    speakers: names of the speakers that batches number; () for none.
    process: which process this is. Each makes its own rows of a batch; those
      of process 0 come first.
  """

  buckets: batching.Buckets
  emotions: tuple[str, ...]
  streams: tuple[str, ...]
  batch_size: int
  rows: int
  devices: int = 1
  speakers: tuple[str, ...] = ()
  process: Process = ALONE

  def size(self, clips: Sequence[Clip]) -> int:
    """Returns the bytes of the clips' streams that the model reads."""
    return sum(
      4 * math.prod(clip.shapes[name])
      for clip in clips
      for name in self.streams
    )

  def order(
    self, clips: Sequence[Clip], seed: int, epoch: int
  ) -> list[np.ndarray]:
    """Returns the indices of the clips of each batch of an epoch."""
    return batching.epoch_order(self.buckets.of(clips), seed, epoch, self.sizes)

  def evaluation_order(self, clips: Sequence[Clip]) -> list[np.ndarray]:
    """Returns the indices of the clips of each batch of an evaluation."""
    return batching.evaluation_order(self.buckets.of(clips), self.sizes)

  @property
  def sizes(self) -> tuple[int, ...]:
    """How many clips of each bucket are in one batch."""
    return self.buckets.sizes(self.batch_size)

  @property
  def rows_of(self) -> tuple[int, ...]:
    """The rows of a batch of each bucket, padding rows included."""
    return tuple(
      self.rows
      if size == self.batch_size
      else -(-size // self.devices) * self.devices
      for size in self.sizes
    )

  def batch(self, clips: Sequence[Clip], indices: np.ndarray) -> Batch:
    """Returns the batch of the clips at `indices`, as NumPy arrays.

    In several processes it has the rows of this one.
    """
    bucket = self.buckets.of([clips[i] for i in indices]).max()
    rows = self.rows_of[bucket] // self.process.count
    first = self.process.index * rows
    batch = batching.collate(
      clips,
      indices,
      self.buckets,
      self.emotions,
      self.streams,
      rows,
      first,
    )
    if not self.speakers:
      return batch
    chosen = [clips[k] for k in indices[first : first + rows]]
    speaker = np.full(len(batch.visual_length), batching.UNKNOWN, np.int32)
    speaker[: len(chosen)] = batching.speakers(chosen, self.speakers)
    return dataclasses.replace(batch, speaker=speaker)

  def batches(
    self, clips: Sequence[Clip], order: Iterable[np.ndarray]
  ) -> Generator[Batch, None, None]:
    """Yields the batches of an order.

    Those of unread clips are made in a thread, while the ones before are in
    use; there are AHEAD of them at most.
    """
    if not any(clip.unread for clip in clips):
      yield from (self.batch(clips, indices) for indices in order)
      return
    waiting: collections.deque[futures.Future[Batch]] = collections.deque()
    pool = futures.ThreadPoolExecutor(1)
    try:
      for indices in order:
        waiting.append(pool.submit(self.batch, clips, indices))
        if len(waiting) > AHEAD:
          yield waiting.popleft().result()
      while waiting:
        yield waiting.popleft().result()
    finally:  # also where nobody asks for more
      pool.shutdown(cancel_futures=True)

  def evaluation(
    self, clips: Sequence[Clip]
  ) -> Iterator[tuple[np.ndarray, Batch]]:
    """Yields (indices, batch), with every clip exactly once."""
    order = self.evaluation_order(clips)
    yield from zip(order, self.batches(clips, order), strict=True)
