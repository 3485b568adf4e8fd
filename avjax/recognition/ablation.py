"""A clip without its sound, and without its picture."""

import dataclasses

import numpy as np

from avjax.clips import AUDIO, Clip

ABLATED = {'audio off': (AUDIO,), 'vision off': ()}
"""Name of an ablation -> the streams it sets to zero; (): all visual ones."""


def every(whole: Clip) -> list[Clip]:
  """Returns the clip under every ablation: zeros are the average frame."""
  return [_without(whole, name) for name in ABLATED]


def _without(whole: Clip, name: str) -> Clip:
  off = ABLATED[name] or tuple(k for k in whole.streams if k != AUDIO)
  streams = {
    k: np.zeros_like(v) if k in off else v for k, v in whole.streams.items()
  }
  return dataclasses.replace(
    whole, name=f'{whole.name}, {name}', streams=streams
  )
