"""Exported files against the paper's equations and the model they are of."""

import dataclasses
import json
import pathlib

import jax
import numpy as np
import onnxruntime
import pytest

import avjax
from avjax.clips import Clip
from avjax.errors import AvjaxError, ConfigError
from avjax.export import checking, exporting, onnx_network
from avjax.models.averaged import Averaged
from tests.bin.programs import fails, forked
from tests.models import paper
from tests.models.classifiers_test import (
  EMOTIONS,
  VARIANTS,
  VISUAL_LENGTH,
  clip,
  example,
  network,
  random_parameters,
)

RUNS = pathlib.Path(__file__).parents[1] / 'golden/runs'


def averaged(name):
  settings, module = network(name)
  first = random_parameters(module, example())
  second = jax.tree.map(lambda x: np.float32(0.7) * x, first)
  return Averaged(settings, EMOTIONS, [first, second])


def arguments(model, batch):
  streams = {'audio': batch.audio, **batch.visual}
  lengths = dataclasses.asdict(batch)
  return {k: streams[k] if k in streams else lengths[k] for k in model.inputs}


@pytest.mark.parametrize('name', VARIANTS)
def test_onnx_is_the_paper(name):
  """Equation 1-11: two networks in ONNX Runtime, NaN in the padding."""
  model, batch = averaged(name), example(fill=np.nan, more=2)
  session = onnxruntime.InferenceSession(onnx_network.serialised(model))
  found = dict(
    zip(
      model.outputs,
      session.run(list(model.outputs), arguments(model, batch)),
      strict=True,
    )
  )
  for row in (0, 1, 3):
    each = [
      paper.network(
        jax.tree.map(np.float64, params), clip(batch, row), model.settings
      )
      for params in model.members
    ]
    wanted = np.mean([paper.softmax(logits) for logits, _, _ in each], axis=0)
    np.testing.assert_allclose(found['probabilities'][row], wanted, atol=1e-6)
    if 'attention' in found:
      frames, got = VISUAL_LENGTH[row], found['attention'][row]
      wanted = np.mean([f for _, _, f in each], axis=0)
      np.testing.assert_allclose(got[:, :frames], wanted, atol=1e-6)
      assert not got[:, frames:].any()


@pytest.mark.parametrize('kind', exporting.FORMATS)
def test_a_difference_is_found(kind):
  """Law: a file of two slightly different networks is refused."""
  model, made = averaged('average_pool5'), exporting.FORMATS[kind]
  first, second = model.members
  changed = {**second, 'b_class': second['b_class'] + np.float32([1e-3, 0, 0])}
  other = dataclasses.replace(model, members=[first, changed])
  assert checking.difference(model, made(model), kind) <= 1e-6
  with pytest.raises(AvjaxError, match='differs from the model by'):
    checking.difference(model, made(other), kind)


def test_a_stream_has_a_name_of_its_own():
  """Law: a stream may not be called as an output or a length is."""
  settings, _ = network('average_pool5')
  settings = dataclasses.replace(settings, streams=('attention',))
  with pytest.raises(ConfigError, match='another name'):
    Averaged(settings, EMOTIONS, [{}])


def ragged(widths):
  """Twenty clips of random features, the first without sound."""
  random = np.random.default_rng(3)
  return [
    Clip(
      str(k),
      {
        'audio': random.standard_normal((k * 3, widths['audio'])),
        'shape': random.standard_normal((k * 2 + 1, widths['shape'])),
      },
    )
    for k in range(20)
  ]


def loaded(path, kind):
  if kind == 'stablehlo':
    exported = jax.export.deserialize(bytearray(path.read_bytes()))
    return lambda arrays: exported.call(**arrays)
  session = onnxruntime.InferenceSession(path)
  names = [one.name for one in session.get_outputs()]
  return lambda arrays: dict(
    zip(names, session.run(names, arrays), strict=True)
  )


@pytest.mark.parametrize(
  'kind, run', [('stablehlo', 'average'), ('onnx', 'proposed')]
)
def test_export(tmp_path, kind, run):
  """Program: twenty ragged clips have what the recogniser gives, to 1e-5."""
  code, out, error = forked(
    'export', RUNS / run, 'made/model', f'--format={kind}', cwd=tmp_path
  )
  assert code == 0, error
  assert f'made/model: {kind}, ' in out and ' 1 network; 20 clips ' in out
  described = json.loads((tmp_path / 'made/model.json').read_text())
  recogniser = avjax.load(RUNS / run)
  assert described['emotions'] == list(recogniser.emotions)
  clips = ragged(recogniser.widths)
  arrays = {
    name: np.zeros((20, 58, width), np.float32)
    for name, width in recogniser.widths.items()
  }
  for row, one in enumerate(clips):
    for name, array in one.streams.items():
      arrays[name][row, : len(array)] = array
  arrays['audio_length'] = np.array([c.audio_length for c in clips], np.int32)
  arrays['visual_length'] = np.array([c.visual_length for c in clips], np.int32)
  assert set(arrays) == set(described['inputs'])
  found = loaded(tmp_path / 'made/model', kind)(arrays)
  wanted = recogniser.outcome(clips)
  np.testing.assert_allclose(
    found['probabilities'], wanted.probabilities, rtol=0, atol=1e-5
  )
  for row, attention in enumerate(wanted.attention):
    if attention is None:
      assert 'attention' not in found
      continue
    got = found['attention'][row, :, : attention.shape[1]]
    np.testing.assert_allclose(got, attention, rtol=0, atol=1e-5)


def test_what_cannot_be_exported(tmp_path):
  """Program: a model that is no network, and a folder as the file."""
  linear = RUNS / 'linear'
  code, _, error = forked(
    'export', linear, 'model', '--format=onnx', cwd=tmp_path
  )
  assert code == 2 and 'which is no network' in error
  (tmp_path / 'model').mkdir()
  code, _, error = forked(
    'export', RUNS / 'proposed', 'model', '--format=onnx', cwd=tmp_path
  )
  assert code == 2 and 'model is a folder' in error
  assert '--format' in fails('export', linear, 'model', cwd=tmp_path)
