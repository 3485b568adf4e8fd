"""Streams that ONNX models compute, on small models with known values."""

import dataclasses
import pathlib

import numpy as np
import pytest
from onnx import TensorProto, helper

from avjax import onnx_stream
from avjax.clips import Clip, RawClip, UnreadStreams
from avjax.data import corpus, store
from avjax.errors import AvjaxError, DataError
from avjax.features import columns, crops, extractor, measuring, onnx_model
from avjax.features.onnx_sound import SoundColumns
from avjax.settings import FeaturesConfig, ModelConfig
from tests.features import onnx_made

LENGTHS = (640, 1280, 16000, 30720)  # samples; the shortest has one frame


def noise(samples, seed=0):
  return np.random.default_rng(seed).uniform(-1, 1, samples)


def sound(text):
  """Returns what computes the stream of a flag."""
  stream = onnx_model.given(text)
  return SoundColumns(stream, onnx_model.loaded(stream, {}))


def given_landmarks(*onnx):
  """Returns settings of ONNX streams; loading dlib's detector takes long."""
  return FeaturesConfig(streams=(), onnx=onnx, landmarks='{clip}')


def raw(samples=64000, faces=(), pictures=True):
  """Returns a clip of noise and random pictures, with faces in some frames."""
  random, length = np.random.default_rng(1), samples // 640
  eyes = crops._TARGETS * 60 + 10
  points = np.zeros((length, 49, 2))
  for part, z in zip((slice(0, 25), slice(25, 31), slice(31, 49)), eyes,
                     strict=True):  # fmt: skip
    points[:, part] = z.real, z.imag
  found = np.isin(np.arange(length), faces)
  frames = random.integers(0, 255, (length, 80, 80, 3), dtype=np.uint8)
  return RawClip(
    'clip', frames if pictures else None, noise(samples),
    np.ones(samples, bool), length, (), points, found,
  )  # fmt: skip


@pytest.mark.parametrize('kind', ['windows', 'channel', 'frames', 'fixed'])
def test_sound_equals_numpy(tmp_path, kind):
  """Equation: row k is of the window that is centred on k hops."""
  path, size, hop = tmp_path / 'm.onnx', 400, 320
  if kind in ('windows', 'channel'):
    hop = 160  # as its metadata says; the window is that of the input
    filters = onnx_made.bank(path, channel=kind == 'channel', hop=0.01)
    made = sound(f'voice:{path}')
  else:
    samples = 16000 if kind == 'fixed' else 'samples'
    filters = onnx_made.frames(path, samples=samples, window=9, hop=0.02)
    made = sound(f'voice:{path},window=0.025,piece=0.5')  # flags win
  for samples in LENGTHS:
    wave = noise(samples)
    padded = np.pad(wave, (size // 2, size))
    rows = [padded[k : k + size] for k in range(0, samples, hop)]
    np.testing.assert_allclose(
      made(wave), (np.array(rows) @ filters) ** 2, rtol=1e-5, atol=1e-5
    )
  assert not made(np.zeros(6400)).any()


def test_flags_win(tmp_path):
  """Law: of a setting that a flag has, the metadata may say anything."""
  onnx_made.bank(tmp_path / 'm.onnx', hop='often', rate=8000, author='me')
  made = onnx_model.given(f'x:{tmp_path}/m.onnx,hop=0.5')
  assert (made.hop, made.rate) == (0.5, 8000)


def test_sound_of_a_clip_is_normalised(tmp_path):
  """Equation: mean 0 and variance 1 over the clip; silence stays silence."""
  filters = onnx_made.bank(tmp_path / 'm.onnx', hop=0.02)
  made = sound(f'voice:{tmp_path}/m.onnx,normalise=clip')
  wave = 0.1 + 0.01 * noise(6400)
  same = (wave - wave.mean()) / np.sqrt(wave.var() + 1e-7)
  padded = np.pad(same, (200, 400))
  rows = np.array([padded[k : k + 400] for k in range(0, 6400, 320)])
  np.testing.assert_allclose(
    made(wave), (rows @ filters) ** 2, rtol=1e-5, atol=1e-5
  )
  assert not made(np.zeros(6400)).any()


@pytest.mark.parametrize('rate', [8000, 16000, 44100])
def test_a_click_is_where_it_is(tmp_path, rate):
  """Law: the loudest frame is within a hop of a click, at any rate."""
  onnx_made.frames(tmp_path / 'f.onnx', size=rate // 50, step=rate // 100)
  onnx_made.bank(tmp_path / 'w.onnx', size=rate // 50)
  for name in 'fw':
    made = sound(f'x:{tmp_path}/{name}.onnx,rate={rate},hop=0.01,window=0.02')
    for at in (0, 5000, 20001, 31999):
      wave = np.zeros(32000)
      wave[at] = 1
      rows = made(wave)
      assert len(rows) == 200
      found = rows.sum(axis=1).argmax() * 0.01
      assert abs(found - at / 16000) <= 0.01


def test_memory_of_a_long_clip(tmp_path):
  """Law: a model is given short pieces of five minutes of sound."""
  largest = []
  onnx_made.frames(tmp_path / 'f.onnx')
  onnx_made.bank(tmp_path / 'w.onnx')
  for name in 'fw':
    made = sound(f'x:{tmp_path}/{name}.onnx,window=0.025,hop=0.02')
    run = made._model.batch
    made._model.batch = lambda x, run=run: largest.append(x.size) or run(x)
    assert len(made(np.zeros(300 * 16000))) == 300 * 50
  assert max(largest) <= 20 * 16000


@pytest.mark.parametrize('layout', ['chw', 'hwc'])
def test_faces_equal_numpy(tmp_path, layout):
  """Equation: the mean of crops; zeros in frames without a face."""
  onnx_made.mean(tmp_path / 'm.onnx', layout, size=40)
  given = 'mean=0.5/0.4/0.3,std=0.2/0.3/0.4,colour=bgr,margin=0.1'
  if layout == 'hwc':
    onnx_made.mean(tmp_path / 'm.onnx', layout, 40)
  stream = onnx_model.given(f'means:{tmp_path}/m.onnx,{given}')
  settings = given_landmarks(stream)
  clip = raw(faces=[3, 4, 70])
  with columns.Measure(settings) as measure:
    got = measure(clip).arrays['means']
    none = raw(faces=[], pictures=False)
    assert not measure(none).arrays['means'].any()
    with pytest.raises(DataError, match='no picture to measure the means'):
      measure(raw(faces=[1], pictures=False))
  found = np.flatnonzero(clip.found)
  faces = crops.aligned(clip.frames, clip.points, found, 40, 0.1)
  pixels = faces[..., ::-1].mean(axis=(1, 2)) / 255
  wanted = (pixels - (0.5, 0.4, 0.3)) / (0.2, 0.3, 0.4)
  np.testing.assert_allclose(got[found], wanted, rtol=1e-5, atol=1e-5)
  assert not got[~clip.found].any()


def whole(tmp_path):
  """Returns an extractor of two streams, the settings and a measured clip."""
  onnx_made.frames(tmp_path / 'f.onnx', window=0.025, hop=0.02)
  onnx_made.mean(tmp_path / 'm.onnx', size=8)
  texts = f'voice:{tmp_path}/f.onnx', f'means:{tmp_path}/m.onnx'
  settings = given_landmarks(*map(onnx_model.given, texts))
  with measuring.measure(settings) as measure:
    clip = measure(raw(faces=range(90)))
  return extractor.Extractor(settings, '', '', (), None, None, None), clip


def test_a_large_model_is_found_by_its_hash(tmp_path, monkeypatch):
  """Law: a small model is copied, a large one asked for if it was moved."""
  made, clip = whole(tmp_path)
  streams = made(clip)
  assert {k: v.shape for k, v in streams.items()} == {
    'audio.voice': (200, 3), 'means': (100, 3), 'face': (100, 1),
  }  # fmt: skip
  made.save(tmp_path / 'small')
  monkeypatch.setattr(extractor, 'CARRIED', 10)
  made.save(tmp_path / 'large')
  assert len(list((tmp_path / 'small').glob('*.onnx'))) == 2
  assert not list((tmp_path / 'large').glob('*.onnx'))
  path = tmp_path / 'f.onnx'
  path.rename(tmp_path / 'elsewhere.onnx')
  for name in ('small', 'large'):
    again = extractor.load(tmp_path / name)
    assert again.fingerprint == made.fingerprint
    if name == 'small':
      measuring.measure(again.settings)
      continue
    hashed = made.settings.onnx[0].sha256
    with pytest.raises(DataError, match=f'f.onnx cannot be read.*{hashed}'):
      measuring.measure(again.settings)
    given = {'voice': str(tmp_path / 'm.onnx')}
    other = made.settings.onnx[1].sha256
    with pytest.raises(DataError, match=f'{hashed}, and .* has {other}'):
      again.with_files(given)
    there = again.with_files({'voice': str(tmp_path / 'elsewhere.onnx')})
    measuring.measure(there.settings)
    with pytest.raises(AvjaxError, match="for the stream 'x'"):
      again.with_files({'x': ''})
  monkeypatch.undo()
  assert set(extractor.load(tmp_path / 'small').small_models()) == {
    'voice', 'means',
  }  # fmt: skip
  gone = made.at({'voice': '', 'means': ''})  # as in a bundle
  with pytest.raises(DataError, match=f'not here, .* {hashed}: --stream=voice'):
    measuring.measure(gone.settings)
  one = dataclasses.replace(made.settings.onnx[0], whiten=2)
  changed = dataclasses.replace(made.settings, onnx=(one,))
  assert dataclasses.replace(made, settings=changed).fingerprint != (
    made.fingerprint
  )


def odd(path, what):
  """Writes a model, or something else, that cannot be used."""
  same = [helper.make_node('Identity', ['x'], ['y'])]
  if what == 'text':
    path.write_text('no model')
  elif what == 'NaN':
    nodes = [helper.make_node('Log', ['x'], ['y'])]
    onnx_made.write(path, nodes, ['n', 400], ['n', 400], {})
  elif what == 'integers':
    nodes = [helper.make_node('Cast', ['x'], ['y'], to=TensorProto.FLOAT)]
    shape = ['n', 400]
    onnx_made.write(path, nodes, shape, shape, {}, kind=TensorProto.INT64)
  elif what == 'rank':
    onnx_made.write(path, same, [400], [400], {})
  elif what == 'grey':
    onnx_made.write(path, same, ['n', 1, 8, 8], ['n', 1, 8, 8], {})
  elif what == 'one number':
    nodes = [helper.make_node('ReduceMean', ['x'], ['y'], keepdims=0)]
    onnx_made.write(path, nodes, ['n', 400], [], {})
  elif what in ('bands', 'mixed', 'empty'):
    shape = {'bands': ['n', 'frames', 80], 'mixed': ['n', 3, 8, 8]}
    nodes = [helper.make_node('ReduceMean', ['x', 'a'], ['y'], keepdims=0)]
    constants = {'a': np.array([0, 1] if what == 'mixed' else [1])}
    if what == 'empty':
      nodes = [helper.make_node('Slice', ['x', 'a', 'b', 'c'], ['y'])]
      constants = {
        k: np.array([v]) for k, v in zip('abc', (0, 0, 1), strict=True)
      }
    given = shape.get(what, ['n', 400])
    onnx_made.write(path, nodes, given, None, constants)
  elif what == 'frames':
    onnx_made.frames(path)
  elif what == 'bad rate':
    onnx_made.bank(path, rate='high')
  elif what == 'bank':
    onnx_made.bank(path)


@pytest.mark.parametrize(
  ('what', 'options', 'message'),
  [
    ('', '', 'm.onnx cannot be read .No such file'),
    ('text', '', 'no ONNX model that ONNX Runtime can load'),
    ('integers', '', r'input x .* is tensor\(int64\) of shape \(n, 400\)'),
    ('rank', '', r'of shape \(400\); wanted floats'),
    ('grey', ',size=8', 'wanted 3 channels of 8 x 8'),
    ('bank', '', "hop of the stream 'x' is 0.0; it must be seconds"),
    ('bank', ',hop=0.00001', 'it must be seconds'),
    ('bank', ',hop=0.0123456', 'whole samples at 16000'),
    ('bank', ',hop=0.01,window=0.02', 'takes 400 samples and the window'),
    ('bank', ',hop=0.01,of=face', 'which is one of sound; leave out of=face'),
    ('bank', ',hop=fast', "hop of --stream=x:... is 'fast'; it must be a num"),
    ('bank', ',hops=1', "no setting 'hops'; did you mean hop"),
    ('bank', ',hop=1,hop=2', 'has hop twice'),
    ('bank', ',hop=0.01,output=z', "outputs y; choose one with output=y.*'z'"),
    ('grey', ',mean=1/2', 'it must be one number or three'),
    ('bank', ',hop=0.01,size=8', 'has size, .* a model of sound'),
    ('bank', ',hop=0.01,whiten=6', 'whiten .* is 6; it must be at most 5'),
    ('bank', ',rate=10', 'rate of the stream .* from 1000 to'),
    ('bad rate', '', "rate of the metadata of m.onnx is 'high'"),
    ('frames', ',window=0.025,hop=0.01', r'shape \(1, 2, 3\) for 880'),
    ('one number', ',hop=0.01', r'shape \(\) for .* \(1, 400\); the first'),
    ('bands', ',hop=0.01', r'shape \(any, any, 80\); wanted sound of shape'),
    ('mixed', '', r'shape \(8, 8\) for .* \(1, 3, 8, 8\); the first axis'),
    ('empty', ',hop=0.01', 'there must be values'),
    ('NaN', ',hop=0.01', "stream 'x' has a NaN or infinite value in frame 0"),
  ],
)  # fmt: skip
def test_what_is_refused(tmp_path, what, options, message):
  """Law: one line that names what was found and what to do."""
  odd(tmp_path / 'm.onnx', what)
  with pytest.raises(AvjaxError, match=message) as caught:
    stream = onnx_model.given(f'x:{tmp_path}/m.onnx{options}')
    with measuring.measure(given_landmarks(stream)) as made:
      made(raw(6400))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('x', 'wanted NAME:FILE.onnx'),
    (':w.onnx', 'wanted NAME:FILE.onnx'),
    ('shape:', 'wanted NAME:FILE.onnx'),
    ('shape:m.onnx,hop=0.01', "has the name 'shape'"),
    ('a.b:m.onnx,hop=0.01', "has the name 'a.b'"),
  ],
)
def test_a_flag_is_refused(tmp_path, monkeypatch, text, message):
  """Law: a name that is taken, or a text without a file."""
  monkeypatch.chdir(tmp_path)
  onnx_made.bank(pathlib.Path('m.onnx'))
  with pytest.raises(AvjaxError, match=message):
    onnx_model.given(text)


def test_files_of_streams():
  """Law: a file for each stream; settings, or a second file, are refused."""
  assert onnx_stream.places(['a:m.onnx', 'b:m.onnx']) == {
    'a': 'm.onnx', 'b': 'm.onnx',
  }  # fmt: skip
  with pytest.raises(AvjaxError, match='is given twice'):
    onnx_stream.places(['a:m.onnx', 'a:n.onnx'])
  with pytest.raises(AvjaxError, match='has hop, and the stream keeps'):
    onnx_stream.places(['a:m.onnx,hop=0.5'])


def test_a_model_reads_one_stream_of_sound():
  """Law: 'audio.NAME' is the audio, and which one; two are refused."""
  made = ModelConfig(streams=('audio.voice', 'shape'))
  assert (made.streams, made.audio) == (('audio', 'shape'), 'voice')
  assert dataclasses.replace(made, dropout=0.1).audio == 'voice'
  assert ModelConfig(streams=('sound.voice',)).streams == ('sound',)
  with pytest.raises(AvjaxError, match='reads one stream'):
    ModelConfig(streams=('audio', 'audio.voice', 'shape'))


@pytest.mark.parametrize('unread', [False, True])
def test_the_stream_of_sound_that_is_read(unread):
  """Law: it is the audio of a clip, and the others are not seen."""
  random = np.random.default_rng(0)
  arrays = {
    name: random.normal(size=shape).astype(np.float32)
    for name, shape in (
      ('audio.voice', (8, 3)), ('shape', (4, 2)), ('audio', (5, 1)),
    )
  }  # fmt: skip
  assert store.fault(arrays) == ''
  streams = arrays
  if unread:
    shapes = {name: array.shape for name, array in arrays.items()}
    streams = UnreadStreams(shapes, arrays.__getitem__)
  clip = Clip('one', streams)
  assert (clip.audio_length, clip.visual_length) == (5, 4)
  for name, wanted in (('audio', 'audio'), ('audio.voice', 'audio.voice')):
    made = corpus.heard(clip, ModelConfig(streams=(name, 'shape')))
    assert {*made.streams} == {'audio', 'shape'}
    np.testing.assert_array_equal(made.streams['audio'], arrays[wanted])
    assert made.shapes['audio'] == arrays[wanted].shape
  with pytest.raises(DataError, match=r"'audio.face', .* has audio.voice, sh"):
    corpus.heard(clip, ModelConfig(streams=('audio.face', 'shape')))
  with pytest.raises(DataError, match=r"'voice', .* has audio.voice, shape"):
    corpus.heard(clip, ModelConfig(streams=('voice', 'shape')))
  del arrays['audio']
  with pytest.raises(DataError, match=r"'audio', .* it has audio.voice, shape"):
    corpus.heard(Clip('one', arrays), ModelConfig(streams=('sound',)))
