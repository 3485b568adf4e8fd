"""Decoded pictures -> RGB, upright, with square pixels, all of one size.

JAX is not imported: `decoding` runs without it.
"""

import struct
from fractions import Fraction

import numpy as np

_STRETCH = 4  # largest ratio of a pixel's sides
_SMALLEST_STRETCH = 0.01  # a smaller one is rounding, not worth interpolating
_HDR = {16: 'PQ', 18: 'HLG'}  # transfer functions of ITU-T H.273


class Canvas:
  """The size of the first picture, into which all others are fitted.

  Attributes:
    notes: (kind, text) about how the pictures are shown.

  Args:
    aspect: width of a pixel over its height.
  """

  def __init__(self, aspect: Fraction):
    from av.video.reformatter import VideoReformatter

    self.notes: list[tuple[str, str]] = []
    self._aspect = aspect
    self._reformatter = VideoReformatter()
    self._coded: tuple[int, int] | None = None
    self._turn = False, False, False
    self._shown = self._size = 0, 0

  def see(self, frame) -> None:
    """Looks how a picture is to be shown; every picture must be seen."""
    coded = frame.width, frame.height
    if frame.key_frame or coded != self._coded:
      self._begin(frame)

  def rgb(self, frame) -> np.ndarray:
    """Returns a picture as RGB (height, width, 3) of the canvas."""
    self.see(frame)
    scaled = self._reformatter.reformat(frame, *self._size, 'rgb24')
    image = oriented(scaled.to_ndarray(), self._turn)
    if image.shape[:2] == self._shown:
      return image
    height, width = self._shown
    whole = np.zeros((height, width, 3), np.uint8)
    top = (height - image.shape[0]) // 2
    left = (width - image.shape[1]) // 2
    whole[top : top + image.shape[0], left : left + image.shape[1]] = image
    return whole

  def _begin(self, frame) -> None:
    """Determines how this picture and those like it are shown."""
    first = self._coded is None
    coded, turn = (frame.width, frame.height), _turn(frame)
    if not first and (coded, turn) == (self._coded, self._turn):
      return
    self._coded, self._turn = coded, turn
    width, height = self._square(*coded)
    shown = (width, height) if turn[0] else (height, width)
    if first:
      self._shown, self._size = shown, (width, height)
      if trc := _HDR.get(getattr(frame, 'color_trc', None) or 0):
        text = f'HDR video ({trc}), read as standard range: it looks pale'
        self.notes.append(('hdr', text))
      return
    scale = min(a / b for a, b in zip(self._shown, shown, strict=True))
    fitted = tuple(
      full if abs(scale * part - full) < 2 else max(round(scale * part), 1)
      for full, part in zip(self._shown, shown, strict=True)
    )
    rows, columns = fitted
    self._size = (rows, columns) if turn[0] else (columns, rows)
    if fitted != self._shown:
      text = 'the pictures change their shape; black bars make up for it'
      self.notes.append(('picture', text))

  def _square(self, width: int, height: int) -> tuple[int, int]:
    """Returns the size of a picture with square pixels; no side shrinks."""
    aspect = self._aspect
    if abs(aspect - 1) < _SMALLEST_STRETCH:
      return width, height
    if not Fraction(1, _STRETCH) <= aspect <= _STRETCH:
      text = f'pixels of {aspect} are taken for square ones'
      self.notes.append(('picture', text))
      return width, height
    if aspect > 1:
      return round(width * aspect), height
    return width, round(height / aspect)


def oriented(image: np.ndarray, turn: tuple[bool, bool, bool]) -> np.ndarray:
  """Returns an image turned and mirrored.

  Args:
    image: (height, width, channels).
    turn: whether to exchange the axes, then to mirror left and right, and to
      mirror top and bottom.
  """
  transpose, left_right, top_bottom = turn
  if transpose:
    image = image.transpose(1, 0, 2)
  if left_right:
    image = image[:, ::-1]
  if top_bottom:
    image = image[::-1]
  return np.ascontiguousarray(image)


def _turn(frame) -> tuple[bool, bool, bool]:
  """Returns how to show a picture, from its display matrix; see `oriented`.

  The matrix maps a point (x, y) to (a x + c y, b x + d y); the nearest of the
  eight turns by quarters with or without a mirror is taken.
  """
  matrix = frame.side_data.get('DISPLAYMATRIX')
  if matrix is None:
    return False, False, False
  a, b, _, c, d = struct.unpack_from('=5i', bytes(matrix))
  if abs(a) + abs(d) >= abs(b) + abs(c):
    return False, a < 0, d < 0
  return True, c < 0, b < 0
