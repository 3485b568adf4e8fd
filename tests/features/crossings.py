"""Drawn persons who cross, meet or pass each other: does each stay the same?

  python -m tests.features.crossings

For each of six ways to move and two ratios of size, ten pairs of five persons,
three seconds each; one in front of the other, in turn. It prints how many of
the scenes have persons that were exchanged, and how many have one with two
tracks of half a second or more.
"""

import itertools

import cv2
import numpy as np

from avjax.features import face_choice, landmarks
from avjax.features.face_tracks import tracks
from avjax.synthesis import face

WIDTH, HEIGHT, FRAMES = 800, 320, 75
SIZE = 360, 288  # of the picture that a person is drawn in
EXTENT = 85  # width of the landmarks of a face, in pixels
WAYS = {
  'cross': 'walk past each other for three seconds',
  'cross fast': 'the same in half of the time',
  'pass': 'one stays, the other walks past',
  'post': 'one walks behind a post, the other stays elsewhere',
  'meet': 'come to touch each other, turn back',
  'hide and turn back': 'come until one hides the other, turn back',
}


def drawn(number):
  """Returns the frames of a person, masks, and where the landmarks are."""
  random = np.random.default_rng(number)
  look = face.random_look(random, 0.4)
  controls = np.zeros((FRAMES, len(face.CONTROLS)))
  mouth = 0.4 + 0.4 * np.sin(0.8 * np.arange(FRAMES) + number)
  controls[:, face.CONTROLS.index('mouth')] = mouth
  head = 0.004 * np.cumsum(random.normal(size=(FRAMES, 5)), axis=0)
  points = face.pose(look, controls, head, SIZE)
  masks = np.zeros((FRAMES, *SIZE[::-1]), np.float32)
  for mask, outline in zip(masks, points, strict=True):
    hull = cv2.convexHull(outline.astype(np.float32)).round().astype(int)
    cv2.fillConvexPoly(mask, hull, 1)
    mask[:] = cv2.GaussianBlur(mask, (0, 0), 1)
  frames = [*map(face.Painter(look, SIZE), points)]
  return frames, masks, points[:, landmarks.INNER]


def places(way, random):
  """Returns x and y of two persons, (2, FRAMES) each."""
  share = np.linspace(0, 1, FRAMES)
  there = 1 - abs(2 * share - 1)  # and back
  fast = np.clip(2 * share - 0.5, 0, 1)
  x = {
    'cross': (150 + 500 * share, 650 - 500 * share),
    'cross fast': (150 + 500 * fast, 650 - 500 * fast),
    'pass': (400 + 0 * share, 120 + 560 * share),
    'post': (120 + 560 * share, 700 + 0 * share),
    'meet': (150 + 205 * there, 650 - 205 * there),
    'hide and turn back': (150 + 245 * there, 650 - 245 * there),
  }[way]
  unsteady = 0.35 * np.cumsum(random.normal(size=(2, 2, FRAMES)), axis=2)
  y = random.uniform(135, 165, (2, 1))
  return np.array(x) + unsteady[0], y + unsteady[1]


def scene(persons, way, sides, random):
  """Returns frames, and the middles of both faces (2, FRAMES, 2)."""
  wall = cv2.GaussianBlur(
    random.uniform(60, 190, (HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 25
  )
  wall = 6 * (wall - wall.mean()) + 125
  frames, middles = [], np.zeros((2, FRAMES, 2))
  x, y = places(way, random)
  order = random.permutation(2)
  for t in range(FRAMES):
    image = wall.copy()
    for k in order:  # from the back to the front
      pictures, masks, points = persons[k]
      zoom = sides[k] / np.ptp(points[..., 0], axis=1).mean()
      corner = np.array([x[k, t], y[k, t]]) - zoom * points[0].mean(axis=0)
      to = np.column_stack([zoom * np.eye(2), corner])
      mask, picture = (
        cv2.warpAffine(one, to, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
        for one in (masks[t], pictures[t])
      )
      image += mask[..., None] * (picture - image)
      middles[k, t] = zoom * points[t].mean(axis=0) + corner
    if way == 'post':
      image[:, 380:470] = 90, 70, 60
    frames.append(image.clip(0, 255).astype(np.uint8))
  return np.stack(frames), middles


def judged(found, middles, sides):
  """Returns whether persons were exchanged, and whether one has two tracks."""
  owners, exchanged = [], False
  for track in found:
    at = track.points[track.found].mean(axis=1)
    apart = np.linalg.norm(middles[:, track.found] - at, axis=2)
    near = np.sort(apart / np.array(sides)[:, None], axis=0)
    sure = (near[0] < 0.35) & (near[1] > 0.8)
    whose = apart.argmin(axis=0)[sure]
    exchanged |= len(set(whose)) > 1
    if face_choice.lasts(int(track.found.sum()), FRAMES) and len(whose):
      owners.append(whose[0])
  return exchanged, len(owners) > len(set(owners))


def main():
  detector = landmarks.Detector()
  persons = [drawn(number) for number in range(5)]
  for way, about in WAYS.items():
    for ratio in (1.0, 1.25):
      counts = np.zeros(2, int)
      for k, pair in enumerate(itertools.combinations(persons, 2)):
        sides = EXTENT, ratio * EXTENT
        frames, middles = scene(pair, way, sides, np.random.default_rng(k))
        counts += judged(tracks(frames, detector), middles, sides)
      print(
        f'{about}, {ratio:g}: {counts[0]} exchanged, {counts[1]} twice, of 10',
        flush=True,
      )


if __name__ == '__main__':
  main()
