"""Computes the audio features of a waveform (Section 3.3)."""

from collections.abc import Iterable

import numpy as np

from avjax.errors import DataError
from avjax.features.audio import feature_table
from avjax.features.audio.block import LongBlock, ShortBlock
from avjax.features.audio.framing import LONG, RATIO, SHORT, Framing
from avjax.shapes import Float

_LOUDEST = 2.0**31
"""Largest sample accepted: full scale of 32-bit integers."""

_QUIETEST = 1e-60
"""Smaller samples count as digital silence: their spectrum is above zero, but
its square underflows. Far below the resolution of any sample format."""

_REACH = 4
"""Frames on each side that a derivative uses."""


def extract(
  waveform: np.ndarray, names: Iterable[str]
) -> dict[str, Float[np.ndarray, 'frames _']]:
  """Returns the audio features of a waveform, as Yaafe computes them.

  LPC and LSF of digital silence are NaN. The memory needed is that of the
  result and of two copies of the waveform.

  Args:
    waveform: (n,) of floats, mono at 16 kHz, full scale 1.
    names: keys of `FEATURES`; with the suffix ' first' or ' second' the
      derivative of a feature of short frames.

  Returns:
    Name -> (ceil(n / 512), width) float64; features of long frames have
    ceil(n / 16384) rows.

  Raises:
    DataError: the waveform is empty, is not one channel of floats, or has
      values that are not finite or beyond 32-bit samples.
    ConfigError: there is no such feature.
  """
  wanted = {name: feature_table.split(name) for name in names}
  bases = dict.fromkeys(base for base, _ in wanted.values())
  samples = _checked(waveform)
  features: dict[str, np.ndarray] = {}
  for framing in (SHORT, LONG):
    same = [
      name for name in bases if feature_table.FEATURES[name].framing is framing
    ]
    features |= _blockwise(samples, framing, same)
  return {
    name: _derivative(features[base], order)
    for name, (base, order) in wanted.items()
  }


def columns(
  waveform: np.ndarray, preset: str = 'v0.65'
) -> Float[np.ndarray, 'frames D']:
  """Returns the features of a preset side by side, finite in float32.

  NaN becomes 0, and values are clipped to the range of float32. Frame t has row
  floor(t / 32) of the features of long frames, so each of their rows is
  repeated from its own centre to the next.

  Args:
    waveform: see `extract`.
    preset: a key of `PRESETS`.

  Returns:
    (ceil(n / 512), `width(preset)`) float64.

  Raises:
    DataError: see `extract`.
    ConfigError: there is no such preset.
  """
  names = feature_table.names(preset)
  features = extract(waveform, names)
  frames = SHORT.count(len(waveform))
  long_row = np.arange(frames) // RATIO
  joined = np.empty((frames, feature_table.width(preset)))
  end = 0
  for name in names:
    rows = features.pop(name)
    if feature_table.FEATURES[feature_table.split(name)[0]].framing is LONG:
      rows = rows[long_row]
    start, end = end, end + rows.shape[1]
    joined[:, start:end] = rows
  joined[np.isnan(joined)] = 0
  largest = np.finfo(np.float32).max
  return np.clip(joined, -largest, largest, out=joined)


def _checked(waveform: np.ndarray) -> Float[np.ndarray, ' n']:
  """Returns the samples as float64, with negligible values set to zero."""
  if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
    raise DataError(
      f'the waveform is {waveform.dtype} of shape {waveform.shape}; wanted one'
      ' channel of floats, (n,), full scale 1'
    )
  if not len(waveform):
    raise DataError('the waveform is empty; give at least one sample')
  samples = waveform.astype(np.float64)
  for extreme in (samples.min(), samples.max()):
    if not abs(extreme) <= _LOUDEST:
      raise DataError(
        f'the waveform reaches {extreme}; wanted finite samples, full scale 1'
      )
  samples[(samples < _QUIETEST) & (samples > -_QUIETEST)] = 0
  return samples


def _blockwise(
  samples: Float[np.ndarray, ' n'], framing: Framing, names: list[str]
) -> dict[str, np.ndarray]:
  """Returns the features of one framing, computed block by block."""
  if not names:
    return {}
  features = {name: feature_table.FEATURES[name] for name in names}
  count = framing.count(len(samples))
  arrays = {name: np.empty((count, f.width)) for name, f in features.items()}
  padded = framing.padded(samples)
  for start in range(0, count, framing.block):
    cut = framing.cut(padded, start)
    block = LongBlock(cut) if framing is LONG else ShortBlock(cut, start == 0)
    stop = min(start + framing.block, count)
    for name, feature in features.items():
      rows = feature.function(block)
      arrays[name][start:stop] = rows.reshape(stop - start, feature.width)
  return arrays


def _derivative(
  rows: Float[np.ndarray, 'frames width'], order: int
) -> Float[np.ndarray, 'frames width']:
  """Returns a feature's derivative of the given order.

  Order 0 is the feature, 1 its slope over nine frames, 2 the change of the
  slope. Frames outside the clip count as zeros.
  """
  if order == 0:
    return rows
  frames = len(rows)
  padded = np.pad(rows, ((_REACH, _REACH), (0, 0)))
  weights = np.arange(-_REACH, _REACH + 1)
  lagged = [padded[_REACH + k :][:frames] for k in weights]
  slope = np.tensordot(weights / np.sum(weights**2), lagged, axes=1)
  if order == 1:
    return slope
  padded = np.pad(slope, ((1, 1), (0, 0)))
  return (padded[2:] - padded[:-2]) / 2
