"""Which detections are the same face, and whose they are (ours)."""

from collections.abc import Sequence

import numpy as np
import scipy.optimize

from avjax.features.landmarks import Face

_REACH = 0.7  # farthest from the expected place, in sides of the face
_GROWTH = 1.6  # largest ratio of a face's side to the expected one
_NEVER = 1e3  # cost of what is not allowed

SAME = 0.5
"""Faces that share more of the smaller one are the same face."""


def grouped(
  found: Sequence[tuple[int, Face]],
) -> list[list[tuple[int, Face]]]:
  """Returns the detections of each face, the best one first."""
  groups: list[list[tuple[int, Face]]] = []
  for one in sorted(found, key=lambda one: -one[1].score):
    same = [g for g in groups if shared(g[0][1], one[1]) > SAME]
    if same:
      max(same, key=lambda g: shared(g[0][1], one[1])).append(one)
    else:
      groups.append([one])
  return groups


def shared(one: Face, other: Face) -> float:
  """Returns the common area of two faces, relative to the smaller one."""
  first = np.maximum(one.box[:2], other.box[:2])
  last = np.minimum(one.box[2:], other.box[2:])
  return float(
    np.prod(np.maximum(last - first, 0)) / min(one.side, other.side) ** 2
  )


def assigned(expected: Sequence[Face], faces: Sequence[Face]) -> dict[int, int]:
  """Returns expected face -> its face, as indices, at the least cost.

  The cost is the distance in sides of the face, plus the logarithm of the ratio
  of the sides.
  """
  if not expected or not faces:
    return {}
  cost = np.full((len(expected), len(faces)), _NEVER)
  for row, before in enumerate(expected):
    for column, face in enumerate(faces):
      apart = (
        face.box[:2] + face.box[2:] - before.box[:2] - before.box[2:]
      ) / 2
      distance = np.hypot(*apart) / before.side
      growth = abs(np.log(face.side / before.side))
      if distance < _REACH and growth < np.log(_GROWTH):
        cost[row, column] = distance + growth
  rows, columns = scipy.optimize.linear_sum_assignment(cost)
  return {
    int(row): int(column)
    for row, column in zip(rows, columns, strict=True)
    if cost[row, column] < _NEVER
  }
