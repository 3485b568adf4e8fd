"""A model as ONNX: Section 2 of the paper in ONNX's operators.

Our own lowering, operator by operator, in the order of `models/`; BUILD.md says
why. The numbers of an exported file are compared with those of the model before
it is written (`checking`).
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from avjax.clips import AUDIO
from avjax.export.onnx_graph import OnnxGraph
from avjax.kernels.lstm.api import last_step
from avjax.models import classifiers, heads
from avjax.models.averaged import LENGTHS, Averaged
from avjax.settings import AlignmentConfig, ModelConfig

_ACTIVATIONS = {'relu': 'Relu', 'tanh': 'Tanh', 'sigmoid': 'Sigmoid'}
Parameters = Mapping[str, Any]


def serialised(model: Averaged) -> bytes:
  """Returns the model as an ONNX file.

  Inputs and outputs are those of `Averaged`, of any number of clips and frames.
  """
  graph = OnnxGraph()
  inputs = {
    name: ('int32' if name in LENGTHS else 'float32', shape)
    for name, shape in model.inputs.items()
  }
  streams = {k: _masked(graph, k, _length_of(k)) for k in model.streams}
  each = [_network(graph, model, p, streams) for p in model.members]
  share = graph.constant(1 / len(each))
  mean = {
    name: graph('Mul', graph('Sum', *(one[name] for one in each)), share)
    for name in model.outputs
  }
  outputs = {name: ('float32', shape) for name, shape in model.outputs.items()}
  return graph.file(inputs, outputs, mean)


def _length_of(stream: str) -> str:
  return 'audio_length' if stream == AUDIO else 'visual_length'


def _network(
  graph: OnnxGraph,
  model: Averaged,
  params: Parameters,
  streams: Mapping[str, str],
) -> dict[str, str]:
  """Returns probabilities and attention of one network."""
  settings, found = model.settings, {}
  states = _encoder(graph, params['encoder'], settings, streams)
  if isinstance(model.module, classifiers.Proposed):
    selector = states
    if not settings.shared_encoder:
      selector = _encoder(graph, params['selector'], settings, streams)
    found['attention'] = attention = _attend(graph, selector, params)
    attended = graph('MatMul', attention, states)  # Eq. 11, [B, N, C]
    weighted = graph('Mul', attended, graph.constant(params['w_class']))
    logits = graph('ReduceSum', weighted, graph.whole(-1), keepdims=0)
  else:
    pooled = _POOLED[model.module.pool](graph, states)
    logits = graph('MatMul', pooled, graph.constant(params['w_class']))
  logits = graph('Add', logits, graph.constant(params['b_class']))
  return found | {'probabilities': graph('Softmax', logits, axis=-1)}


def _encoder(
  graph: OnnxGraph,
  params: Parameters,
  settings: ModelConfig,
  streams: Mapping[str, str],
) -> str:
  """Returns the states (B, T, C) of `models.encoder`, zero on padding."""

  def hidden(name: str, x: str) -> str:
    x = graph('MatMul', x, graph.constant(params[name]['kernel']))
    x = graph('Add', x, graph.constant(params[name]['bias']))
    return graph(_ACTIVATIONS[settings.activation], x)

  seen = [
    hidden(f'{name}_hidden', x) for name, x in streams.items() if name != AUDIO
  ]
  frames = seen[0]
  if len(seen) > 1:
    frames = hidden('visual_hidden', graph('Concat', *seen, axis=-1))
  if AUDIO in streams:
    heard = hidden('audio_hidden', streams[AUDIO])
    if settings.alignment.reads == 'states':
      heard = _lstm(graph, params['audio_lstm'], heard, 'audio_length')
    aligned = _align(graph, params, settings.alignment, heard, frames)
    frames = graph('Concat', aligned, frames, axis=-1)
  return _lstm(graph, params['lstm'], frames, 'visual_length')


def _lstm(graph: OnnxGraph, params: Parameters, x: str, length: str) -> str:
  """Returns the states (B, T, C), zero on padding; Eqs. 1-3.

  ONNX has the gates in the order i, o, f, g, and a bias for each of the two
  products.
  """
  order = [0, 2, 1, 3]
  cells = params['w_recurrent'].shape[0]
  w_input, w_recurrent = (
    np.asarray(params[k])[:, order].reshape(-1, 4 * cells).T[None]
    for k in ('w_input', 'w_recurrent')
  )
  bias = np.asarray(params['bias'])[order].reshape(1, -1)
  states = graph(
    'LSTM',
    graph('Transpose', x, perm=[1, 0, 2]),
    graph.constant(w_input),
    graph.constant(w_recurrent),
    graph.constant(np.concatenate([bias, np.zeros_like(bias)], axis=1)),
    hidden_size=cells,
  )  # [T, 1, B, C]
  states = graph('Squeeze', states, graph.whole(1))
  return _masked(graph, graph('Transpose', states, perm=[1, 0, 2]), length)


def _align(
  graph: OnnxGraph,
  params: Parameters,
  settings: AlignmentConfig,
  heard: str,
  frames: str,
) -> str:
  """Returns the aligned audio x_t (B, T, C); Eqs. 4-6."""
  places = 2 * settings.half_window
  place, exists = _window(graph, heard, frames, places, settings.fixed_ratio)
  nearby = graph('GatherND', heard, place, batch_dims=1)  # [B, T, W, C]
  if settings.mode == 'centre':
    middle = graph.constant(np.arange(places) == places // 2)
    weights = graph('Mul', graph('Cast', exists, to=1), middle)
  else:
    own = params['alignment']
    keys = graph('MatMul', heard, graph.constant(own['w_audio']))
    keys = graph('GatherND', keys, place, batch_dims=1)
    query = graph('MatMul', frames, graph.constant(own['w_visual']))
    query = graph('Unsqueeze', query, graph.whole(2))
    hidden = graph('Tanh', graph('Add', keys, query))
    scores = graph('Mul', hidden, graph.constant(own['w_place']))
    scores = graph('ReduceSum', scores, graph.whole(-1), keepdims=0)  # Eq. 5
    weights = _softmax(graph, scores, exists)  # Eq. 4
  weighted = graph('Mul', nearby, graph('Unsqueeze', weights, graph.whole(-1)))
  return graph('ReduceSum', weighted, graph.whole(2), keepdims=0)  # Eq. 6


def _window(
  graph: OnnxGraph,
  heard: str,
  frames: str,
  places: int,
  ratio: Fraction | None,
) -> tuple[str, str]:
  """Returns the audio frame of every place (B, T, W, 1), and if it exists.

  `alignment.window`, whose product is of 64 bits here.
  """
  one, two = graph.constant(1, np.int64), graph.constant(2, np.int64)
  zero = graph.constant(0, np.int64)

  def rows(length: str) -> str:  # [B, 1]
    wide = graph('Cast', length, to=7)
    return graph('Unsqueeze', wide, graph.whole(1))

  audio_length, visual_length = rows('audio_length'), rows('visual_length')
  t = _counted(graph, frames)
  factor = graph('Add', graph('Mul', t, two), one)
  if ratio is None:
    divisor = graph('Max', graph('Mul', visual_length, two), one)
    factor = graph('Min', factor, graph('Sub', divisor, one))  # [B, T]
    product = graph('Mul', factor, audio_length)
  else:
    divisor = graph.constant(2 * ratio.denominator, np.int64)
    numerator = graph.constant(ratio.numerator, np.int64)
    # Of as many rows as there are clips, [B, T].
    rows_of = graph('Add', factor, graph('Mul', visual_length, zero))
    product = graph('Mul', rows_of, numerator)
  centre = graph('Div', product, divisor)

  offsets = graph.constant(np.arange(places) - places // 2, np.int64)
  frame = graph('Unsqueeze', centre, graph.whole(2))
  frame = graph('Add', frame, offsets)  # [B, T, W]
  within = graph('Unsqueeze', graph('Less', t, visual_length), graph.whole(2))
  beyond = graph('Unsqueeze', audio_length, graph.whole(2))
  exists = graph('And', graph('Less', frame, beyond), within)
  exists = graph('And', exists, graph('GreaterOrEqual', frame, zero))

  last = graph('Sub', graph('Shape', heard, start=1, end=2), one)
  frame = graph('Min', graph('Max', frame, zero), last)
  return graph('Unsqueeze', frame, graph.whole(-1)), exists


def _attend(graph: OnnxGraph, selector: str, params: Parameters) -> str:
  """Returns the attention (B, N, T); Eqs. 9-10."""
  keys = graph('MatMul', selector, graph.constant(params['w_state']))
  turned = graph('Transpose', keys, perm=[0, 2, 1])
  scores = graph('MatMul', graph.constant(params['embeddings']), turned)
  within = _within(graph, selector, 'visual_length')  # [B, T]
  return _softmax(graph, scores, graph('Unsqueeze', within, graph.whole(1)))


def _softmax(graph: OnnxGraph, scores: str, mask: str) -> str:
  """Returns the softmax over the last axis where the mask is, and 0 elsewhere.

  All is 0 where the mask is nowhere.
  """
  zero, one = graph.constant(0), graph.constant(1)
  least = graph.constant(np.finfo(np.float32).min)
  inside = graph('Where', mask, scores, least)
  most = graph('ReduceMax', inside, axes=[-1], keepdims=1)
  powers = graph('Exp', graph('Sub', inside, most))
  powers = graph('Where', mask, powers, zero)
  total = graph('ReduceSum', powers, graph.whole(-1), keepdims=1)
  some = graph('Greater', total, zero)
  return graph('Div', powers, graph('Where', some, total, one))


def _mean_state(graph: OnnxGraph, states: str) -> str:
  """Returns `heads.mean_state`; Eq. 8."""
  frames = graph('Cast', _at_least_one(graph, 'visual_length'), to=1)
  total = graph('ReduceSum', states, graph.whole(1), keepdims=0)
  return graph('Div', total, graph('Unsqueeze', frames, graph.whole(1)))


def _last_state(graph: OnnxGraph, states: str) -> str:
  """Returns `last_step`; Eq. 7. The states of a row of length 0 are zero."""
  one = graph.constant(1, np.int64)
  last = graph('Sub', _at_least_one(graph, 'visual_length'), one)
  index = graph('Unsqueeze', last, graph.whole(1))
  return graph('GatherND', states, index, batch_dims=1)


_POOLED = {heads.mean_state: _mean_state, last_step: _last_state}


def _at_least_one(graph: OnnxGraph, length: str) -> str:
  wide = graph('Cast', length, to=7)
  return graph('Max', wide, graph.constant(1, np.int64))


def _counted(graph: OnnxGraph, x: str) -> str:
  """Returns the numbers 0, 1, ... of the frames of (B, T, D), as (1, T)."""
  zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
  frames = graph('Squeeze', graph('Shape', x, start=1, end=2))
  return graph('Unsqueeze', graph('Range', zero, frames, one), graph.whole(0))


def _within(graph: OnnxGraph, x: str, length: str) -> str:
  """Returns whether each frame of (B, T, D) is a true one, (B, T)."""
  wide = graph('Cast', length, to=7)
  rows = graph('Unsqueeze', wide, graph.whole(1))
  return graph('Less', _counted(graph, x), rows)


def _masked(graph: OnnxGraph, x: str, length: str) -> str:
  """Returns (B, T, D) with zero on the padding."""
  within = graph('Unsqueeze', _within(graph, x, length), graph.whole(-1))
  return graph('Where', within, x, graph.constant(0))
