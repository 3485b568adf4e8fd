"""What is fitted on the training clips, and its use: columns -> streams.

  audio       (Ta, 50)   robustly scaled, whitened             Section 3.3
  shape       (T, 20)    the same of the landmarks             Section 3.1
  appearance  (T, 1024)  the values of pool5 that a random forest keeps, each
                         divided by its deviation              Section 3.2
  face        (T, 1)     1 where a face was found, else 0      ours

In a frame without a face shape and appearance are 0: for the shape that is the
average training face. Ours; the last seen face would be told as if it were
seen. A model that shall know reads the stream `face` too.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.data import npy
from avjax.errors import AvjaxError, DataError
from avjax.features import whitening
from avjax.features.columns import Columns
from avjax.settings import FeaturesConfig, section
from avjax.shapes import Float, Int

FOLDER = 'extractor'
_FORMAT = 1
_WEIGHTS = 'alexnet.npz'


@dataclasses.dataclass(frozen=True)
class Kept:
  """The values of pool5 that are kept (Section 3.2).

  Attributes:
    index: (K,) of the kept values, rising.
    scale: (K,) one over each value's deviation in the training frames; 1
      where it never varied.
  """

  index: Int[np.ndarray, ' K']
  scale: Float[np.ndarray, ' K']


@dataclasses.dataclass(frozen=True)
class Extractor:
  """Everything that was fitted on one corpus's training clips.

  Attributes:
    settings: of the features.
    corpus: fingerprint of the training clips.
    network: fingerprint of the AlexNet, '' where there is none.
    about: what people should know, a line each.
    audio, shape: whiteners, or None where there is no such stream.
    appearance: what is kept of pool5, or None.
  """

  settings: FeaturesConfig
  corpus: str
  network: str
  about: tuple[str, ...]
  audio: whitening.Whitener | None
  shape: whitening.Whitener | None
  appearance: Kept | None

  def __call__(self, columns: Columns) -> dict[str, np.ndarray]:
    """Returns a clip's streams, float32."""
    streams = {}
    if self.audio:
      streams['audio'] = self.audio(columns.arrays['audio'])
    if self.shape:
      white = self.shape(columns.arrays['shape'])
      streams['shape'] = np.where(columns.found[:, None], white, 0)
    if self.appearance:
      kept = columns.arrays['pool5'][:, self.appearance.index]
      scaled = (kept * self.appearance.scale).astype(np.float32)
      streams['appearance'] = np.where(columns.found[:, None], scaled, 0)
    if self.shape or self.appearance:
      streams['face'] = columns.found[:, None].astype(np.float32)
    return streams

  def _arrays(self) -> dict[str, np.ndarray]:
    parts: dict[str, Mapping[str, np.ndarray]] = {}
    if self.audio:
      parts['audio'] = self.audio.arrays()
    if self.shape:
      parts['shape'] = self.shape.arrays()
    if self.appearance:
      parts['appearance'] = dataclasses.asdict(self.appearance)
    return {f'{k}.{n}': v for k, part in parts.items() for n, v in part.items()}

  def _description(self) -> dict[str, Any]:
    return {
      'format': _FORMAT,
      'settings': plain(self.settings),
      'corpus': self.corpus,
      'network': self.network,
      'about': list(self.about),
    }

  @property
  def untrained(self) -> str:
    """A line that says so where the face network has random weights, or ''."""
    if not self.network or self.settings.alexnet:
      return ''
    from avjax.features import alexnet  # slow: Flax

    return alexnet.untrained(self.settings.seed)

  @property
  def fingerprint(self) -> str:
    """SHA-256 over the arrays, the settings and the corpus."""
    text = json.dumps(self._description(), sort_keys=True).encode()
    return hashlib.sha256(text + npy.pack(self._arrays())).hexdigest()

  def save(self, folder: pathlib.Path) -> None:
    """Returns nothing; leaves the extractor in a new folder."""
    folder.mkdir()
    if self.settings.alexnet:  # then the folder needs nothing else
      from avjax.features import alexnet_weights

      alexnet_weights.write(folder / _WEIGHTS, network(self.settings))
    files.put(folder / 'fitted.npz', npy.pack(self._arrays()))
    text = {**self._description(), 'fingerprint': self.fingerprint}
    files.put(
      folder / 'extractor.json', json.dumps(text, indent=2).encode() + b'\n'
    )


def plain(settings: FeaturesConfig) -> dict[str, Any]:
  """Returns the settings as JSON has them, the weights by their new name."""
  values = dataclasses.asdict(settings)
  values['streams'] = list(settings.streams)
  # The weights lie beside it; where they came from does not matter.
  values['alexnet'] = _WEIGHTS if settings.alexnet else ''
  return values


def load(folder: str | os.PathLike) -> Extractor:
  """Returns the extractor that `Extractor.save` left in a folder.

  Raises:
    DataError: there is none, or it is not as it was written.
  """
  folder = pathlib.Path(folder)
  again = 'make the store again with bin/extract'
  try:
    about = json.loads((folder / 'extractor.json').read_bytes())
    arrays = npy.unpack((folder / 'fitted.npz').read_bytes())
    parts: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
      part, _, key = name.partition('.')
      parts.setdefault(part, {})[key] = array
    about['settings']['streams'] = tuple(about['settings']['streams'])
    made = Extractor(
      section(FeaturesConfig, about['settings']),
      about['corpus'],
      about['network'],
      tuple(about['about']),
      whitening.Whitener(**parts['audio']) if 'audio' in parts else None,
      whitening.Whitener(**parts['shape']) if 'shape' in parts else None,
      Kept(**parts['appearance']) if 'appearance' in parts else None,
    )
    whole = made.fingerprint == about['fingerprint']
  except OSError as error:
    raise DataError(
      f'{folder} is not the folder of an extractor ({error.strerror});'
      f' bin/extract leaves one in every store, as {FOLDER}'
    ) from error
  except (AvjaxError, ValueError, KeyError, TypeError, AttributeError) as error:
    raise DataError(
      f'the extractor {folder} is damaged ({error!r:.100}); {again}'
    ) from error
  if not whole:
    raise DataError(f'the extractor {folder} is not as it was written; {again}')
  if made.settings.alexnet:
    settings = dataclasses.replace(
      made.settings, alexnet=str(folder / _WEIGHTS)
    )
    made = dataclasses.replace(made, settings=settings)
    if network(settings).fingerprint != made.network:
      raise DataError(f'{folder / _WEIGHTS} is not as it was written; {again}')
  return made


def network(settings: FeaturesConfig):
  """Returns the AlexNet of the settings: from its file, or random.

  Raises:
    DataError: the file is missing or holds other weights.
  """
  from avjax.features import alexnet, alexnet_weights  # slow: Flax

  if settings.alexnet:
    return alexnet_weights.read(settings.alexnet)
  return alexnet.seeded(settings.seed)


def fit_appearance(
  frames: Float[np.ndarray, '_ P'],
  examples: Float[np.ndarray, 'examples P'],
  labels: Sequence[str],
  settings: FeaturesConfig,
) -> Kept:
  """Returns the values of pool5 to keep (Section 3.2), and their scale (ours).

  Args:
    frames: pool5 of the training clips, which gives the scale.
    examples: pool5 of the faces that the random forest learns from.
    labels: the emotion of each.
    settings: how many to keep, and the forest's seed.
  """
  from avjax.features import random_forest

  chosen = random_forest.fit(
    examples, labels, settings.appearance_width, settings.seed
  )
  index = np.asarray(chosen.indices, np.int64)
  deviation = frames[:, index].astype(np.float64).std(axis=0)
  return Kept(index, 1 / np.where(deviation > 0, deviation, 1))
