"""Aligned face crops -> the frames of a stream of faces, by an ONNX model."""

import numpy as np

from avjax.errors import DataError
from avjax.features import crops
from avjax.features.onnx_model import OnnxModel, check_finite
from avjax.onnx_stream import OnnxStream
from avjax.shapes import Float, Int

_CHANNELS = 3


class FaceColumns:
  """Computes one row of values for the face of a frame (ours).

  A crop is aligned as for the appearance. Its pixels, of which a full one has
  the value `pixel`, have the mean subtracted and are divided by the std.

  Attributes:
    width: number of values of a frame.

  Args:
    stream: its settings.
    model: that computes it.

  Raises:
    AvjaxError: the model takes other crops.
  """

  def __init__(self, stream: OnnxStream, model: OnnxModel):
    self._stream, self._model = stream, model
    first, *_, last = model.dims[1:]
    self._layout = stream.layout or (
      'hwc' if last == _CHANNELS and first != _CHANNELS else 'chw'
    )
    channels = first if self._layout == 'chw' else last
    sides = model.dims[2:] if self._layout == 'chw' else model.dims[1:3]
    self._side = stream.size or sides[0] or 0
    if not self._side:
      raise stream.fault('size', 'the side of its crops in pixels')
    if channels not in (None, _CHANNELS) or any(
      side not in (None, self._side) for side in sides
    ):
      raise DataError(
        f'{model.name} has an input of shape {model.shape}; wanted 3 channels'
        f' of {self._side} x {self._side} pixels in the layout {self._layout}:'
        ' correct size= and layout=, or export it so'
      )
    blank = np.zeros((1, self._side, self._side, _CHANNELS), np.uint8)
    self.width = self._run(blank).shape[1]

  def __call__(
    self,
    frames: np.ndarray,
    points: Float[np.ndarray, 'T 49 2'],
    chosen: Int[np.ndarray, ' n'],
  ) -> Float[np.ndarray, 'n D']:
    """Returns the values of chosen frames, which have a face, float32.

    Args:
      frames: (T, height, width, 3) uint8 RGB.
      points: landmarks, x and y in pixels.
      chosen: indices of the frames.

    Raises:
      DataError: a value is not finite.
    """
    rows = self._model.rows(_CHANNELS * self._side**2)
    made = np.zeros((len(chosen), self.width), np.float32)
    for k in range(0, len(chosen), rows):
      some = chosen[k : k + rows]
      faces = crops.aligned(
        frames, points, some, self._side, self._stream.margin
      )
      made[k : k + rows] = self._run(faces)
    check_finite(made, chosen, self._stream, self._model)
    return made

  def _run(self, faces: np.ndarray) -> np.ndarray:
    """Returns (n, D) of crops (n, side, side, 3) uint8 RGB."""
    stream = self._stream
    pixels = faces[..., ::-1] if stream.colour == 'bgr' else faces
    values = pixels.astype(np.float32) * np.float32(stream.pixel / 255)
    mean, std = (np.array(x, np.float32) for x in (stream.mean, stream.std))
    values = (values - mean) / std
    if self._layout == 'chw':
      values = values.transpose(0, 3, 1, 2)
    made = self._model.batch(values)
    if made.ndim == 4 and made.shape[2:] == (1, 1):  # a mean over the picture
      made = made[:, :, 0, 0]
    if made.ndim != 2 or len(made) != len(faces):
      raise DataError(
        f'{self._model.name} gives values of shape {made.shape} for'
        f' {len(faces)} faces; wanted ({len(faces)}, D)'
      )
    return made
