"""The appearance by dlib's face recognition network: 128 numbers a face.

The paper's network was trained to tell people apart (Section 3.2); so was this
one, whose weights are those of the package face-recognition-models: a ResNet of
29 layers, trained on some three million faces. Its authors have put it in the
public domain or under CC0 1.0.

Its input are dlib's chips of 150 x 150 pixels. They are aligned by the corners
of the eyes and the base of the nose, as dlib aligns faces of five landmarks;
these are among our 49, from wherever they are.
"""

import importlib.util
import pathlib

import numpy as np

from avjax.errors import ConfigError
from avjax.features.landmarks import INNER
from avjax.records import digest
from avjax.shapes import Float, Int

WIDTH = 128
SIDE = 150
DESCRIPTION = 'dlib: face recognition network of dlib, 128 numbers a face (CC0)'
SHA256 = '55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30'
_MODEL = 'dlib_face_recognition_resnet_model_v1.dat'
_OURS = tuple(INNER.index(k) for k in (45, 42, 36, 39, 33))
# Positions of these in a face of side 1, as in dlib's get_face_chip_details.
_THEIRS = np.array([
  [0.8595674595992, 0.2134981538014],
  [0.6460604764104, 0.2289674387677],
  [0.1205750620789, 0.2137274526848],
  [0.3340850613712, 0.2290642403242],
  [0.4901123135679, 0.6277975316475],
])  # fmt: skip
_PADDING = 0.25  # of the face, at each edge, as the network was trained


class DlibFaces:
  """dlib's face recognition network.

  Attributes:
    fingerprint: SHA-256 of its file.
    description: one line of text.

  Raises:
    ConfigError: a package is missing, or has another network.
  """

  fingerprint = SHA256
  description = DESCRIPTION

  def __init__(self) -> None:
    try:
      import dlib
    except ImportError as error:
      raise _missing('dlib-bin') from error
    # Importing the package fails where setuptools has no pkg_resources.
    package = importlib.util.find_spec('face_recognition_models')
    if package is None or not package.submodule_search_locations:
      raise _missing('face-recognition-models')
    folder = package.submodule_search_locations[0]
    path = pathlib.Path(folder, 'models', _MODEL)
    if not path.exists() or digest(path.read_bytes()) != SHA256:
      raise ConfigError(
        f'{path} is not the network of face-recognition-models 0.3.0; install'
        " that again: pip install 'avjax[face]'"
      )
    self._dlib = dlib
    self._network = dlib.face_recognition_model_v1(str(path))
    places = (_THEIRS + _PADDING) / (1 + 2 * _PADDING) * SIDE
    self._places = self._points(places)

  def crops(
    self,
    frames: np.ndarray,
    points: Float[np.ndarray, 'T 49 2'],
    chosen: Int[np.ndarray, ' n'],
  ) -> np.ndarray:
    """Returns the chips (n, 150, 150, 3) uint8 RGB; see `crops.aligned`."""
    chips = np.zeros((len(chosen), SIDE, SIDE, 3), np.uint8)
    for chip, t in zip(chips, chosen, strict=True):
      where = self._dlib.chip_details(
        self._places,
        self._points(points[t, _OURS]),
        self._dlib.chip_dims(SIDE, SIDE),
      )
      frame = np.ascontiguousarray(frames[t])
      chip[:] = self._dlib.extract_image_chip(frame, where)
    return chips

  def values(self, crops: np.ndarray) -> Float[np.ndarray, 'n 128']:
    """Returns the numbers of chips, float32; of each by itself."""
    made = np.zeros((len(crops), WIDTH), np.float32)
    for row, chip in zip(made, crops, strict=True):
      row[:] = self._network.compute_face_descriptor(chip)
    return made

  def _points(self, points: np.ndarray):
    each = [self._dlib.dpoint(float(x), float(y)) for x, y in points]
    return self._dlib.dpoints(each)


def _missing(package: str) -> ConfigError:
  return ConfigError(
    f'--appearance=dlib needs the package {package}; pip install'
    " 'avjax[face,features]'"
  )
