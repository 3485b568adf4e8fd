"""Makes the batches of a run."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from avjax.clips import Batch, Clip
from avjax.data import batching


@dataclasses.dataclass(frozen=True)
class Loader:
  """Makes batches; every batch is a pure function of the arguments.

  Attributes:
    buckets: the padded lengths.
    emotions: names of the classes, in the order of the labels.
    streams: streams that the model reads.
    batch_size: clips in a full batch.
    rows: rows of every batch, padding rows included.
    speakers: names of the speakers that batches number; () for none.
  """

  buckets: batching.Buckets
  emotions: tuple[str, ...]
  streams: tuple[str, ...]
  batch_size: int
  rows: int
  speakers: tuple[str, ...] = ()

  def size(self, clips: Sequence[Clip]) -> int:
    """Returns the bytes of the clips' streams that the model reads."""
    return sum(
      4 * clip.streams[name].size for clip in clips for name in self.streams
    )

  def order(
    self, clips: Sequence[Clip], seed: int, epoch: int
  ) -> list[np.ndarray]:
    """Returns the indices of the clips of each batch of an epoch."""
    return batching.epoch_order(
      self.buckets.of(clips), seed, epoch, self.batch_size
    )

  def batch(self, clips: Sequence[Clip], indices: np.ndarray) -> Batch:
    """Returns the batch of the clips at `indices`, as NumPy arrays."""
    batch = batching.collate(
      clips, indices, self.buckets, self.emotions, self.streams, self.rows
    )
    if not self.speakers:
      return batch
    chosen = [clips[k] for k in indices]
    speaker = np.full(self.rows, batching.UNKNOWN, np.int32)
    speaker[: len(chosen)] = batching.speakers(chosen, self.speakers)
    return dataclasses.replace(batch, speaker=speaker)

  def evaluation(
    self, clips: Sequence[Clip]
  ) -> Iterator[tuple[np.ndarray, Batch]]:
    """Yields (indices, batch), with every clip exactly once."""
    for indices in batching.evaluation_order(
      self.buckets.of(clips), self.batch_size
    ):
      yield indices, self.batch(clips, indices)
