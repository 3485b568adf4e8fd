"""The setup of a network on this machine: batches, devices, initial state."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from avjax.clips import Batch, Clip, Splits
from avjax.data import batching
from avjax.data.loader import Loader
from avjax.processes import ALONE
from avjax.settings import Settings
from avjax.training import augmentation, steps
from avjax.training.devices import Devices
from avjax.training.outcome import Outcome, evaluate


class Setup:
  """Batches, devices and initial state for the settings and clips of a run.

  Args:
    config: the settings.
    emotions: names of the classes.
    splits: the clips; the padded lengths are chosen for all of them.
    rounded: whether all clips are one batch, of a length that is rounded up.

  Attributes:
    config: the settings.
    devices: those of all processes.
    loader: makes the batches.
  """

  def __init__(
    self,
    config: Settings,
    emotions: Sequence[str],
    splits: Splits,
    rounded: bool = False,
  ):
    clips = [clip for split in splits.values() for clip in split]
    self.config = config
    self.devices = Devices(config.training.parallelism)
    size = len(clips) if rounded else config.training.batch_size
    self.loader = Loader(
      buckets=batching.rounded(clips)
      if rounded
      else batching.buckets(
        clips, config.data.buckets, size, config.data.batch_frames
      ),
      emotions=tuple(emotions),
      streams=config.model.streams,
      batch_size=size,
      rows=self.devices.rows(size),
      devices=len(self.devices),
      speakers=_exchanged(config, clips),
      process=self.devices.process,
    )
    self._example = clips[0]
    self._training = splits.get('training', ())

  @functools.cached_property
  def initial(self) -> steps.TrainState:
    """The state before the first step."""
    return self.initial_of(self.config, self._training)

  @functools.cached_property
  def saved_shapes(self) -> dict[str, Any]:
    """What is saved of `initial`, with shapes in place of arrays."""
    return steps.saved_shapes(
      self.config, self._one_clip(), self.loader.emotions
    )

  def initial_of(
    self, config: Settings, training: Sequence[Clip]
  ) -> steps.TrainState:
    """Returns the state before the first step.

    Args:
      config: the settings, perhaps with another seed.
      training: the clips to train on; none for a state that only predicts.
    """
    loader = self.loader
    speakers = None
    if loader.speakers and training:
      speakers = augmentation.moments(training, loader.speakers, loader.streams)
    epoch = len(loader.order(training, 0, 0)) if training else 0
    return steps.create_state(
      config,
      self._one_clip(),
      loader.emotions,
      config.training.epochs * epoch,
      speakers,
    )

  def _one_clip(self) -> Batch:
    """Returns a batch with the streams and widths of the data."""
    alone = dataclasses.replace(self.loader, process=ALONE)
    return alone.batch([self._example], np.array([0]))

  def state(self, saved: Mapping[str, Any]) -> steps.TrainState:
    """Returns a state on the devices, from the arrays of `steps.as_saved`."""
    emotions = self.loader.emotions
    state = steps.restored_state(self.config, saved, emotions)
    return self.devices.replicate(state)

  def evaluate(
    self, saved: Mapping[str, Any], clips: Sequence[Clip], maps: bool = True
  ) -> Outcome:
    """Returns the predictions of a saved state for clips.

    For `maps` see `outcome.evaluate`.

    Raises:
      TrainingError: a logit is not finite; the message names the clips.
    """
    return evaluate(self.devices, self.state(saved), clips, self.loader, maps)


def _exchanged(config: Settings, clips: Sequence[Clip]) -> tuple[str, ...]:
  """Returns the speakers of the clips if the training exchanges them."""
  if not config.training.regularisation.speaker_exchange:
    return ()
  return tuple(sorted({clip.speaker for clip in clips if clip.speaker}))


def parameter_count(saved: Mapping[str, Any]) -> int:
  """Returns the number of trainable parameters in a saved state."""
  return sum(leaf.size for leaf in jax.tree.leaves(saved['params']))
