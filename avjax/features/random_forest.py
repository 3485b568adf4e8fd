"""Which values of pool5 tell emotions apart (Section 3.2).

A random forest learns the emotion of labelled faces from all 9216 values (the
paper: those of SFEW), and the 1024 that serve it most are kept.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from avjax.clips import EMOTIONS
from avjax.errors import ConfigError, DataError
from avjax.shapes import Float, Int

SIDE = 227  # pixels of an image; what AlexNet sees
TREES = 500  # ours: of 100 on 1,400 faces, 5 % of values are never asked for
SAMPLE = 2000  # faces a tree learns from, at most; ours, more than SFEW has
ENDINGS = ('.png', '.jpg', '.jpeg')


@dataclasses.dataclass(frozen=True)
class KeptValues:
  """What `fit` keeps of a feature's values.

  Attributes:
    indices: of the kept values, rising.
    importance: of every value: how much purer it made the forest's nodes, as
      a share of all.
  """

  indices: Int[np.ndarray, ' keep']
  importance: Float[np.ndarray, ' D']


def fit(
  features: Float[np.ndarray, 'n D'],
  labels: Sequence[str],
  keep: int = 1024,
  seed: int = 0,
) -> KeptValues:
  """Returns the values that a random forest finds the most important.

  Section 3.2; the forest's size is ours, its other settings scikit-learn's.
  Among equals the first are kept.

  Args:
    features: of labelled faces.
    labels: their emotions; a face with '' is left out.
    keep: how many values; at most D.
    seed: of the forest; equal seeds give an equal selection.

  Raises:
    DataError: there are fewer than two emotions, or fewer values than `keep`.
    ConfigError: scikit-learn is not installed.
  """
  try:
    from sklearn.ensemble import RandomForestClassifier
  except ImportError as error:
    raise ConfigError(
      'selecting from pool5 needs the package scikit-learn; pip install'
      " 'avjax[features]'"
    ) from error
  emotions = np.asarray(labels)
  known = emotions != ''
  if keep > features.shape[1]:
    raise DataError(
      f'{keep} of {features.shape[1]} values were asked for; ask for'
      f' {features.shape[1]} or fewer'
    )
  there = sorted(set(emotions[known].tolist()))
  if len(there) < 2:
    raise DataError(
      f'the faces show {", ".join(there) or "no emotion that is known"}; to'
      ' tell emotions apart takes faces of two at least'
    )
  forest = RandomForestClassifier(
    TREES,
    max_samples=min(SAMPLE, int(known.sum())),
    random_state=seed,
    n_jobs=1,
  )
  forest.fit(features[known], emotions[known])
  importance = forest.feature_importances_
  first = np.argsort(-importance, kind='stable')[:keep]
  return KeptValues(np.sort(first), importance)


def read_images(folder: str | os.PathLike) -> tuple[np.ndarray, list[str]]:
  """Returns the images (n, 227, 227, 3) uint8 RGB of a folder, and emotions.

  The layout is SFEW's: a folder for each emotion, with its name, in capitals
  or not. Every image shows one face, as it is cropped for AlexNet; one of
  another size is resized.

  Raises:
    DataError: a folder has another name, images cannot be read, or there are
      none; names what is wrong.
    ConfigError: OpenCV is not installed.
  """
  folder = pathlib.Path(folder)
  layout = f'it must hold a folder for each of {", ".join(EMOTIONS)}'
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
  """Returns the images right inside a folder, by name."""
  return sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS)


def read_image(path: pathlib.Path) -> np.ndarray | None:
  """Returns an image (227, 227, 3) uint8 RGB, or None if it cannot be read.

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
  smaller = min(image.shape[:2]) > SIDE
  how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
  return cv2.resize(image, (SIDE, SIDE), interpolation=how)
