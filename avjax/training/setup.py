"""The setup of a network on this machine: batches, devices, initial state."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from avjax.clips import Clip, Splits
from avjax.data import batching
from avjax.data.loader import Loader
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

  Attributes:
    config: the settings.
    devices: the local devices.
    loader: makes the batches.
  """

  def __init__(self, config: Settings, emotions: Sequence[str], splits: Splits):
    clips = [clip for split in splits.values() for clip in split]
    self.config = config
    self.devices = Devices(config.training.parallelism)
    self.loader = Loader(
      buckets=batching.buckets(clips, config.data.buckets),
      emotions=tuple(emotions),
      streams=config.model.streams,
      batch_size=config.training.batch_size,
      rows=self.devices.rows(config.training.batch_size),
      speakers=_exchanged(config, clips),
    )
    self._example = clips[0]
    self._training = splits.get('training', ())

  @functools.cached_property
  def initial(self) -> steps.TrainState:
    """The state before the first step."""
    return self.initial_of(self.config, self._training)

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
    return steps.create_state(
      config,
      loader.batch([self._example], np.array([0])),
      loader.emotions,
      config.training.epochs * -(-len(training) // loader.batch_size),
      speakers,
    )

  def state(self, saved: Mapping[str, Any]) -> steps.TrainState:
    """Returns a state on the devices, from the arrays of `steps.as_saved`."""
    # On several devices the first step has donated the memory of `initial`.
    seed = np.asarray(self.config.seed, np.int32)
    return self.devices.replicate(self.initial.replace(seed=seed, **saved))

  def evaluate(
    self, saved: Mapping[str, Any], clips: Sequence[Clip]
  ) -> Outcome:
    """Returns the predictions of a saved state for clips.

    Raises:
      TrainingError: a logit is not finite; the message names the clips.
    """
    return evaluate(self.devices, self.state(saved), clips, self.loader)


def _exchanged(config: Settings, clips: Sequence[Clip]) -> tuple[str, ...]:
  """Returns the speakers of the clips if the training exchanges them."""
  if not config.training.regularisation.speaker_exchange:
    return ()
  return tuple(sorted({clip.speaker for clip in clips if clip.speaker}))


def parameter_count(saved: Mapping[str, Any]) -> int:
  """Returns the number of trainable parameters in a saved state."""
  return sum(leaf.size for leaf in jax.tree.leaves(saved['params']))
