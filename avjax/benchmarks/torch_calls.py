"""The PyTorch implementations of the cases: eager, packed, as a CUDA graph.

Imported only where it is used, since it needs PyTorch.
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
  """Sets whether PyTorch multiplies float32 in TensorFloat-32 on a GPU."""
  mode = 'tf32' if precision == 'tf32' else 'ieee'
  torch.backends.cuda.matmul.fp32_precision = mode
  recurrent = torch.backends.cudnn.rnn  # whose default is 'tf32'
  recurrent.fp32_precision = mode  # type: ignore[attr-defined]


def layer(
  arrays: Sequence[Any],
  length: Int[np.ndarray, ' B'],
  *,
  gradients: bool,
  packed: bool = False,
  graph: bool = False,
) -> Implementation:
  """Returns the implementation of one layer.

  Args:
    arrays: inputs and parameters, as for `avjax.lstm`.
    length: of each row.
    gradients: whether to compute gradients of the mean squared state.
    packed: whether to use packed sequences.
    graph: whether to capture a CUDA graph.
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

  def results(result):
    h, gradient = result
    if not gradients:
      return _array(h), {}
    named = dict(zip(trained, gradient[1:], strict=True))
    ours = _gradients_of_ours(_layer_state, params, named)
    return _array(h), [_array(gradient[0]), *ours]

  return _implementation(call, results, graph)


def inference(
  params: Mapping[str, Any],
  batch: Batch,
  config: settings.ModelConfig,
  *,
  packed: bool = False,
  graph: bool = False,
) -> Implementation:
  """Returns the implementation of inference, with our parameters."""
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
  """Returns the implementation of one training step, with our parameters."""
  clips = peers.clips(batch)
  # In training mode: in eval mode cuDNN's LSTM has no gradient.
  without_dropout = network(
    params, batch, dataclasses.replace(config.model, dropout=0.0), packed
  )

  def results(_):
    trained, logits = _trained(without_dropout), without_dropout(clips)
    loss = logits.square().mean()
    gradient = torch.autograd.grad(loss, list(trained.values()))
    named = dict(zip(trained, gradient, strict=True))
    ours = _gradients_of_ours(peers.from_ours, params, named)
    return _array(logits), ours

  module = network(params, batch, config.model, packed)
  call = train_call(module, [clips], config.training, capturable=graph)
  return _implementation(call, results, graph)


def network(
  params: Mapping[str, Any],
  batch: Batch,
  config: settings.ModelConfig,
  packed: bool = False,
) -> peers.TorchProposed:
  """Returns a `TorchProposed` with our parameters, for the batch's streams."""
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
  """Returns a function that runs training steps and returns the last loss.

  Args:
    module: the network, which is modified.
    batches: one per step.
    training: settings of the optimiser.
    capturable: whether the optimiser can be captured in a CUDA graph.
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


def _implementation(call, results, graph: bool) -> Implementation:
  """Returns the implementation of a call.

  Args:
    call: to time.
    results: from the result of a call to value and gradients.
    graph: whether to capture a CUDA graph.
  """
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
    results=lambda: results(run()),
    # On a CPU a call returns when it is done.
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
      call()  # warm-up: allocations must not be captured
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


def _gradients_of_ours(from_ours, params, gradients):
  """Returns the gradients of our parameters, given PyTorch's gradients.

  Args:
    from_ours: from our parameters to PyTorch's.
    params: our parameters.
    gradients: PyTorch's name -> gradient; missing ones are zero.
  """
  state, pull_back = jax.vjp(from_ours, params)
  cotangents = {
    name: jnp.asarray(_array(gradients[name]), x.dtype)
    if name in gradients
    else jnp.zeros_like(x)
    for name, x in state.items()
  }
  return pull_back(cotangents)[0]


def _array(x: torch.Tensor) -> np.ndarray:
  return x.detach().float().cpu().numpy()
