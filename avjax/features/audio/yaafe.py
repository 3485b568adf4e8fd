"""From a waveform to its audio features (Section 3.3)."""

from collections.abc import Iterable

import numpy as np

from avjax.errors import DataError
from avjax.features.audio import feature_table
from avjax.features.audio.block import LongBlock, ShortBlock
from avjax.features.audio.framing import LONG, RATIO, SHORT, Framing
from avjax.shapes import Float

_LOUDEST = 2.0**31
"""Of 32-bit integer samples."""

_QUIETEST = 1e-60
"""Far below the step of any sample format. What is less counts as digital
silence: squares of its spectrum would be zero where the spectrum is not."""

_REACH = 4
"""Frames on either side of a derivative's."""


def extract(
  waveform: np.ndarray, names: Iterable[str]
) -> dict[str, Float[np.ndarray, 'frames _']]:
  """Returns the frames of every feature, as Yaafe gives them.

  LPC and LSF of digital silence are NaN. Memory is that of the result and of
  two copies of the waveform, however long it is.

  Args:
    waveform: (n,) of floats, mono at 16 kHz, full scale 1.
    names: of `FEATURES`; or one of them with ' first' or ' second' after it,
      for the derivative over short frames.

  Returns:
    Name -> (ceil(n / 512), width) float64; features of long frames have
    ceil(n / 16384) rows.

  Raises:
    DataError: the waveform is empty, is not one channel of floats, or holds
      values that are not finite or not sound.
    ConfigError: there is no such feature.
  """
  parts = {name: feature_table.split(name) for name in names}
  bases = dict.fromkeys(base for base, _ in parts.values())
  samples = _checked(waveform)
  found: dict[str, np.ndarray] = {}
  for framing in (SHORT, LONG):
    own = [
      name for name in bases if feature_table.FEATURES[name].framing is framing
    ]
    found |= _blockwise(samples, framing, own)
  return {
    name: _derivative(found[base], order)
    for name, (base, order) in parts.items()
  }


def columns(
  waveform: np.ndarray, preset: str = 'v0.65'
) -> Float[np.ndarray, 'frames D']:
  """Returns the features of a preset side by side, finite in float32 too.

  NaN is 0 here, and what exceeds float32 is its largest number. A long frame
  stands in every short frame from its own centre to the next one's: row
  floor(t / 32) in frame t.

  Args:
    waveform: as `extract` takes it.
    preset: of `PRESETS`.

  Returns:
    (ceil(n / 512), `width(preset)`) float64.

  Raises:
    DataError: as `extract`.
    ConfigError: there is no such preset.
  """
  names = feature_table.names(preset)
  found = extract(waveform, names)
  frames = SHORT.count(len(waveform))
  row = np.arange(frames) // RATIO
  side = np.empty((frames, feature_table.width(preset)))
  end = 0
  for name in names:
    rows = found.pop(name)
    if feature_table.FEATURES[feature_table.split(name)[0]].framing is LONG:
      rows = rows[row]
    start, end = end, end + rows.shape[1]
    side[:, start:end] = rows
  side[np.isnan(side)] = 0
  largest = np.finfo(np.float32).max
  return np.clip(side, -largest, largest, out=side)


def _checked(waveform: np.ndarray) -> Float[np.ndarray, ' n']:
  """The samples as float64, with what is next to nothing set to zero."""
  if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
    raise DataError(
      f'the waveform is {waveform.dtype} of shape {waveform.shape}; wanted one'
      ' channel of floats, (n,), full scale 1'
    )
  if not len(waveform):
    raise DataError('the waveform is empty; one sample is the least')
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
  """Features of one framing, a block of frames at a time."""
  if not names:
    return {}
  features = {name: feature_table.FEATURES[name] for name in names}
  count = framing.count(len(samples))
  found = {name: np.empty((count, f.width)) for name, f in features.items()}
  padded = framing.padded(samples)
  for start in range(0, count, framing.block):
    part = framing.cut(padded, start)
    block = LongBlock(part) if framing is LONG else ShortBlock(part, start == 0)
    stop = min(start + framing.block, count)
    for name, feature in features.items():
      rows = feature.function(block)
      found[name][start:stop] = rows.reshape(stop - start, feature.width)
  return found


def _derivative(
  rows: Float[np.ndarray, 'frames width'], order: int
) -> Float[np.ndarray, 'frames width']:
  """The feature, or its slope over nine frames, or the slope's change.

  Frames outside the clip count as zeros.
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
