"""A parametric face: 68 landmarks moved by eight controls, and its drawing.

The landmarks are in the usual order: jaw 0-16, brows 17-26, nose 27-35, eyes
36-47, mouth 48-67. The unit of length is half the width of the face. The origin
is between the eyes; x points right, y down.
"""

import dataclasses

import numpy as np

CONTROLS = (
  'brow',  # up, or down
  'inner',  # the brows' inner ends up, or knit
  'eye',  # wide, or narrow
  'corner',  # the mouth's corners up, or down
  'mouth',  # open
  'jaw',  # dropped
  'stretch',  # of the lips, or pursed
  'nose',  # wrinkled
)

POINTS = 68  # landmarks; points of the outlines follow them
_UNIT = 0.33  # of the height of the frame
_FINE = 2  # supersampling factor
_SHIFT = 4  # fractional bits of OpenCV's coordinates
_PORTRAIT = 143, 181  # pixels; the aligned faces of SFEW


@dataclasses.dataclass(frozen=True)
class Look:
  """The constant properties of a speaker's face.

  Attributes:
    points: (P, 2), the 68 landmarks at rest and the points of the outlines.
    depth: (P,), towards the viewer.
    moves: (8, P, 2), displacement of the points per unit of each control.
    neutral: (8,), controls of the neutral expression.
    colours: name -> RGB.
    light: strength of the light from the left; negative from the right.
  """

  points: np.ndarray
  depth: np.ndarray
  moves: np.ndarray
  neutral: np.ndarray
  colours: dict[str, np.ndarray]
  light: float


def _arc(x: float, y: float, width: float, height: float, start, stop, count):
  """Returns an arc of an ellipse, (count, 2).

  Angles are in degrees from the right, clockwise in the image.
  """
  angle = np.radians(np.linspace(start, stop, count))
  return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], 1)


def _mirror(points: np.ndarray) -> np.ndarray:
  """Returns the mirrored points, in the order left to right."""
  return points[::-1] * (-1, 1)


def _template(size: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
  """Returns points (P, 2) and depth (P,) of a face with these proportions."""
  jaw = _arc(0.0, 0.0, 0.95, 1.32 * size['jaw'], 180, 0, 17)
  jaw[:, 0] = 0.95 * np.sign(jaw[:, 0]) * np.abs(jaw[:, 0] / 0.95) ** 0.85
  apart, up = 0.43 * size['eyes'], -0.24 * size['brows']
  brow = _arc(-0.45, up + 0.1, 0.31, 0.14, 190, 330, 5)
  bridge = np.linspace([0, -0.02], [0, 0.44 * size['nose']], 4)
  nostrils = _arc(0.0, 0.53 * size['nose'], 0.17, 0.06, 180, 0, 5)
  lid = np.array(
    [
      [-0.17, 0.01],
      [-0.07, -0.07],
      [0.07, -0.065],
      [0.16, 0.02],
      [0.07, 0.05],
      [-0.07, 0.05],
    ]
  )
  left = lid * size['lids'] + (-apart, 0)
  right = (lid * size['lids'] * (-1, 1) + (apart, 0))[[3, 2, 1, 0, 5, 4]]
  wide, lip, at = 0.35 * size['mouth'], size['lips'], 0.8 * size['nose'] ** 0.5
  half = [[-1, 0], [-0.6, -0.065], [-0.22, -0.095]]
  upper = np.array([*half, [0, -0.075], *_mirror(np.array(half))])
  lower = np.array([[0.62, 0.08], [0.26, 0.13], [0, 0.14], [-0.26, 0.13]])
  inner = np.array([[-0.85, 0], [-0.26, -0.02], [0, -0.015], [0.26, -0.02]])
  under = np.array([[0.85, 0], [0.26, 0.015], [0, 0.02], [-0.26, 0.015]])
  mouth = np.concatenate([upper, lower, [[-0.62, 0.08]], inner, under])
  mouth = mouth * (wide, lip) + (0, at)
  skull = _arc(0.0, -0.02, 0.95, 1.0, 180, 360, 17)[1:-1]
  hair = _arc(0.0, -0.1, 1.1, 1.13, 155, 385, 21)
  fringe = _arc(0.0, 0.05, 0.9, 0.78 * size['fringe'], 345, 195, 13)
  landmarks = [jaw, brow, _mirror(brow), bridge, nostrils, left, right, mouth]
  depth = np.zeros(POINTS)
  depth[:17] = -0.45 + 0.45 * np.sin(np.linspace(0, np.pi, 17))
  depth[17:27], depth[36:48], depth[48:] = 0.12, 0.08, 0.15
  depth[27:31], depth[31:36] = np.linspace(0.15, 0.45, 4), 0.25
  behind = np.full(len(skull) + len(hair) + len(fringe), -0.3)
  return (
    np.concatenate([*landmarks, skull, hair, fringe]),
    np.concatenate([depth, behind]),
  )


def _moves(points: np.ndarray) -> np.ndarray:
  """Returns the displacement of the points per control, (8, P, 2)."""
  moves = {name: np.zeros_like(points) for name in CONTROLS}
  moves['brow'][17:27, 1] = -0.10
  # From the outer to the inner end of the left brow, then of the right.
  inner = np.array([0, 0.05, 0.2, 0.6, 1.0])
  inner = np.concatenate([inner, inner[::-1]])
  moves['inner'][17:27, 1] = -0.10 * inner
  moves['inner'][17:27, 0] = 0.05 * inner * np.repeat([-1, 1], 5)
  moves['eye'][[37, 38, 43, 44], 1] = -0.03
  moves['eye'][[40, 41, 46, 47], 1] = 0.015
  # Displacement of the points of the mouth, relative to its corners.
  share = np.abs(points[48:POINTS, 0] / points[54, 0])
  moves['corner'][48:POINTS, 1] = -0.085 * share**2
  moves['corner'][48:POINTS, 0] = 0.03 * points[48:POINTS, 0] / points[54, 0]
  moves['stretch'][48:POINTS, 0] = 0.06 * points[48:POINTS, 0] / points[54, 0]
  moves['mouth'][[*range(55, 60), 65, 66, 67], 1] = 0.17
  moves['mouth'][[55, 59], 1] = 0.09
  moves['mouth'][[*range(49, 54), 61, 62, 63], 1] = -0.03
  moves['mouth'][[48, 54, 60, 64], 1] = 0.035
  chin = np.sin(np.linspace(0, np.pi, 17)) ** 2
  moves['mouth'][:17, 1] = 0.10 * chin
  moves['jaw'][:17, 1] = 0.10 * chin
  moves['jaw'][[*range(48, POINTS)], 1] = 0.02
  moves['nose'][31:36, 1] = -0.05
  moves['nose'][31:36, 0] = 0.04 * np.linspace(-1, 1, 5)
  moves['nose'][[50, 51, 52, 61, 62, 63], 1] = -0.04
  moves['nose'][[20, 21, 22, 23], 1] = 0.03
  return np.stack([moves[name] for name in CONTROLS])


def random_look(random: np.random.Generator, spread: float) -> Look:
  """Returns a random speaker's face; `spread` scales its neutral controls."""
  names = ('jaw', 'eyes', 'brows', 'nose', 'lids', 'mouth', 'lips', 'fringe')
  points, depth = _template({k: random.uniform(0.92, 1.08) for k in names})
  points = points * (random.uniform(0.94, 1.04), 1)
  skin = np.array([236, 188, 158]) * random.uniform(0.6, 1.0)
  skin = skin + random.uniform(-8, 8, 3)
  hairs = [[40, 30, 25], [95, 60, 35], [170, 130, 80], [120, 115, 110]]
  hair = np.array(hairs[random.integers(4)]) * min(1.0, skin[0] / 200)
  return Look(
    points=points,
    depth=depth,
    moves=_moves(points),
    neutral=spread * random.standard_normal(len(CONTROLS)) * _REST,
    colours={
      'skin': skin,
      'hair': hair,
      'brow': 0.5 * hair,
      'lip': skin * (0.8, 0.5, 0.5),
      'iris': random.uniform(30, 110, 3),
      'shirt': random.uniform(40, 200, 3),
      'wall': random.uniform(90, 190) + random.uniform(-25, 25, 3),
    },
    light=float(random.uniform(-0.25, 0.25)),
  )


_REST = np.array([1, 1, 0.7, 1, 0, 0.5, 1, 0.5])
"""Variation of each control between the neutral faces of speakers."""


def pose(
  look: Look, controls: np.ndarray, head: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
  """Returns the points of every frame in pixels, (T, P, 2).

  Args:
    look: the speaker's face.
    controls: (T, 8), in the order of `CONTROLS`; the speaker's neutral controls
      are added.
    head: (T, 5), roll, yaw and pitch in radians, x and y in units.
    size: width and height of the frame.
  """
  moved = np.einsum('tc,cpx->tpx', controls + look.neutral, look.moves)
  points = look.points + moved
  roll, yaw, pitch, x, y = head.T[:, :, None]
  across = points[..., 0] * np.cos(yaw) + look.depth * np.sin(yaw)
  down = points[..., 1] * np.cos(pitch) + look.depth * np.sin(pitch)
  turned = np.stack(
    [
      across * np.cos(roll) - down * np.sin(roll) + x,
      across * np.sin(roll) + down * np.cos(roll) + y,
    ],
    axis=-1,
  )
  width, height = size
  return turned * _UNIT * height + (width / 2, 0.46 * height)


class Painter:
  """Draws the face of one speaker, one frame per call.

  Args:
    look: the speaker's face.
    size: width and height of the frame.
  """

  def __init__(self, look: Look, size: tuple[int, int]):
    import cv2

    cv2.setNumThreads(1)
    self._cv2 = cv2
    self._size = size
    self._unit = _UNIT * size[1]
    self._colour = {k: tuple(map(float, v)) for k, v in look.colours.items()}
    width, height = size[0] * _FINE, size[1] * _FINE
    fall = np.linspace(1.1, 0.8, height)[:, None, None]
    wall = fall * look.colours['wall'] * np.ones((1, width, 1))
    self._wall = np.clip(wall, 0, 255).astype(np.uint8)
    side = 1 + look.light * np.linspace(1, -1, size[0])
    self._light = np.broadcast_to(side, (size[1], size[0])).astype(np.float32)

  def __call__(self, points: np.ndarray) -> np.ndarray:
    """Returns a frame (height, width, 3) uint8 RGB; points (P, 2) in pixels."""
    jaw, skull, hair, fringe = (
      points[:17],
      points[POINTS : POINTS + 15],
      points[POINTS + 15 : POINTS + 36],
      points[POINTS + 36 :],
    )
    image = self._wall.copy()
    self._behind(image, points)
    self._fill(image, hair, 'hair')
    self._fill(image, np.concatenate([jaw, skull[::-1]]), 'skin')
    shade = self._cv2.resize(self._shade(points), None, fx=_FINE, fy=_FINE)
    image = self._cv2.multiply(
      image, self._cv2.merge([shade] * 3), dtype=self._cv2.CV_8U
    )
    self._fill(image, np.concatenate([hair, fringe]), 'hair')
    for eye in (points[36:42], points[42:48]):
      self._eye(image, eye)
    for brow in (points[17:22], points[22:27]):
      self._line(image, brow, self._colour['brow'], 0.08)
    self._mouth(image, points[48:POINTS])
    dark = tuple(0.5 * np.array(self._colour['skin']))
    self._line(image, points[31:36], dark, 0.02)
    for nostril in (points[[31, 32]], points[[34, 35]]):
      self._line(image, nostril, dark, 0.05)
    return self._cv2.resize(
      image, self._size, interpolation=self._cv2.INTER_AREA
    )

  def _fixed(self, points: np.ndarray, fine: int = _FINE) -> np.ndarray:
    """Returns OpenCV's fixed-point coordinates; pixel 0 is centred at 0."""
    exact = (points + 0.5) * fine - 0.5
    return np.round(exact * 2**_SHIFT).astype(np.int32)

  def _fill(self, image, points, colour) -> None:
    colour = self._colour.get(colour, colour)
    fixed = self._fixed(points)
    self._cv2.fillPoly(image, [fixed], colour, self._cv2.LINE_AA, _SHIFT)

  def _line(self, image, points, colour, width, fine: int = _FINE) -> None:
    thick = max(1, round(width * self._unit * fine))
    fixed = self._fixed(points, fine)
    self._cv2.polylines(
      image, [fixed], False, colour, thick, self._cv2.LINE_AA, _SHIFT
    )

  def _behind(self, image, points) -> None:
    """Draws neck and shoulders."""
    chin, unit = points[8], self._unit
    neck = np.array([[-0.45, -0.5], [0.45, -0.5], [0.5, 1], [-0.5, 1]])
    body = np.array([[-0.5, 0.3], [0.5, 0.3], [1.7, 0.6], [1.9, 3], [-1.9, 3]])
    body = np.concatenate([body, [[-1.7, 0.6]]])
    dark = tuple(0.7 * np.array(self._colour['skin']))
    self._fill(image, neck * unit + chin, dark)
    self._fill(image, body * unit + chin, 'shirt')

  def _shade(self, points) -> np.ndarray:
    """Returns the brightness of the skin, (height, width) float32."""
    shade = self._light.copy()
    right, down = self._unit * np.eye(2)
    for eye, sign in ((points[36:42], -1), (points[42:48], 1)):
      self._line(shade, eye[:4] - 0.05 * down, 0.82, 0.13, 1)
      cheek = eye.mean(axis=0) + sign * 0.1 * right + 0.5 * down
      self._line(shade, np.stack([cheek, cheek + 1]), 1.1, 0.3, 1)
    self._line(shade, points[:17], 0.7, 0.12, 1)
    self._line(shade, points[31:36] + 0.05 * down, 0.6, 0.09, 1)
    side = points[[39, 31]] * (0.4, 0.4) + points[[27, 33]] * (0.6, 0.6)
    self._line(shade, side, 0.8, 0.06, 1)
    self._line(shade, points[27:31], 1.2, 0.07, 1)
    under = points[56:59] + 0.1 * down
    self._line(shade, under, 0.75, 0.08, 1)
    return self._cv2.GaussianBlur(shade, (0, 0), 0.055 * self._unit)

  def _eye(self, image, lids) -> None:
    """Draws the white, the iris and the pupil between two lids."""
    cv2 = self._cv2
    fixed = self._fixed(lids)
    left, top = (fixed.min(axis=0) >> _SHIFT) - 4
    right, bottom = (fixed.max(axis=0) >> _SHIFT) + 5
    region = image[top:bottom, left:right]
    if left < 0 or top < 0 or not region.size:
      return
    inside = np.zeros(region.shape[:2], np.uint8)
    corner = np.array([left, top]) << _SHIFT
    cv2.fillPoly(inside, [fixed - corner], 255, cv2.LINE_AA, _SHIFT)
    eye = np.full_like(region, (235, 232, 228))
    middle = (self._fixed(lids[[0, 3]]).mean(axis=0) - corner).astype(int)
    radius = self._unit * _FINE * 2**_SHIFT * 0.085
    for share, colour in ((1.0, self._colour['iris']), (0.5, (15, 12, 12))):
      cv2.circle(
        eye, middle.tolist(), int(share * radius), colour, -1, cv2.LINE_AA,
        _SHIFT,
      )  # fmt: skip
    mask = inside[..., None].astype(np.uint16)
    region[:] = (eye * mask + region * (255 - mask)) // 255
    self._line(image, lids[:4], (45, 32, 30), 0.035)
    self._line(image, lids[[3, 4, 5, 0]], (110, 80, 70), 0.015)

  def _mouth(self, image, lips) -> None:
    """Draws the lips, and the teeth if the mouth is open."""
    self._fill(image, lips[:12], 'lip')
    inside = lips[12:]
    self._fill(image, inside, (55, 18, 22))
    gap = inside[5:8].mean(axis=0) - inside[1:4].mean(axis=0)
    if np.hypot(*gap) > 0.1 * self._unit:
      ends = 0.5 * (inside[[0, 4]] + inside[[1, 3]])
      top = np.stack([ends[0], *inside[1:4], ends[1]])
      teeth = np.concatenate([top, inside[[3, 2, 1]] + 0.35 * gap])
      self._fill(image, teeth, (225, 220, 210))
    dark = tuple(0.6 * np.array(self._colour['lip']))
    self._line(image, inside[:5], dark, 0.02)


def portrait(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
  """Returns the face of a drawn frame, (181, 143, 3) uint8 RGB.

  Args:
    image: (height, width, 3) uint8 RGB.
    landmarks: (68, 2), in pixels.
  """
  import cv2

  top, bottom = landmarks.min(axis=0), landmarks.max(axis=0)
  scale = (_PORTRAIT / (1.2 * (bottom - top))).min()
  shift = np.array(_PORTRAIT) / 2 - scale * (top + bottom) / 2
  matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
  edge = cv2.BORDER_REPLICATE
  return cv2.warpAffine(image, matrix, _PORTRAIT, borderMode=edge)
