"""What bin/benchmark calls of the PyTorch peers: eager, packed, captured.

Imported when it is asked for, since it needs PyTorch.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from avjax import settings
from avjax.benchmarks import torch_peers as peers
from avjax.benchmarks.timing import Implementation
from avjax.clips import AUDIO, Batch
from avjax.shapes import Int


def set_precision(precision: str) -> None:
  """Sets whether PyTorch's float32 products on a GPU are TensorFloat-32."""
  mode = 'tf32' if precision == 'tf32' else 'ieee'
  torch.backends.cuda.matmul.fp32_precision = mode
  torch.backends.cudnn.rnn.fp32_precision = mode  # 'tf32' as it comes


def layer(
  arrays: Sequence[Any],
  length: Int[np.ndarray, ' B'],
  *,
  gradients: bool,
  packed: bool = False,
  graph: bool = False,
) -> Implementation:
  """Returns one layer; arguments as of `avjax.lstm`.

  Args:
    arrays: inputs and parameters.
    length: of each row.
    gradients: of the mean squared state, beside the states.
    packed: reads no padding.
    graph: captured as a CUDA graph.
  """
  inputs, *params = arrays
  x = peers.tensor(inputs).requires_grad_(gradients)
  module = peers.TorchLSTM(inputs.shape[2], params[2].shape[1], packed)
  _load(module.to(x.dtype), _layer_state(params))
  lengths = peers.lengths(length)
  within, full = peers.within(x, lengths), bool(np.all(length == x.shape[1]))
  trained = _trained(module)

  def states():
    h = module(x, lengths)
    return h if full or packed else h.where(within, 0)

  def call():
    if not gradients:
      with torch.no_grad():
        return states(), ()
    h = states()
    loss = h.float().square().mean()
    return h.detach(), torch.autograd.grad(loss, [x, *trained.values()])

  def unpacked(result):
    h, slopes = result
    if not gradients:
      return _array(h), {}
    named = dict(zip(trained, slopes[1:], strict=True))
    back = _back(_layer_state, params, named)
    return _array(h), [_array(slopes[0]), *back]

  return _implementation(call, unpacked, graph)


def inference(
  params: Mapping[str, Any],
  batch: Batch,
  config: settings.ModelConfig,
  *,
  packed: bool = False,
  graph: bool = False,
) -> Implementation:
  """Returns the logits of a batch, by a network with our parameters."""
  clips = peers.clips(batch)
  module = network(params, batch, config, packed).eval()

  def call():
    with torch.no_grad():
      return module(clips)

  return _implementation(call, lambda logits: (_array(logits), {}), graph)


def train_step(
  params: Mapping[str, Any],
  batch: Batch,
  config: settings.Settings,
  *,
  packed: bool = False,
  graph: bool = False,
) -> Implementation:
  """Returns one training step, by a network with our parameters."""
  clips = peers.clips(batch)
  # Not in eval mode: there cuDNN's LSTM has no gradient.
  plain = network(
    params, batch, dataclasses.replace(config.model, dropout=0.0), packed
  )

  def unpacked(_):
    trained, logits = _trained(plain), plain(clips)
    slopes = torch.autograd.grad(logits.square().mean(), list(trained.values()))
    named = dict(zip(trained, slopes, strict=True))
    return _array(logits), _back(peers.from_ours, params, named)

  module = network(params, batch, config.model, packed)
  call = train_call(module, [clips], config.training, capturable=graph)
  return _implementation(call, unpacked, graph)


def network(
  params: Mapping[str, Any],
  batch: Batch,
  config: settings.ModelConfig,
  packed: bool = False,
) -> peers.TorchProposed:
  """Returns the peer with our parameters, as wide as the batch's streams."""
  widths = {name: x.shape[-1] for name, x in batch.visual.items()}
  assert batch.audio is not None, 'the network reads audio'
  widths[AUDIO] = batch.audio.shape[-1]
  classes = params['b_class'].shape[0]
  module = peers.TorchProposed(widths, config, classes, packed)
  return _load(module, peers.from_ours(params))


def train_call(
  module: peers.TorchProposed,
  batches: Sequence[peers.Clips],
  training: settings.TrainingConfig,
  capturable: bool = False,
) -> Callable[[], torch.Tensor]:
  """Returns a function that takes steps and returns the last one's loss.

  Args:
    module: the network, which changes.
    batches: one a step.
    training: rates and decay.
    capturable: the optimiser counts on the device, as a CUDA graph needs.
  """
  optimiser = torch.optim.Adadelta(
    list(_trained(module).values()),
    lr=training.learning_rate,
    rho=training.rho,
    eps=training.epsilon,
    weight_decay=training.weight_decay,
    capturable=capturable,
  )

  def call():
    for clips in batches:
      optimiser.zero_grad()
      loss = functional.cross_entropy(module(clips), clips.label)
      loss.backward()
      optimiser.step()
    return loss.detach()

  return call


def _implementation(call, unpacked, graph: bool) -> Implementation:
  """Returns what is timed; `unpacked` makes its results of the call's."""
  start = time.perf_counter()
  run = _captured(call) if graph else call
  seconds = time.perf_counter() - start

  def peak_bytes():
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    return torch.cuda.max_memory_allocated() - before

  cuda = peers.device().type == 'cuda'
  return Implementation(
    call=run,
    results=lambda: unpacked(run()),
    # On a CPU every call is there when it returns.
    wait=lambda _: torch.cuda.synchronize() if cuda else None,
    compile_seconds=seconds,
    peak_bytes=peak_bytes if cuda and not graph else lambda: None,
  )


def _captured(call):
  """Returns a function that replays a call as one CUDA graph."""
  side = torch.cuda.Stream()
  side.wait_stream(torch.cuda.current_stream())
  with torch.cuda.stream(side):
    for _ in range(3):
      call()  # what is made once must be there before
  torch.cuda.current_stream().wait_stream(side)
  graph = torch.cuda.CUDAGraph()
  with torch.cuda.graph(graph):
    result = call()

  def replay():
    graph.replay()
    return result

  return replay


def _layer_state(params):
  state = peers.layer_from_ours(*params)
  return {f'lstm.{name}': x for name, x in state.items()}


def _load(module, state):
  module.to(peers.device())
  module.load_state_dict({k: peers.tensor(x) for k, x in state.items()})
  return module


def _trained(module: nn.Module) -> dict[str, nn.Parameter]:
  return {n: p for n, p in module.named_parameters() if p.requires_grad}


def _back(from_ours, params, slopes):
  """Returns the gradients in our tree, of those in PyTorch's."""
  state, back = jax.vjp(from_ours, params)
  cotangents = {
    name: jnp.asarray(_array(slopes[name]), x.dtype)
    if name in slopes
    else jnp.zeros_like(x)
    for name, x in state.items()
  }
  return back(cotangents)[0]


def _array(x: torch.Tensor) -> np.ndarray:
  return x.detach().float().cpu().numpy()
