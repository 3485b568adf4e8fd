"""The four networks of Table 1 against the paper's equations."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

import avjax
from avjax.errors import ConfigError
from avjax.models.classifiers import check
from avjax.settings import AlignmentConfig, ModelConfig
from tests.kernels.here import skip_without_compiler
from tests.models import paper

SMALL = ModelConfig(
  hidden_size=6, lstm_cells=5, selector_cells=3, embedding_size=4
)
APPEARANCE = ('appearance',)
VARIANTS = {
  'average_pool5': {'variant': 'average_pool5', 'streams': APPEARANCE},
  'last_time': {'variant': 'last_time'},
  'average': {'variant': 'average'},
  'proposed': {},
  'shared encoder': {'shared_encoder': True},
  'alignment off': {'alignment': AlignmentConfig(mode='centre')},
  'reads hidden': {'alignment': AlignmentConfig(reads='hidden')},
  'six places': {'alignment': AlignmentConfig(half_window=3)},
  'fixed ratio': {'alignment': AlignmentConfig(ratio=1.04)},
  'one visual stream': {'streams': ('audio', 'units')},
  'no audio': {'streams': ('shape', 'appearance')},
  'in C++': {'implementation': 'cpu'},
}
EMOTIONS = ('calm', 'happy', 'sad')
AUDIO_LENGTH = np.array([9, 4, 0, 7], np.int32)
VISUAL_LENGTH = np.array([7, 5, 0, 1], np.int32)


def network(name):
  settings = dataclasses.replace(SMALL, **VARIANTS[name])
  if settings.implementation == 'cpu':
    skip_without_compiler()
  return settings, avjax.build(settings, EMOTIONS)


def example(dtype=np.float32, fill=0.0, more=0):
  """A ragged batch with filler in its third row, `fill` in its padding."""
  random = np.random.default_rng(0)

  def stream(length, width, lengths):
    x = random.standard_normal((4, length, width)).astype(dtype)
    x = np.pad(x, ((0, 0), (0, more), (0, 0)))
    x[np.arange(length + more)[None] >= lengths[:, None]] = fill
    return x

  return avjax.Batch(
    audio=stream(9, 4, AUDIO_LENGTH),
    visual={
      'shape': stream(7, 3, VISUAL_LENGTH),
      'appearance': stream(7, 8, VISUAL_LENGTH),
      'units': stream(7, 2, VISUAL_LENGTH),
    },
    audio_length=AUDIO_LENGTH,
    visual_length=VISUAL_LENGTH,
    label=np.array([0, 1, -1, 2], np.int32),
  )


def clip(batch, row):
  audio, frames = AUDIO_LENGTH[row], VISUAL_LENGTH[row]
  return {'audio': batch.audio[row, :audio]} | {
    name: x[row, :frames] for name, x in batch.visual.items()
  }


def random_parameters(module, batch, dtype=np.float32):
  """Parameters that are nowhere zero, so that every one of them counts."""
  shapes = jax.eval_shape(module.init, jax.random.key(0), batch)['params']
  random = np.random.default_rng(1)
  return jax.tree.map(
    lambda s: (0.6 * random.standard_normal(s.shape)).astype(dtype), shapes
  )


def assert_is_the_paper(name, dtype, rtol, atol):
  settings, module = network(name)
  batch = example(dtype)
  params = random_parameters(module, batch, dtype)
  got = jax.jit(module.apply)({'params': params}, batch)
  for row in (0, 1, 3):
    logits, l, f = paper.network(
      jax.tree.map(lambda x: x.astype(np.float64), params),
      clip(batch, row),
      settings,
    )
    frames = VISUAL_LENGTH[row]
    np.testing.assert_allclose(got.logits[row], logits, rtol, atol)
    if l is None:
      assert got.alignment is None
    else:
      np.testing.assert_allclose(got.alignment[row, :frames], l, rtol, atol)
      assert not np.any(got.alignment[row, frames:])
    if f is None:
      assert got.attention is None
    else:
      np.testing.assert_allclose(got.attention[row, :, :frames], f, rtol, atol)
      assert not np.any(got.attention[row, :, frames:])


@pytest.mark.parametrize('name', VARIANTS)
def test_is_the_paper(name):
  """Equation 1-11: logits, alignment and attention of a ragged batch."""
  assert_is_the_paper(name, np.float32, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('name', VARIANTS)
def test_is_the_paper_in_double_precision(name):
  """Equation 1-11: to 1e-10 under x64."""
  with jax.enable_x64(True):
    assert_is_the_paper(name, np.float64, rtol=1e-10, atol=1e-13)


@functools.cache
def differentiated(name):
  """Returns a function of parameters and batch, compiled once a shape."""
  _, module = network(name)

  def loss(params, batch):
    prediction = module.apply({'params': params}, batch)
    logits = jax.nn.log_softmax(prediction.logits)
    return -(logits[0, 0] + logits[1, 1]), prediction

  return jax.jit(jax.value_and_grad(loss, has_aux=True))


def values_and_gradients(name, params, batch):
  """Returns the prediction of the first two clips and all gradients."""
  (_, prediction), slopes = differentiated(name)(params, batch)
  maps = [prediction.alignment, prediction.attention]
  parts = [x[:2, ..., :7, :] for x in maps[:1] if x is not None]
  parts += [x[:2, ..., :7] for x in maps[1:] if x is not None]
  return [prediction.logits[:2], *parts], slopes


def assert_unchanged(name, *batches):
  _, module = network(name)
  params = random_parameters(module, example())
  wanted = values_and_gradients(name, params, example())
  for batch in batches:
    got = values_and_gradients(name, params, batch)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6),
      got,
      wanted,
    )


@pytest.mark.parametrize('name', VARIANTS)
def test_padding_does_not_matter(name):
  """Law: NaN in the padding, or other batch mates, change nothing."""
  mates = example()
  mates.audio[3] *= 3
  for stream in mates.visual.values():
    stream[3] += 1
  assert_unchanged(name, example(fill=np.nan), mates)


@pytest.mark.parametrize('name', ['last_time', 'average', 'proposed'])
def test_amount_of_padding_does_not_matter(name):
  """Law: five more frames of NaN behind every clip change nothing."""
  assert_unchanged(name, example(np.float32, np.nan, 5))


def test_zero_padded():
  """Law: padding that is known to be zero gives the same, and saves a copy."""
  batch = example().replace(zero_padded=True)
  assert_unchanged('proposed', batch)

  def masked(batch):
    _, module = network('proposed')
    params = random_parameters(module, batch)
    jaxpr = jax.make_jaxpr(module.apply)({'params': params}, batch)
    return sum('select' in str(equation) for equation in jaxpr.eqns)

  assert masked(example()) - masked(batch) == 3  # the streams


def test_hidden_layers_keep_their_barrier():
  """Law: what makes a step faster on a CPU is there, once a hidden layer."""
  _, module = network('proposed')
  params = random_parameters(module, example())
  jaxpr = str(jax.make_jaxpr(module.apply)({'params': params}, example()))
  assert jaxpr.count('optimization_barrier') == 8


def test_parameter_tree():
  """Golden: the names and shapes that a checkpoint of `proposed` has."""
  module = avjax.build(SMALL, EMOTIONS)
  params = jax.eval_shape(module.init, jax.random.key(0), example())['params']

  def encoder(d):
    def lstm(width):
      return {
        'w_input': (width, 4, d),
        'w_recurrent': (d, 4, d),
        'bias': (4, d),
      }

    def hidden(width, size):
      return {'kernel': (width, size), 'bias': (size,)}

    return {
      'audio_hidden': hidden(4, d),
      'audio_lstm': lstm(d),
      'shape_hidden': hidden(3, 6),
      'appearance_hidden': hidden(8, 6),
      'visual_hidden': hidden(12, d),
      'alignment': {'w_audio': (d, d), 'w_visual': (d, d), 'w_place': (4, d)},
      'lstm': lstm(2 * d),
    }

  assert jax.tree.map(lambda x: x.shape, params) == {
    'encoder': encoder(5),
    'selector': encoder(3),
    'w_state': (3, 4),
    'embeddings': (3, 4),
    'w_class': (3, 5),
    'b_class': (3,),
  }


def test_initial_parameters():
  """Law: forget gates start open, recurrent gates orthogonal."""
  module = avjax.build(SMALL, EMOTIONS)
  params = jax.jit(module.init)(jax.random.key(0), example())['params']
  lstm = params['encoder']['lstm']
  np.testing.assert_array_equal(lstm['bias'][1], 1)
  np.testing.assert_array_equal(lstm['bias'][np.array([0, 2, 3])], 0)
  for gate in range(4):
    square = np.asarray(lstm['w_recurrent'][:, gate])
    np.testing.assert_allclose(square @ square.T, np.eye(5), atol=1e-5)
  bound = np.sqrt(6 / (10 + 5))  # Glorot: each gate a 10 x 5 matrix
  assert 0.8 * bound < np.abs(lstm['w_input']).max() <= bound


def test_dropout_belongs_to_the_clip():
  """Law: a clip's masks depend on its row, not on padding or batch size."""
  module = avjax.build(SMALL, EMOTIONS)
  params = random_parameters(module, example())
  rngs = {'dropout': jax.random.key(3)}

  @jax.jit
  def logits(batch, first_row=0):
    return module.apply(
      {'params': params}, batch, train=True, first_row=first_row, rngs=rngs
    ).logits

  whole = logits(example())
  plain = jax.jit(module.apply)({'params': params}, example()).logits
  assert np.all(np.abs(whole[:2] - plain[:2]).max(1) > 1e-3)
  longer = logits(example(more=5))
  np.testing.assert_allclose(longer, whole, rtol=1e-5, atol=1e-6)
  second = jax.tree.map(lambda x: x[1:2], example())
  np.testing.assert_allclose(
    logits(second, first_row=1)[0], whole[1], rtol=1e-5, atol=1e-6
  )


def test_functions_under_the_network():
  """Law: the implementation is passed on; a wrong one raises."""
  params = random_parameters(avjax.build(SMALL, EMOTIONS), example())

  def logits(name):
    config = dataclasses.replace(SMALL, implementation=name)
    module = avjax.build(config, EMOTIONS)
    return jax.jit(module.apply)({'params': params}, example()).logits

  wanted = logits(None)
  for name in ('reference', 'fused_hc'):
    np.testing.assert_allclose(logits(name), wanted, rtol=1e-5, atol=1e-6)
  with pytest.raises(ConfigError, match=r'model\.implementation'):
    avjax.build(dataclasses.replace(SMALL, implementation='cudnn'), EMOTIONS)


@pytest.mark.parametrize('emotions', [(), ('sad',), ('sad', 'sad')])
def test_too_few_emotions(emotions):
  """Law: a classifier needs two different classes."""
  with pytest.raises(ConfigError, match='at least two different'):
    avjax.build(SMALL, emotions)


def test_an_implementation_that_cannot_run_here():
  """Law: the kernel's error names the setting that asked for it."""
  config = dataclasses.replace(SMALL, implementation='pallas_gpu')
  module = avjax.build(config, EMOTIONS)
  message = r"model\.implementation: .* 'pallas_gpu' needs a GPU, but .* a CPU;"
  with pytest.raises(ConfigError, match=message):
    jax.eval_shape(module.init, jax.random.key(0), example())


@pytest.mark.parametrize(
  'change, message',
  [
    (
      {'variant': 'linear'},
      'linear is no network; .* average_pool5, last_time',
    ),
    ({'variant': 'average_pool5'}, 'reads one visual .*appearance.*: use conf'),
    (
      {'variant': 'average_pool5', 'streams': ('audio',)},
      'reads one visual stream and no audio',
    ),
    (
      {'variant': 'average', 'shared_encoder': True},
      'for the variant proposed',
    ),
    ({'streams': ('audio',)}, 'no visual stream; .* or .sound. for the audio'),
  ],
)
def test_what_cannot_be_built(change, message):
  """Law: a config that no network can be made of is answered at once."""
  config = dataclasses.replace(SMALL, **change)
  with pytest.raises(ConfigError, match=message):
    avjax.build(config, EMOTIONS)
  with pytest.raises(ConfigError, match=message):
    check(config)
