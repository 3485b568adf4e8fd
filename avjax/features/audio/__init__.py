"""The audio features: YAAFE's at 16 kHz with its defaults (Section 3.3).

framing     frames of 1024 samples every 512, and long ones
tables      filters and bands, from their formulas
statistics, spectral, bands, perceptual, temporal, envelope
            features as functions of arrays
block       what they share, computed once
table       all of them by name, and the presets
extraction  from a waveform to features and columns
"""

from avjax.features.audio.feature_table import FEATURES, PRESETS, width
from avjax.features.audio.yaafe import columns, extract

__all__ = ['FEATURES', 'PRESETS', 'columns', 'extract', 'width']
