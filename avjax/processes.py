"""Which process of several this one is."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Process:
  """One of the processes that one command was started in.

  Attributes:
    index: its number, from 0.
    count: how many there are.
  """

  index: int = 0
  count: int = 1

  @property
  def first(self) -> bool:
    """Whether it is process 0, which alone prints and writes the run."""
    return self.index == 0


ALONE = Process()
"""The process of a program that is started once."""
