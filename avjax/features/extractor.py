"""The extractor: transforms fitted on the training clips, columns -> streams.

  audio       (Ta, 50)   robustly scaled and whitened          Section 3.3
  shape       (T, 20)    landmarks, scaled and whitened alike  Section 3.1
  appearance  (T, 1024)  values of pool5 selected by a random forest, each
                         divided by its standard deviation     Section 3.2
              (T, 128)   or all of dlib's, divided alike       ours
  face        (T, 1)     1 if a face was found, else 0         ours
  NAME        (T, D)     of an ONNX model of faces             ours
  audio.NAME  (Tn, D)    of one of sound, on its own clock     ours

In frames without a face, all but the sound is 0; for the shape this is the
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
from avjax.errors import ConfigError, DataError
from avjax.features import dlib_faces, onnx_model, whitening
from avjax.features.columns import Columns
from avjax.onnx_stream import FACE
from avjax.records import EXTRACTOR
from avjax.settings import FeaturesConfig
from avjax.shapes import Float, Int

FOLDER = 'extractor'
_FORMAT = 1
_WEIGHTS = 'alexnet.npz'
CARRIED = 1 << 25
"""Bytes of ONNX models that an extractor's folder, and a bundle, has copies of;
larger ones are found by their path, or asked for."""


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
  """The content of extractor.json.

  Attributes:
    places: name of an ONNX stream -> path of its model, where this is too large
      to be copied into the folder; the fingerprint does not depend on it.
  """

  format: int
  settings: FeaturesConfig  # of the features
  corpus: str  # fingerprint of the training clips
  network: str  # fingerprint of the face network, or ''
  about: tuple[str, ...]  # lines of text for people
  fingerprint: str  # of all of it, with the arrays
  places: dict[str, str] = dataclasses.field(default_factory=dict)


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
    whiteners: name of an ONNX stream -> its whitener, for those that have one.
    carried: name of an ONNX stream -> content of its model, where it is not
      read from its file.
  """

  settings: FeaturesConfig
  corpus: str
  network: str
  about: tuple[str, ...]
  audio: whitening.Whitener | None
  shape: whitening.Whitener | None
  appearance: Kept | None
  whiteners: Mapping[str, whitening.Whitener] = dataclasses.field(
    default_factory=dict
  )
  carried: Mapping[str, bytes] = dataclasses.field(default_factory=dict)

  def __call__(self, columns: Columns) -> dict[str, np.ndarray]:
    """Returns the streams of a clip, (frames, width) float32 each."""
    streams = {}
    if self.audio:
      streams['audio'] = self.audio(columns.arrays['audio'])
    if self.shape:
      white = self.shape(columns.arrays['shape'])
      streams['shape'] = np.where(columns.found[:, None], white, 0)
    if self.appearance:
      values = columns.arrays[self.settings.appearance_column]
      kept = values[:, self.appearance.index]
      scaled = (kept * self.appearance.scale).astype(np.float32)
      streams['appearance'] = np.where(columns.found[:, None], scaled, 0)
    for one in self.settings.onnx:
      rows = columns.arrays[one.stream]
      if one.name in self.whiteners:
        rows = self.whiteners[one.name](rows)
      if one.of == FACE:
        rows = np.where(columns.found[:, None], rows, 0)
      streams[one.stream] = rows
    seen = any(one.of == FACE for one in self.settings.onnx)
    if seen or self.shape or self.appearance:
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
    by_stream |= {k: one.arrays() for k, one in self.whiteners.items()}
    return {
      f'{stream}.{name}': array
      for stream, arrays in by_stream.items()
      for name, array in arrays.items()
    }

  def description(self) -> dict[str, Any]:
    """Returns the rest, as extractor.json has it."""
    return self._content() | {'fingerprint': self.fingerprint}

  def with_files(self, given: Mapping[str, str]) -> 'Extractor':
    """Returns the extractor with models from other files.

    Args:
      given: name of an ONNX stream -> path of its model.

    Raises:
      AvjaxError: there is no such stream, or the file is another one.
    """
    names = [one.name for one in self.settings.onnx]
    if unknown := sorted(set(given) - set(names)):
      raise ConfigError(
        f'a file is given for the stream {unknown[0]!r}; the features have'
        f' {", ".join(names) or "no stream"} of an ONNX model'
      )
    for one in self.settings.onnx:
      if one.name in given:
        onnx_model.checked(one, given[one.name])
    return self.at(given)

  def at(self, places: Mapping[str, str | os.PathLike]) -> 'Extractor':
    """Returns the extractor with models at other paths, which nobody checks."""
    onnx = tuple(
      dataclasses.replace(one, file=str(places.get(one.name, one.file)))
      for one in self.settings.onnx
    )
    settings = dataclasses.replace(self.settings, onnx=onnx)
    carried = {k: v for k, v in self.carried.items() if k not in places}
    return dataclasses.replace(self, settings=settings, carried=carried)

  def small_models(self) -> dict[str, bytes]:
    """Returns name of an ONNX stream -> content of its model, if that is small.

    Together they have at most CARRIED bytes.

    Raises:
      DataError: a model is another one by now.
    """
    found, room = {}, CARRIED
    for one in self.settings.onnx:
      path = pathlib.Path(one.file)
      if one.name not in self.carried and not path.is_file():
        continue  # a large one, which is elsewhere now
      if one.name in self.carried or path.stat().st_size <= room:
        found[one.name] = onnx_model.content(one, self.carried)
        room -= len(found[one.name])
    return found

  def _content(self) -> dict[str, Any]:
    return {
      'format': _FORMAT,
      'settings': plain(self.settings),
      'corpus': self.corpus,
      'network': self.network,
      'about': list(self.about),
    }

  @property
  def face_network(self) -> str:
    """A line about a face network that is not the user's own, or ''.

    It has random weights, or is that of dlib.
    """
    if not self.network or self.settings.alexnet:
      return ''
    if self.settings.appearance == 'dlib':
      return dlib_faces.DESCRIPTION
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
    small = self.small_models()
    for name, content in small.items():
      files.put(folder / f'{name}.onnx', content)
    files.put(folder / 'fitted.npz', npy.pack(self.arrays()))
    places = {
      one.name: one.file for one in self.settings.onnx if one.name not in small
    }
    about = self.description() | ({'places': places} if places else {})
    text = json.dumps(about, indent=2)
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
  if settings.appearance == 'alexnet':  # as before there was another one
    del values['appearance']
  if settings.onnx:  # which models they are is told by their hashes
    values['onnx'] = [
      files.as_json(one) | {'file': ''} for one in values['onnx']
    ]
  else:
    del values['onnx']
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
  except (DataError, ValueError, TypeError, KeyError) as error:
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
  copies = {one.name: folder / f'{one.name}.onnx' for one in made.settings.onnx}
  places = {k: str(path) for k, path in copies.items() if path.exists()}
  return made.at(about.places | places)


def restored(
  about: ExtractorFile, arrays: Mapping[str, np.ndarray]
) -> Extractor | None:
  """Returns an extractor from its parts; None if they were changed.

  Args:
    about: the content of extractor.json.
    arrays: as `Extractor.arrays` returned them.

  Raises:
    ValueError, TypeError, KeyError: an array is missing, or of another type.
  """
  by_stream: dict[str, dict[str, Any]] = {}
  for name, array in arrays.items():
    stream, _, key = name.partition('.')
    by_stream.setdefault(stream, {})[key] = array
  parts: dict[str, Any] = {
    stream: part(**by_stream[stream]) if stream in by_stream else None
    for stream, part in _PARTS.items()
  }
  whiteners = {
    one.name: whitening.Whitener(**by_stream[one.name])
    for one in about.settings.onnx
    if one.whiten
  }
  made = Extractor(
    about.settings, about.corpus, about.network, about.about, **parts,
    whiteners=whiteners,
  )  # fmt: skip
  known = (
    by_stream.keys() <= parts.keys() | whiteners.keys()
    and about.format == _FORMAT
  )
  return made if known and made.fingerprint == about.fingerprint else None


def network(settings: FeaturesConfig):
  """Returns the face network of the settings: dlib's, from a file, or random.

  Raises:
    AvjaxError: the file is missing or has no usable weights, or a package is
      missing.
  """
  if settings.appearance == 'dlib':
    return dlib_faces.DlibFaces()
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

  Of dlib's 128 numbers all are kept: a forest that selects ninth parts of 9216
  values has nothing to select from there.

  Args:
    frames: pool5 of frames of the training clips, for the scale.
    examples: pool5 of labelled faces, for the random forest.
    labels: the emotion of each example.
    settings: number of values to select, and the seed of the forest.
  """
  if settings.appearance == 'dlib':  # every number is one of identity
    selected = np.arange(frames.shape[1])
  else:
    from avjax.features import random_forest

    selected = random_forest.select(
      examples, labels, settings.appearance_width, settings.seed
    )
  index = np.asarray(selected, np.int64)
  std = frames[:, index].astype(np.float64).std(axis=0)
  return Kept(index, 1 / np.where(std > 0, std, 1))
