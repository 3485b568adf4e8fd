"""The average training speaker of a run, in a file of its folder.

A run that standardises by enrolment needs it for speakers it does not know.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from avjax import files
from avjax.data.standardising import Average
from avjax.records import RUN
from avjax.runs.folder import RunFolder

FILE = 'average_speaker.json'


@dataclasses.dataclass(frozen=True)
class _StreamOfFile:
  """An `Average` in lists."""

  mean: list[float]
  variance: list[float]
  frames: float


def write(folder: RunFolder, average: Mapping[str, Average]) -> None:
  """Writes the file."""
  content = {
    name: {
      'mean': one.mean.tolist(),
      'variance': one.variance.tolist(),
      'frames': one.frames,
    }
    for name, one in average.items()
  }
  files.write_json(folder.path / FILE, content)


def read(folder: RunFolder) -> dict[str, Average]:
  """Returns stream -> the average training speaker.

  Raises:
    CheckpointError: the file is missing or damaged.
  """
  path = folder.path / FILE
  content = RUN.json(path, dict[str, _StreamOfFile])
  for name, one in content.items():
    if len(one.mean) != len(one.variance) or min(one.variance, default=0) < 0:
      raise RUN.fault(path, f'{name}: its mean and variance do not fit')
  return {
    name: Average(np.array(one.mean), np.array(one.variance), one.frames)
    for name, one in content.items()
  }
