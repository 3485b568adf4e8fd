"""The extractor: transforms fitted on the training clips, columns -> streams.

  audio       (Ta, 50)   robustly scaled and whitened          Section 3.3
  shape       (T, 20)    landmarks, scaled and whitened alike  Section 3.1
  appearance  (T, 1024)  values of pool5 selected by a random forest, each
                         divided by its standard deviation     Section 3.2
  face        (T, 1)     1 if a face was found, else 0         ours

In frames without a face, shape and appearance are 0; for the shape this is the
average training face. Ours: repeating the last detected face would present it
as an observation. A model that needs to tell the two apart reads the stream
`face` as well.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from avjax import files
from avjax.data import npy
from avjax.errors import DataError
from avjax.features import whitening
from avjax.features.columns import Columns
from avjax.records import EXTRACTOR
from avjax.settings import FeaturesConfig
from avjax.shapes import Float, Int

FOLDER = 'extractor'
_FORMAT = 1
_WEIGHTS = 'alexnet.npz'


@dataclasses.dataclass(frozen=True)
class Kept:
  """The selected values of pool5 and their scale (Section 3.2).

  Attributes:
    index: (K,) indices of the selected values, ascending.
    scale: (K,) 1 / standard deviation of each value over the training frames;
      1 for a constant value.
  """

  index: Int[np.ndarray, ' K']
  scale: Float[np.ndarray, ' K']


_PARTS: dict[str, Callable[..., Any]] = {
  'audio': whitening.Whitener,
  'shape': whitening.Whitener,
  'appearance': Kept,
}
"""Stream -> what is fitted for it."""


@dataclasses.dataclass(frozen=True)
class ExtractorFile:
  """The content of extractor.json."""

  format: int
  settings: FeaturesConfig  # of the features
  corpus: str  # fingerprint of the training clips
  network: str  # fingerprint of the face network, or ''
  about: tuple[str, ...]  # lines of text for people
  fingerprint: str  # of all of it, with the arrays


@dataclasses.dataclass(frozen=True)
class Extractor:
  """The transforms fitted on the training clips of one corpus.

  Attributes:
    settings: of the features.
    corpus: fingerprint of the training clips.
    network: fingerprint of the AlexNet, or '' without one.
    about: lines of text for the user.
    audio, shape: whiteners, or None without that stream.
    appearance: the selected values of pool5, or None.
  """

  settings: FeaturesConfig
  corpus: str
  network: str
  about: tuple[str, ...]
  audio: whitening.Whitener | None
  shape: whitening.Whitener | None
  appearance: Kept | None

  def __call__(self, columns: Columns) -> dict[str, np.ndarray]:
    """Returns the streams of a clip, (frames, width) float32 each."""
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

  def arrays(self) -> dict[str, np.ndarray]:
    """Returns what is fitted, by stream and name, such as `audio.median`."""
    by_stream: dict[str, Mapping[str, np.ndarray]] = {}
    if self.audio:
      by_stream['audio'] = self.audio.arrays()
    if self.shape:
      by_stream['shape'] = self.shape.arrays()
    if self.appearance:
      by_stream['appearance'] = dataclasses.asdict(self.appearance)
    return {
      f'{stream}.{name}': array
      for stream, arrays in by_stream.items()
      for name, array in arrays.items()
    }

  def description(self) -> dict[str, Any]:
    """Returns the rest, as extractor.json has it."""
    return self._content() | {'fingerprint': self.fingerprint}

  def _content(self) -> dict[str, Any]:
    return {
      'format': _FORMAT,
      'settings': plain(self.settings),
      'corpus': self.corpus,
      'network': self.network,
      'about': list(self.about),
    }

  @property
  def untrained(self) -> str:
    """A line about a face network with random weights, or '' without one."""
    if not self.network or self.settings.alexnet:
      return ''
    from avjax.features import alexnet  # imports Flax, slow

    return alexnet.untrained(self.settings.seed)

  @property
  def fingerprint(self) -> str:
    """SHA-256 of the arrays, the settings and the corpus."""
    text = json.dumps(self._content(), sort_keys=True).encode()
    return hashlib.sha256(text + npy.pack(self.arrays())).hexdigest()

  def save(self, folder: pathlib.Path) -> None:
    """Writes the extractor, with the weights it needs, into a new folder."""
    folder.mkdir()
    if self.settings.alexnet:
      from avjax.features import alexnet_weights

      alexnet_weights.write(folder / _WEIGHTS, network(self.settings))
    files.put(folder / 'fitted.npz', npy.pack(self.arrays()))
    text = json.dumps(self.description(), indent=2)
    files.put(folder / 'extractor.json', text.encode() + b'\n')


def plain(settings: FeaturesConfig) -> dict[str, Any]:
  """Returns the settings as they are in extractor.json."""
  values = dataclasses.asdict(settings)
  values['streams'] = list(settings.streams)
  # The weights are copied into the folder; their original path is not kept.
  values['alexnet'] = _WEIGHTS if settings.alexnet else ''
  if settings.landmark_archive:  # its content is in `Extractor.about`
    values['landmarks'] = pathlib.PurePath(settings.landmarks).name
  if not settings.landmarks_rate:  # as in extractors that are older than it
    del values['landmarks_rate']
  return values


def load(folder: str | os.PathLike) -> Extractor:
  """Returns the extractor that `Extractor.save` wrote into a folder.

  Raises:
    DataError: there is none, or it is damaged or was changed.
  """
  folder = pathlib.Path(folder)
  about = EXTRACTOR.json(folder / 'extractor.json', ExtractorFile)
  fitted = folder / 'fitted.npz'
  packed = EXTRACTOR.content(fitted)
  if about.format != _FORMAT:
    raise EXTRACTOR.fault(
      folder / 'extractor.json', f'format is {about.format}, not {_FORMAT}'
    )
  try:
    made = restored(about, npy.unpack(packed))
  except (DataError, ValueError, TypeError) as error:
    raise EXTRACTOR.fault(fitted, f'{error!s:.200}') from error
  if made is None:
    raise EXTRACTOR.fault(
      folder, 'its files are not those that bin/extract wrote'
    )
  if made.settings.alexnet:
    settings = dataclasses.replace(
      made.settings, alexnet=str(folder / _WEIGHTS)
    )
    made = dataclasses.replace(made, settings=settings)
    if network(settings).fingerprint != made.network:
      raise EXTRACTOR.fault(folder / _WEIGHTS, 'it was changed')
  return made


def restored(
  about: ExtractorFile, arrays: Mapping[str, np.ndarray]
) -> Extractor | None:
  """Returns an extractor from its parts; None if they were changed.

  Args:
    about: the content of extractor.json.
    arrays: as `Extractor.arrays` returned them.

  Raises:
    ValueError, TypeError: an array is missing, or of another type.
  """
  by_stream: dict[str, dict[str, Any]] = {}
  for name, array in arrays.items():
    stream, _, key = name.partition('.')
    by_stream.setdefault(stream, {})[key] = array
  parts = {
    stream: part(**by_stream[stream]) if stream in by_stream else None
    for stream, part in _PARTS.items()
  }
  made = Extractor(
    about.settings, about.corpus, about.network, about.about, **parts
  )
  known = by_stream.keys() <= parts.keys() and about.format == _FORMAT
  return made if known and made.fingerprint == about.fingerprint else None


def network(settings: FeaturesConfig):
  """Returns the `FaceNetwork` of the settings: from a file, or random.

  Raises:
    DataError: the file is missing or has no usable weights.
  """
  from avjax.features import alexnet, alexnet_weights  # imports Flax, slow

  if settings.alexnet:
    return alexnet_weights.read(settings.alexnet)
  return alexnet.seeded(settings.seed)


def fit_appearance(
  frames: Float[np.ndarray, '_ P'],
  examples: Float[np.ndarray, 'examples P'],
  labels: Sequence[str],
  settings: FeaturesConfig,
) -> Kept:
  """Returns the selected values of pool5 (Section 3.2), and their scale (ours).

  Args:
    frames: pool5 of frames of the training clips, for the scale.
    examples: pool5 of labelled faces, for the random forest.
    labels: the emotion of each example.
    settings: number of values to select, and the seed of the forest.
  """
  from avjax.features import random_forest

  selected = random_forest.select(
    examples, labels, settings.appearance_width, settings.seed
  )
  index = np.asarray(selected, np.int64)
  std = frames[:, index].astype(np.float64).std(axis=0)
  return Kept(index, 1 / np.where(std > 0, std, 1))
