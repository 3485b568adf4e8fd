"""A corpus and settings so small that a run takes seconds."""

import dataclasses

import numpy as np

from avjax.clips import Clip
from avjax.data import batching
from avjax.data.loader import Loader
from avjax.settings import (
  DataConfig,
  ModelConfig,
  Settings,
  SyntheticConfig,
  TrainingConfig,
)

EMOTIONS = ('angry', 'happy', 'sad')
SETTINGS = Settings(
  data=DataConfig(buckets=1),
  synthetic=SyntheticConfig(training=14, validation=7, test=7),
  model=ModelConfig(
    variant='average',
    streams=('audio', 'face'),
    hidden_size=4,
    lstm_cells=4,
    selector_cells=2,
    embedding_size=2,
  ),
  training=TrainingConfig(epochs=4, batch_size=8),
)
PROPOSED = dataclasses.replace(
  SETTINGS, model=dataclasses.replace(SETTINGS.model, variant='proposed')
)


def make_clips(count: int, name: str, seed: int = 0) -> list[Clip]:
  """Returns clips of which the mean of either stream tells the label."""
  random = np.random.default_rng([seed, count])
  clips = []
  for k in range(count):
    frames = int(random.integers(3, 7))
    label = k % len(EMOTIONS)
    streams = {
      'audio': random.standard_normal((frames + 2, 3)) + label,
      'face': random.standard_normal((frames, 2)) - label,
    }
    clips.append(
      Clip(
        name=f'{name}-{k}',
        streams={k: v.astype(np.float32) for k, v in streams.items()},
        label=EMOTIONS[label],
        speaker=f'speaker {k % 4}',
        split=name,
      )
    )
  return clips


def make_parts() -> dict[str, list[Clip]]:
  """Returns 20 training and 7 validation clips."""
  return {
    'training': make_clips(20, 'training'),
    'validation': make_clips(7, 'validation'),
  }


def make_loader(settings: Settings, parts, rows: int = 8) -> Loader:
  """Returns the batches of the parts."""
  clips = [clip for part in parts.values() for clip in part]
  return Loader(
    buckets=batching.buckets(
      clips,
      settings.data.buckets,
      settings.training.batch_size,
      settings.data.batch_frames,
    ),
    emotions=EMOTIONS,
    streams=settings.model.streams,
    batch_size=settings.training.batch_size,
    rows=rows,
  )


def with_training(**changes) -> Settings:
  """Returns the settings with another training section."""
  training = dataclasses.replace(SETTINGS.training, **changes)
  return dataclasses.replace(SETTINGS, training=training)
