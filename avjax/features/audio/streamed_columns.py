"""The audio columns of a recording whose waveform comes piece by piece."""

import numpy as np

from avjax.features.audio import feature_table, yaafe
from avjax.features.audio.framing import LONG, RATIO, SHORT
from avjax.shapes import Float

ROWS = 16 * RATIO
"""Rows that are computed at once: 16 s."""


class StreamedColumns:
  """Computes the rows of `yaafe.columns`, up to rounding, as the sound comes.

  A long frame reaches one long step to both sides, farther than all others. So
  that much of the waveform is computed again before the new rows, and known
  after them.

  Args:
    preset: a key of `PRESETS`.
    rows: that are computed at once; a multiple of 32.
  """

  def __init__(self, preset: str, rows: int = ROWS):
    self._preset, self._rows = preset, rows
    self._wave = np.zeros(0)
    self._before = 0  # rows of the waveform that are known already

  def add(self, waveform: Float[np.ndarray, ' n']) -> list[np.ndarray]:
    """Returns the next rows, as arrays (rows, D) float64, if there are any.

    Args:
      waveform: the samples that follow, mono at 16 kHz.
    """
    self._wave = np.concatenate([self._wave, waveform])
    made = []
    size = (self._before + self._rows) * SHORT.step
    while len(self._wave) > size + LONG.step:
      rows = yaafe.columns(self._wave[: size + LONG.step], self._preset)
      made.append(rows[self._before : self._before + self._rows])
      self._wave = self._wave[size - LONG.step :]
      self._before = RATIO
      size = (self._before + self._rows) * SHORT.step
    return made

  def finish(self) -> np.ndarray:
    """Returns the last rows (rows, D) float64; none without any sound."""
    if not len(self._wave):
      return np.zeros((0, feature_table.width(self._preset)))
    return yaafe.columns(self._wave, self._preset)[self._before :]
