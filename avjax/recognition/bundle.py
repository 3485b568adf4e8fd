"""A bundle: everything that a recogniser needs, in one file.

It is a zip archive without compression:

  bundle.json             emotions, settings, extractor, accuracies; the SHA-256
                          of all other files, and of itself
  card.md, licence.txt    for people
  extractor/NAME.npy      the arrays of the extractor
  onnx/NAME.onnx          the model of a stream, if it is small
  WAY/NUMBER/NAME.npy     the parameters of the NUMBER-th network for clips that
                          are standardised in this WAY, such as 'none'

There are no pickles in it, names are sorted and dates fixed, so that a bundle
that is made twice has the same bytes.
"""

import dataclasses
import io
import json
import pathlib
import zipfile
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from flax import traverse_util

from avjax import files, records
from avjax.clips import AUDIO, SOUND, is_sound
from avjax.data import npy
from avjax.data.standardising import Average
from avjax.errors import AvjaxError, ConfigError, DataError
from avjax.features import extractor as extractors
from avjax.features.extractor import Extractor, ExtractorFile
from avjax.recognition.accuracies import Accuracy
from avjax.recognition.cards import Card
from avjax.recognition.recogniser import Recogniser
from avjax.records import MismatchError, Reader
from avjax.runs import network
from avjax.settings import STANDARDISINGS, ModelConfig

FORMAT = 1
MOST_BYTES = 1 << 26
"""Of a bundle; that of the paper's network with five seeds has 1.2 MB."""
_MODELS = 'onnx/'
_HEAD, _CARD, _LICENCE = 'bundle.json', 'card.md', 'licence.txt'
BUNDLE = Reader(
  DataError,
  missing='give a file that bin/bundle has made',
  damaged='get it again, or make it again with bin/bundle',
)


@dataclasses.dataclass(frozen=True)
class _Speaker:
  """An `Average` in lists."""

  mean: tuple[float, ...]  # of each column
  variance: tuple[float, ...]  # of each column
  frames: float  # how many these stand for


@dataclasses.dataclass(frozen=True)
class _Way:
  """The networks for one way to standardise."""

  standardise: str  # one of `data.standardise`
  settings: ModelConfig  # of the networks
  members: int  # how many networks are averaged
  average: dict[str, _Speaker]  # stream -> the average training speaker


@dataclasses.dataclass(frozen=True)
class _Head:
  """The content of bundle.json."""

  format: int  # `FORMAT`; a later one is refused
  emotions: tuple[str, ...]  # in the order of the probabilities
  widths: dict[str, int]  # stream -> number of columns
  extractor: ExtractorFile  # extractor.json of a store
  ways: tuple[_Way, ...]  # the networks, by how clips are standardised
  about: str  # a line on the training data
  accuracies: tuple[Accuracy, ...]  # on people it was not trained on
  files: dict[str, str]  # every other file of the bundle -> its SHA-256
  sha256: str  # of all else in this file


def pack(recogniser: Recogniser, card: Card) -> bytes:
  """Returns the bytes of a bundle; equal arguments give equal bytes.

  Args:
    recogniser: of networks, with an extractor.
    card: for people; its accuracies are kept.

  Raises:
    AvjaxError: the models are no networks, or something is missing that a
      prediction needs.
  """
  fitted = _packable(recogniser)
  arrays = {f'extractor/{k}': v for k, v in fitted.arrays().items()}
  ways = []
  for one in (recogniser, *recogniser.others):
    for number, tree in enumerate(one.members):
      for name, leaf in traverse_util.flatten_dict(tree, sep='/').items():
        own = f'{one.standardise}/{number}/{name}'
        arrays[own] = np.asarray(leaf, np.float32)
    # What chooses the kernel is left to the machine that reads it.
    settings = dataclasses.replace(one.settings, implementation=None)
    average = {
      name: _Speaker(tuple(a.mean), tuple(a.variance), a.frames)
      for name, a in one.average.items()
    }
    ways.append(_Way(one.standardise, settings, len(one.members), average))
  contents = {f'{k}.npy': _npy(v) for k, v in arrays.items()}
  assert recogniser.used is not None
  for name, model in recogniser.used.small_models().items():
    contents[f'{_MODELS}{name}.onnx'] = model
  contents[_CARD] = card.text.encode()
  contents[_LICENCE] = card.licence.encode()
  head = {
    'format': FORMAT,
    'emotions': recogniser.emotions,
    'widths': dict(recogniser.widths),
    'extractor': fitted.description(),
    'ways': [dataclasses.asdict(way) for way in ways],
    'about': card.about,
    'accuracies': [dataclasses.asdict(one) for one in card.accuracies],
    'files': {k: records.digest(contents[k]) for k in sorted(contents)},
  }
  sealed = json.dumps(records.seal(files.as_json(head)), indent=1)
  contents[_HEAD] = sealed.encode() + b'\n'
  return _zip(contents)


def _packable(recogniser: Recogniser) -> Extractor:
  """Returns the extractor; raises an error if the bundle would lack a part."""
  if recogniser.extractor is None:
    raise DataError(recogniser.lacking)
  settings = recogniser.extractor.settings
  if settings.alexnet:
    raise ConfigError(
      f'{recogniser.name} reads the appearance by a face network, which a'
      ' bundle does not hold; train with --config.model.streams=audio,shape on'
      ' a store of bin/extract --streams=audio,shape'
    )
  return recogniser.extractor


def _npy(array: np.ndarray) -> bytes:
  """Returns the bytes of a .npy file, little-endian."""
  file = io.BytesIO()
  array = np.ascontiguousarray(array, array.dtype.newbyteorder('<'))
  np.lib.format.write_array(file, array, (1, 0), allow_pickle=False)
  return file.getvalue()


def _zip(contents: Mapping[str, bytes]) -> bytes:
  """Returns the bytes of a zip archive with these files."""
  packed = io.BytesIO()
  with zipfile.ZipFile(packed, 'w', zipfile.ZIP_STORED) as archive:
    for name in sorted(contents):
      info = zipfile.ZipInfo(name)  # dated 1980-01-01
      info.create_system = 3  # the same value on every platform
      archive.writestr(info, contents[name])
  return packed.getvalue()


def read(path: str | pathlib.Path) -> Recogniser:
  """Returns the recogniser of a bundle.

  Raises:
    DataError: the file is missing, damaged, or of a later version of avjax.
  """
  path = pathlib.Path(path).expanduser()
  if path.is_file() and path.stat().st_size > MOST_BYTES:
    raise BUNDLE.fault(path, f'it has more than {MOST_BYTES} bytes')
  packed = BUNDLE.content(path)
  try:
    return _recogniser(str(path), _unzipped(packed))
  except MismatchError as error:
    raise BUNDLE.fault(path, error) from None


def _unzipped(packed: bytes) -> dict[str, bytes]:
  """Returns the files of a bundle by name.

  Raises:
    MismatchError: it is not an archive of files as they are.
  """
  try:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
      members = archive.infolist()
      if any(one.compress_type != zipfile.ZIP_STORED for one in members):
        raise MismatchError('a file in it is compressed')
      if sum(one.file_size for one in members) > len(packed):
        raise MismatchError('its files are larger than it is itself')
      contents = {one.filename: archive.read(one) for one in members}
  except MismatchError:
    raise
  except Exception as error:
    # zipfile documents BadZipFile, but damaged files also raise ValueError,
    # struct.error, NotImplementedError and others.
    raise MismatchError(f'no zip archive ({error!s:.100})') from None
  if len(contents) < len(members):
    raise MismatchError('a file is in it twice')
  return contents


def _recogniser(name: str, contents: Mapping[str, bytes]) -> Recogniser:
  """Returns the recogniser of the files of a bundle."""
  head = _head(name, contents)
  fitted = _extractor(head, contents)
  audio = head.ways[0].settings.audio
  if other := sorted({*head.widths} - {*_streams(fitted, audio)}):
    raise MismatchError(f'its extractor does not make the stream {other[0]!r}')
  card = Card(
    head.about,
    _text(contents, _LICENCE),
    _text(contents, _CARD),
    head.accuracies,
  )
  made = [
    Recogniser(
      name=name,
      emotions=head.emotions,
      settings=way.settings,
      widths=head.widths,
      models=tuple(_networks(head, way, contents)),
      extractor=fitted,
      standardise=way.standardise,
      average=_averages(head, way),
      card=card,
    )
    for way in head.ways
  ]
  return dataclasses.replace(made[0], others=tuple(made[1:]))


def _head(name: str, contents: Mapping[str, bytes]) -> _Head:
  """Returns bundle.json, after comparing every file with its digest."""
  if _HEAD not in contents:
    raise MismatchError(f'{_HEAD} is missing in it, so it is no bundle')
  value = records.parse(contents[_HEAD])
  number = value.get('format') if isinstance(value, dict) else None
  if type(number) is int and number > FORMAT:
    raise DataError(
      f'{name} is of format {number}, and this version of avjax reads up to'
      f' {FORMAT}; install a later one'
    )
  head = records.typed(_Head, value)
  if not records.sealed(value):
    raise MismatchError(f'{_HEAD} was changed (its {records.SEAL} differs)')
  if {*contents} - {_HEAD} != {*head.files}:
    different = sorted({*contents} - {_HEAD} ^ {*head.files})
    raise MismatchError(f'{different[0]!r:.80} is missing in it, or too much')
  for one, digest in head.files.items():
    if records.digest(contents[one]) != digest:
      raise MismatchError(f'{one} was changed (its digest differs)')
  ways = [way.standardise for way in head.ways]
  if not ways or len({*ways}) < len(ways) or {*ways} - {*STANDARDISINGS}:
    raise MismatchError(f'ways: {ways} are not ways to standardise')
  if len({*head.emotions}) < max(len(head.emotions), 2):
    raise MismatchError(f'emotions: {head.emotions!r:.80}')
  for way in head.ways:
    heard = way.settings.audio == head.ways[0].settings.audio
    reads = {*way.settings.streams} == {*head.widths} and heard
    if not reads or way.members < 1:
      raise MismatchError(f'ways: {way.standardise} reads other streams')
  return head


def _text(contents: Mapping[str, bytes], name: str) -> str:
  try:
    return contents[name].decode('utf-8')
  except (KeyError, UnicodeDecodeError):
    raise MismatchError(f'{name} is missing, or no text') from None


def _below(contents: Mapping[str, bytes], folder: str) -> dict[str, np.ndarray]:
  """Returns the arrays whose names begin with a folder, by the rest of them."""
  found = {}
  for name, content in contents.items():
    if name.startswith(folder) and name.endswith('.npy'):
      file = io.BytesIO(content)
      try:
        array = npy.data(file, npy.header(file, len(content)))
      except DataError as error:
        raise MismatchError(f'{name}: {error}') from None
      found[name.removeprefix(folder).removesuffix('.npy')] = array
  return found


def _extractor(head: _Head, contents: Mapping[str, bytes]) -> Extractor:
  """Returns the extractor, whose fingerprint is that of the training."""
  try:
    made = extractors.restored(head.extractor, _below(contents, 'extractor/'))
  except (ValueError, TypeError, KeyError) as error:
    raise MismatchError(f'extractor: {error!s:.100}') from None
  if made is None:
    raise MismatchError('extractor: it was changed')
  carried = {}
  for one in made.settings.onnx:
    model = contents.get(f'{_MODELS}{one.name}.onnx')
    if model is not None:
      if records.digest(model) != one.sha256:
        raise MismatchError(f'the model of {one.name} is another one')
      carried[one.name] = model
  return dataclasses.replace(made, carried=carried)


def _streams(fitted: Extractor, audio: str) -> Sequence[str]:
  """Returns the streams that a clip has by an extractor; 'sound' is audio.

  Args:
    fitted: the extractor.
    audio: `model.audio` of the model that reads them.
  """
  names = fitted.settings.names
  heard = f'{AUDIO}.{audio}' if audio else AUDIO
  sounds = [AUDIO, SOUND] if heard in names else []
  return [*(k for k in names if not is_sound(k)), 'face', *sounds]


def _networks(
  head: _Head, way: _Way, contents: Mapping[str, bytes]
) -> list[network.Weights]:
  """Returns the networks of one way, whose parameters have their shapes."""
  try:
    wanted = network.parameter_shapes(way.settings, head.emotions, head.widths)
  except AvjaxError as error:
    raise MismatchError(f'ways: {error}') from None
  shapes = traverse_util.flatten_dict(wanted, sep='/')
  made = []
  for number in range(way.members):
    folder = f'{way.standardise}/{number}/'
    found = _below(contents, folder)
    if found.keys() != shapes.keys():
      different = sorted(found.keys() ^ shapes.keys())
      raise MismatchError(f'{folder}{different[0]} is missing, or too much')
    for name, array in found.items():
      if array.dtype != np.float32 or array.shape != shapes[name].shape:
        raise MismatchError(
          f'{folder}{name} is {array.dtype} {array.shape}, and the network'
          f' needs float32 {shapes[name].shape}'
        )
      if not np.isfinite(array).all():
        raise MismatchError(f'{folder}{name} has a value that is not finite')
    tree = traverse_util.unflatten_dict(found, sep='/')
    tree = jax.tree.map(jax.numpy.asarray, tree)
    made.append(network.Weights(way.settings, head.emotions, tree))
  return made


def _averages(head: _Head, way: _Way) -> dict[str, Average]:
  """Returns stream -> the average training speaker."""
  needed = {*head.widths} if way.standardise == 'enrolment' else set()
  if not needed <= way.average.keys():
    raise MismatchError('ways: the average speaker is missing')
  for name, one in way.average.items():
    if len(one.mean) != len(one.variance) or min(one.variance, default=0) < 0:
      raise MismatchError(f'ways: the average speaker of {name} does not fit')
  return {
    name: Average(np.array(one.mean), np.array(one.variance), one.frames)
    for name, one in way.average.items()
  }
