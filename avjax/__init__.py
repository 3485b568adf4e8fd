"""Audio-visual emotion recognition with alignment and perception attention.

The public names of Chao, Tao, Yang, Li and Wen (2016) in JAX:

  lstm      Eqs. 1-3    one LSTM layer on a batch of sequences
  align     Eqs. 4-6    audio aligned to the video frames of one clip
  attend    Eqs. 9-10   one attention map per emotion over one clip
  classify  Eq. 11      one logit per emotion from the attended states
  build     Figure 1    the network of a config as a flax.linen module

`load`, which returns a trained model that recognises emotions in clips, and
`stream`, which has it recognise them while sound and pictures come.

A name is imported when it is first used, so that a program's `--help` does not
wait for JAX.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = '0.2.0'

if TYPE_CHECKING:
  from avjax.clips import EMOTIONS, Batch, Clip
  from avjax.kernels.lstm import lstm
  from avjax.models.alignment import align
  from avjax.models.classifiers import Prediction, build
  from avjax.models.heads import classify
  from avjax.models.perception import attend
  from avjax.recognition.loading import load
  from avjax.streaming.live_stream import stream

_MODULE_OF = {
  'EMOTIONS': 'avjax.clips',
  'Batch': 'avjax.clips',
  'Clip': 'avjax.clips',
  'Prediction': 'avjax.models.classifiers',
  'align': 'avjax.models.alignment',
  'attend': 'avjax.models.perception',
  'build': 'avjax.models.classifiers',
  'classify': 'avjax.models.heads',
  'load': 'avjax.recognition.loading',
  'stream': 'avjax.streaming.live_stream',
  'lstm': 'avjax.kernels.lstm',
}
_SUBMODULES = (
  'data',
  'export',
  'features',
  'kernels',
  'metrics',
  'models',
  'recognition',
  'reporting',
  'runs',
  'settings',
  'streaming',
  'training',
)

__all__ = [
  'EMOTIONS',
  'Batch',
  'Clip',
  'Prediction',
  'align',
  'attend',
  'build',
  'classify',
  'load',
  'lstm',
  'stream',
]


def __getattr__(name: str):
  if name in _MODULE_OF:
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
  elif name in _SUBMODULES:
    value = importlib.import_module(f'avjax.{name}')
  else:
    raise AttributeError(f"module 'avjax' has no attribute {name!r}")
  globals()[name] = value
  return value


def __dir__():
  return sorted({*globals(), *__all__, *_SUBMODULES})
