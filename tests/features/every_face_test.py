"""The faces of a recording: what is kept of each, and which are left out."""

import numpy as np
import pytest

from avjax.features import every_face, landmarks
from avjax.features.face_tracks import Track
from avjax.features.media import RecordingPiece
from avjax.features.recorded_faces import RecordedFace

T = 230
SEEN = {0: (0, 230), 1: (20, 26), 2: (30, 60), 3: (40, 150), 4: (190, 230)}
"""Person -> first frame, and that after the last one."""


class Tracker:
  """Stands for a `FaceTracker`; a frame holds its number."""

  def __init__(self, detector, rate):
    self._now = 0

  @property
  def persons(self):
    return frozenset(k for k in SEEN if self._now < SEEN[k][1] + 25)

  def __call__(self, frames):
    numbers = np.array([int(frame[0, 0]) for frame in frames])
    self._now = int(numbers[-1]) + 1
    found = {k: (numbers >= a) & (numbers < b) for k, (a, b) in SEEN.items()}
    points = np.ones((1, 49, 2)) * numbers[:, None, None]
    return tuple(
      Track(k, points + 1000 * k, seen, np.zeros(4))
      for k, seen in found.items()
      if seen.any()
    )


class Greys(landmarks.Detector):
  """A detector that loads nothing."""

  def __init__(self):
    pass

  def grey(self, frame):
    return frame[..., 0]


def measured(monkeypatch, every, least, size):
  """Returns the faces of a recording in pieces of some frames, and counts."""
  monkeypatch.setattr(every_face, 'FaceTracker', Tracker)
  monkeypatch.setattr(every_face, '_BLOCK', 8)
  made = every_face.EveryFace(Greys(), every, least)
  for first in range(0, T, size):
    stop = min(first + size, T)
    shown = [k - first for k in range(first, stop) if k % every == 0]
    numbers = np.array(shown, np.uint8) + first
    images = numbers[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    nothing = np.zeros(0), np.zeros(0, bool)
    made.add(RecordingPiece(stop - first, shown, images, *nothing, ()), first)
  kept = len(made._tracks)
  return made.finish(T), made.brief, made.short, kept


@pytest.mark.parametrize('every', [1, 3])
@pytest.mark.parametrize('size', [1, 50])
def test_tracks(monkeypatch, every, size):
  """Law: landmarks from first to last; what is too short is soon forgotten."""
  faces, brief, short, kept = measured(monkeypatch, every, 60, size)
  assert (len(faces), brief, short) == (2, 1, 2)
  assert kept == 3  # the last one is not known to be gone
  for face, (number, (start, stop)) in zip(faces, [(0, SEEN[0]), (3, SEEN[3])],
                                           strict=True):  # fmt: skip
    first = -(-start // every) * every
    last = (stop - 1) // every * every
    assert face.first == first and face.points.dtype == np.float32
    end = min(last + every, T)
    assert len(face.found) == end - first
    frames = np.arange(first, end)
    there = frames <= last if last + every <= T else frames < end
    assert face.found.tolist() == there.tolist()
    want = np.minimum(frames, last)[there] + 1000.0 * number
    np.testing.assert_allclose(face.points[there, 0, 0], want)


def test_a_short_recording(monkeypatch):
  """Law: where a window is the whole, everybody has a time line who lasts."""
  faces, brief, short, _ = measured(monkeypatch, 1, T, 50)
  assert ([face.first for face in faces], brief, short) == (
    [0, 30, 40, 190],
    1,
    0,
  )


def test_part():
  """Golden: zeros before and after a face, its landmarks in between."""
  points = np.arange(1.0, 4)[:, None, None] * np.ones((1, 49, 2))
  face = RecordedFace(10, points, np.array([True, False, True]))
  for start, want in ((8, [0, 0, 1, 2, 3, 0]), (11, [2, 3, 0]), (13, [0, 0])):
    got, found = face.part(start, start + len(want))
    assert got[:, 7, 1].tolist() == want
    assert found.tolist() == [x in (1, 3) for x in want]
  assert not face.part(0, 10)[1].any()
  assert face.middle == 2
