"""What makes a prediction for a clip doubtful, beyond what measuring notices.

  short   the clip is shorter than `SHORT_S`
  still   its frames are all alike
  faces   there are several faces, of which one was followed

Only a prediction looks for them: searching whole frames for faces takes a
third as long as following one.
"""

import numpy as np

from avjax.clips import FRAME_RATE, Note, RawClip, centre
from avjax.features.landmarks import Detector
from avjax.shapes import Bool, Float

SHORT_S = 1.0
"""Seconds. Ours: a full facial expression lasts 0.5 to 4 s (Matsumoto and
Hwang 2011), and a second holds 25 video and 31 audio frames to attend to."""

_SEARCHES = 10  # the most frames that are searched for more faces
_BLOCKS = 16  # blocks of a frame, down and across, that are compared
_ALIKE = 5.0
"""Grey levels of 256. H.264, MPEG-4 and VP9 change a block of a still by up to
3.7 at low bit rates; in recordings of people who speak it is 17 and more."""


def cautions(
  raw: RawClip,
  points: Float[np.ndarray, 'T 49 2'],
  found: Bool[np.ndarray, ' T'],
  detector: Detector | None,
) -> list[Note]:
  """Returns the notes on a clip.

  Args:
    raw: the clip.
    points: the landmarks of the face that was followed.
    found: whether it was found in each frame.
    detector: that found it; None if the landmarks are from files.
  """
  notes = []
  seconds = raw.length / FRAME_RATE
  if seconds < SHORT_S:
    notes.append(Note('short', f'only {seconds:.2g} s long'))
  if raw.frames is None:
    return notes
  if _is_still(raw.frames):
    notes.append(Note('still', 'a still picture'))
  if detector is not None and found.any():
    notes += _faces(raw.frames, points, detector)
  return notes


def _is_still(frames: np.ndarray) -> bool:
  """Returns whether every block of every frame is as in the first frame."""
  first = _blocks(frames[0])
  return all(np.abs(_blocks(f) - first).max() < _ALIKE for f in frames[1:])


def _blocks(frame: np.ndarray) -> np.ndarray:
  """Returns the mean green of the blocks of a frame."""
  green = frame[:, :, 1]
  if min(green.shape) >= 2 * _BLOCKS:
    green = green[::2, ::2]
  edges = [np.arange(min(_BLOCKS, n)) * n // _BLOCKS for n in green.shape]
  for axis, (starts, size) in enumerate(zip(edges, green.shape, strict=True)):
    if size < _BLOCKS:
      starts = np.arange(size)
    sums = np.add.reduceat(green, starts, axis=axis, dtype=np.float64)
    sizes = np.diff([*starts, size])
    green = sums / np.expand_dims(sizes, 1 - axis)
  return green


def _faces(frames: np.ndarray, points, detector: Detector) -> list[Note]:
  """Returns which face was followed, if some frame has several."""
  length, width = len(frames), frames.shape[2]
  count = min(-(-length // FRAME_RATE), _SEARCHES)
  looked = [centre(k, count, length) for k in range(count)]
  most = max(
    ((detector.search(frames[t]), t) for t in looked),
    key=lambda pair: len(pair[0]),
  )
  boxes, t = most
  if len(boxes) < 2:
    return []
  middles = (boxes[:, :2] + boxes[:, 2:]) / 2
  distances = np.hypot(*(middles - points[t].mean(axis=0)).T)
  followed = int(distances.argmin())
  third = int(3 * middles[followed, 0] / width)
  where = ('left', 'middle', 'right')[min(max(third, 0), 2)]
  rank = 'largest' if followed == 0 else 'first found, not the largest,'
  text = f'the {rank} of {len(boxes)} faces was followed ({where})'
  return [Note('faces', text)]
