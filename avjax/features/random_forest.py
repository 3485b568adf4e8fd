"""Selects the values of pool5 that separate the emotions (Section 3.2).

A random forest is trained to classify the emotion of labelled faces (in the
paper those of SFEW) from all 9216 values; the 1024 most important are selected.
"""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from avjax.clips import EMOTIONS
from avjax.errors import ConfigError, DataError
from avjax.shapes import Float, Int

SIDE = 227  # height and width of an image in pixels, AlexNet's input
TREES = 500  # ours; 100 trees on 1,400 faces never split on 5 % of the values
SAMPLE = 2000  # at most so many faces per tree; ours, more than SFEW has
ENDINGS = ('.png', '.jpg', '.jpeg')


def select(
  features: Float[np.ndarray, 'n D'],
  labels: Sequence[str],
  keep: int = 1024,
  seed: int = 0,
) -> Int[np.ndarray, ' keep']:
  """Returns the indices of the values most important to a random forest.

  Section 3.2; the size of the forest is ours, its other settings are
  scikit-learn's defaults. Of equally important values the first are selected.

  Args:
    features: of labelled faces.
    labels: the emotion of each face; faces with '' are left out.
    keep: number of values to select, at most D.
    seed: of the forest; the same seed gives the same selection.

  Returns:
    The indices, ascending.

  Raises:
    DataError: there are fewer than two emotions, or fewer values than `keep`.
    ConfigError: scikit-learn is not installed.
  """
  try:
    from sklearn.ensemble import RandomForestClassifier
  except ImportError as error:
    raise ConfigError(
      'selecting values of pool5 needs the package scikit-learn; pip install'
      " 'avjax[features]'"
    ) from error
  emotions = np.asarray(labels)
  known = emotions != ''
  if keep > features.shape[1]:
    raise DataError(
      f'{keep} of {features.shape[1]} values were asked for; ask for'
      f' {features.shape[1]} or fewer'
    )
  classes = sorted(set(emotions[known].tolist()))
  if len(classes) < 2:
    raise DataError(
      f'the labelled faces show {", ".join(classes) or "no emotion"}; give'
      ' faces of at least two emotions'
    )
  forest = RandomForestClassifier(
    TREES,
    max_samples=min(SAMPLE, int(known.sum())),
    random_state=seed,
    n_jobs=1,
  )
  forest.fit(features[known], emotions[known])
  most = np.argsort(-forest.feature_importances_, kind='stable')[:keep]
  return np.sort(most)


def read_images(folder: str | os.PathLike) -> tuple[np.ndarray, list[str]]:
  """Returns the images (n, 227, 227, 3) uint8 RGB of a folder, and emotions.

  The layout is SFEW's: one folder per emotion, with the emotion's name in any
  case. Every image shows one face, cropped as for AlexNet; images of another
  size are resized.

  Raises:
    DataError: a folder has another name, images cannot be read, or there are
      none.
    ConfigError: OpenCV is not installed.
  """
  folder = pathlib.Path(folder)
  layout = f'it must contain one folder per emotion: {", ".join(EMOTIONS)}'
  if not folder.is_dir():
    raise DataError(f'{folder} is not a folder of labelled faces; {layout}')
  inside = [p for p in sorted(folder.iterdir()) if p.is_dir()]
  others = [p.name for p in inside if p.name.lower() not in EMOTIONS]
  if others:
    raise DataError(f'{folder} has the folders {others!r:.200}; {layout}')
  paths = [path for emotion in inside for path in image_files(emotion)]
  if not paths:
    raise DataError(
      f'{folder} has no image ({", ".join(ENDINGS)}) in a folder of an'
      f' emotion; {layout}'
    )
  images, unreadable = [], []
  for path in paths:
    image = read_image(path)
    if image is None:
      unreadable.append(str(path.relative_to(folder)))
    else:
      images.append(image)
  if unreadable:
    listed = ', '.join(unreadable[:5]) + ', ...' * (len(unreadable) > 5)
    raise DataError(
      f'{len(unreadable)} of {len(paths)} images of {folder} cannot be read'
      f' ({listed}); restore or remove them'
    )
  return np.stack(images), [path.parent.name.lower() for path in paths]


def image_files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Returns the image files directly in a folder, sorted by name."""
  return sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS)


def read_image(path: pathlib.Path) -> np.ndarray | None:
  """Returns an image (227, 227, 3) uint8 RGB, or None if it is unreadable.

  Raises:
    ConfigError: OpenCV is not installed.
  """
  try:
    import cv2
  except ImportError as error:
    raise ConfigError(
      'reading images needs the package opencv-python-headless; pip install'
      " 'avjax[features]'"
    ) from error
  try:
    coded = np.fromfile(path, np.uint8)
    image = cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB) if coded.size else None
  except (OSError, cv2.error):
    return None
  if image is None or image.shape[:2] == (SIDE, SIDE):
    return image
  shrink = min(image.shape[:2]) > SIDE
  interpolation = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
  return cv2.resize(image, (SIDE, SIDE), interpolation=interpolation)
